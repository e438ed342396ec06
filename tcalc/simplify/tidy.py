from tcalc.expr.nodes import Node


def tidy(root: Node) -> Node:
    return root
