from tcalc.expr.nodes import Node
def prepare(roots): return list(roots)
