"""Rules for softmax: its logarithm, and that it sums to one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from tcalc.expr import build
from tcalc.expr.nodes import Add, Apply, Const, Einsum, Node
from tcalc.expr.primitive import Labels
from tcalc.primitives.exponential import log
from tcalc.primitives.selection import is_slice
from tcalc.primitives.softmax import LogSumExp, Softmax, logsoftmax
from tcalc.simplify.coefficients import ONE
from tcalc.simplify.engine import of_functions_of, of_products_having
from tcalc.simplify.parts import Parts, parts_of


@of_functions_of(log)
def log_of_softmax(node: Apply) -> Node | None:
    """``log(softmax(x)) -> x - logsumexp(x)``, which is `logsoftmax` and does not underflow.

    Also of elements of it.  Example: ``log(softmax(x)[3]) -> x[3] - logsumexp(x)``.
    """
    if node.primitive != log:
        return None
    match node.args[0]:
        case Apply(primitive=Softmax(axes=axes), args=(x,)):
            return logsoftmax(x, axes)
        case Einsum() as elements:
            return _logarithm_of_elements(parts_of(elements))
    return None


def _logarithm_of_elements(parts: Parts) -> Node | None:
    """The logarithm of a softmax that rows of unit matrices select from, if that is a product."""
    inside = [k for k, x in enumerate(parts.factors) if not is_slice(x)]
    if len(inside) != 1 or len(parts.factors) == 1 or parts.coefficient != 1:
        return None
    (k,) = inside
    row = parts.rows[k]
    selected = {x for j, labels in enumerate(parts.rows) if j != k for x in labels}
    if len(set(row)) < len(row) or any(parts.uses(x) + (x in parts.output) != 2 for x in selected):
        return None
    match parts.factors[k]:
        case Apply(primitive=Softmax(axes=axes), args=(x,)):
            logarithms = logsoftmax(x, axes)
            if not isinstance(logarithms, Add):
                return None
            return build.add(
                (c, parts.replaced((k,), (term,), (row,)).build()) for c, term in logarithms.terms
            )
    return None


@of_products_having(Softmax)
def sum_of_softmax(node: Einsum) -> Node | None:
    """``sum(softmax(x)) -> 1`` in any product, and so for each row of a matrix."""
    parts = parts_of(node)
    for k, axes in _summed(parts):
        row = parts.rows[k]
        if all(parts.uses(label) == 1 for label in row[-axes:]):
            ones = build.ones(parts.factors[k].dims[:-axes])
            return parts.replaced((k,), (ones,), (row[:-axes],)).build()
    return None


@of_products_having(Softmax)
def mean_of_shifted(node: Einsum) -> Node | None:
    """``p'*(x + c) -> p'*x + c`` for p a softmax and a number c that is added to all of x.

    The number of such c in products falls.  Example: ``p'*(x - p'*x) -> 0``.
    """
    parts = parts_of(node)
    for k, axes in _summed(parts):
        labels = parts.rows[k][-axes:]
        for j, factor in enumerate(parts.factors):
            if not isinstance(factor, Add) or not set(labels) <= set(parts.rows[j]):
                continue
            if any(parts.uses(label) > 2 for label in labels):
                continue
            shifts = [_is_shift(term, parts.rows[j], labels) for term in factor.operands]
            if any(shifts):
                return _apart(parts, j, shifts)
    return None


def with_logsoftmax(
    node: Add,
) -> tuple[Sequence[tuple[Fraction, Node]], list[tuple[Fraction, Node]]]:
    """The terms of a sum but for those of multiples of ``logsoftmax(x)``, and x for each of these.

    >>> from tcalc.expr import shape
    >>> x = build.var("x", shape("n"))
    >>> with_logsoftmax(logsoftmax(x))
    ([], [(Fraction(1, 1), x[n])])
    """
    found: list[tuple[Fraction, Node]] = []
    terms = {term: c for c, term in node.terms}
    for c, term in node.terms:
        x = _of_logsumexp(term)
        if x is None:
            continue
        inside = x.terms if isinstance(x, Add) else ((ONE, x),)
        if all(terms.get(y) == -c * d for d, y in inside):
            found.append((-c, x))
            for gone in (term, *(y for _, y in inside)):
                del terms[gone]
    return [(c, term) for term, c in terms.items()] if found else node.terms, found


def _of_logsumexp(term: Node) -> Node | None:
    """The x of ``logsumexp(x)`` repeated along the last axes of x."""
    match term:
        case Einsum(factors=(Apply(primitive=LogSumExp(axes=1)) as core,), subscripts=(row,)):
            return core.args[0] if term.is_view and row == term.output[:-1] else None
    return None


def _apart(parts: Parts, j: int, shifts: list[bool]) -> Node:
    """The product over a sum with these of its terms taken out of it."""
    factor = parts.factors[j]
    assert isinstance(factor, Add)
    groups: list[list[tuple[Fraction, Node]]] = [
        [term for term, is_shift in zip(factor.terms, shifts, strict=True) if is_shift == wanted]
        for wanted in (False, True)
    ]
    return build.sum_of(
        *(
            parts.replaced((j,), (build.add(terms),), (parts.rows[j],)).build()
            for terms in groups
            if terms
        )
    )


def _summed(parts: Parts) -> Iterator[tuple[int, int]]:
    """The softmaxes of a product that are summed over their own axes, and how many these are."""
    for k, factor in enumerate(parts.factors):
        if isinstance(factor, Apply) and isinstance(factor.primitive, Softmax):
            row, axes = parts.rows[k], factor.primitive.axes
            if len(set(row)) == len(row) and set(row[-axes:]).isdisjoint(parts.output):
                yield k, axes


def _is_shift(term: Node, row: Labels, labels: Labels) -> bool:
    """Whether a term is the same along these labels of its axes, in a product."""
    match term:
        case Const():
            return True
        case Einsum(factors=(_,), subscripts=(carried,), output=output) if term.is_view:
            return not any(
                at in carried for at, label in zip(output, row, strict=True) if label in labels
            )
    return False


RULES = (log_of_softmax, sum_of_softmax, mean_of_shifted)
