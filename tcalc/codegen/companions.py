"""Functions that take less beside another one of the same argument, where both are computed.

    sigmoid(x)  ->  -expm1(-softplus(x))
    softmax(x)  ->  exp(x - logsumexp(x))
    step(x)     ->  sign(relu(x))

A value has the one, its gradient the other.  No digits are lost, and what is infinite stays right.
"""

from __future__ import annotations

from collections.abc import Sequence

from tcalc.expr import build
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.traverse import postorder, rebuild
from tcalc.primitives.exponential import exp, expm1, sigmoid, softplus
from tcalc.primitives.piecewise import relu, sign, step
from tcalc.primitives.softmax import Softmax, logsumexp


def with_companions(roots: Sequence[Node]) -> list[Node]:
    """The roots with functions computed from their companions.

    >>> from tcalc.expr import shape
    >>> x = build.var("x", shape("n"))
    >>> value, gradient = with_companions([softplus(x), sigmoid(x)])
    >>> gradient is build.scale(-1, expm1(build.scale(-1, value)))
    True
    >>> with_companions([sigmoid(x)]) == [sigmoid(x)]
    True
    """
    order = postorder(roots)
    present = set(order)

    def changed(node: Node) -> Node:
        if not isinstance(node, Apply) or len(node.args) != 1:
            return node
        (x,) = node.args
        match node.primitive:
            case Softmax(axes=axes):
                companion = logsumexp(x, axes)
                if companion in present:
                    labels = tuple(range(x.order))
                    sizes = dict(zip(labels, x.dims, strict=True))
                    whole = build.einsum([companion], [labels[: companion.order]], labels, sizes)
                    return exp(build.subtract(x, whole))
            case function if function == sigmoid:
                if softplus(x) in present:
                    return build.scale(-1, expm1(build.scale(-1, softplus(x))))
            case function if function == step:
                if relu(x) in present:
                    return sign(relu(x))
        return node

    # Most programs have none, and are spared the walk.
    return rebuild(roots, changed) if any(changed(x) is not x for x in order) else list(roots)
