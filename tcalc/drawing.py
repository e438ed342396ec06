"""Pictures of expressions and their derivatives."""

from __future__ import annotations

from collections.abc import Sequence

from tcalc.errors import ArgumentError, LimitError
from tcalc.expr.traverse import postorder
from tcalc.expression import Expression
from tcalc.requirements import require_expressions

MOST_NODES = 150
"""The most nodes of a picture, unless more are asked for."""


def draw(F: Expression | Sequence[Expression], *, title: str = "", limit: int = MOST_NODES) -> str:
    """The graph of an expression, or of several, as an SVG document.

    Operands are drawn below what is computed from them.  The colour of a node shows the order of
    its tensor; its label is an operator, a name, or the subscripts of a product.  A derivative is
    drawn as it was derived, so that the modes can be compared: for the Hessian of a neural net,
    reverse mode has intermediate tensors of order four, and cross-country mode only the result
    (Laue, Mitterreiter, Giesen, *A Simple and Efficient Tensor Calculus*, 2020, figures 4 and 5).

    `title` is the accessible name of the picture, which screen readers announce.  Raises
    `LimitError` for more than `limit` nodes.

    >>> from tcalc import parse
    >>> text = draw(parse("sum(exp(A*x))"))
    >>> "exp" in text and "ij,j→i" in text
    True
    """
    from tcalc.pictures import picture

    several = require_expressions(F)
    if not several:
        raise ArgumentError("there is nothing to draw", hint="give one expression or several")
    roots = [expression.node for expression in several]
    count = len(postorder(roots))
    if count > limit:
        raise LimitError(
            f"the graph has {count} nodes, and more than {limit} are hard to read",
            hint=f"draw a part of it, or allow more: limit={count}, --limit {count}",
        )
    return picture(roots, title or "Expression graph")
