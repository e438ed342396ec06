"""Rules for inverses that cancel: with their matrix, its factors, or the terms of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import chain, count

from tcalc.expr import build
from tcalc.expr.facts import symmetric_axes
from tcalc.expr.labels import relabelled
from tcalc.expr.nodes import Add, Apply, Delta, Einsum, Node
from tcalc.primitives.inverse import Inverse
from tcalc.primitives.matrices import transpose
from tcalc.simplify.coefficients import product_of
from tcalc.simplify.engine import of_products_having, of_sums_having
from tcalc.simplify.flatten import is_contraction
from tcalc.simplify.parts import Parts, occurrences, parts_of
from tcalc.simplify.splicing import is_between


@of_products_having(Inverse)
def inverse_cancelled(node: Einsum) -> Node | None:
    """``inv(A)*A -> I`` and ``A*inv(A) -> I`` in a product, either one transposed.

    Example: ``inv(X)'*X'*B -> B``, also for a sum X.
    """
    parts = parts_of(node)
    for k, factor in enumerate(parts.factors):
        if not (isinstance(factor, Apply) and isinstance(factor.primitive, Inverse)):
            continue
        if factor.primitive.axes != 1 or factor.order != 2:
            continue
        for j, other in enumerate(parts.factors):
            if j == k:
                continue
            ends = BESIDE if other is factor.args[0] else TURNED
            if ends is BESIDE or _is_transpose(other, factor.args[0]):
                new = joined_by_unit(parts, k, j, ends)
                if new is not None:
                    return new.build()
    return None


def _is_transpose(node: Node, of: Node) -> bool:
    """Whether a sum of matrices is the transpose of another, term by term."""
    if not (isinstance(node, Add) and isinstance(of, Add) and len(node.terms) == len(of.terms)):
        return False
    return node.dims == of.dims[::-1] and build.add((c, transpose(x)) for c, x in node.terms) is of


BESIDE = ((1, 0), (0, 1))
"""The axes at which two matrices meet in a product: the columns of one, the rows of the other."""
TURNED = ((0, 0), (1, 1))
"""Those at which they meet where one of them is transposed."""


def joined_by_unit(parts: Parts, k: int, j: int, ends: Sequence[tuple[int, int]]) -> Parts | None:
    """A product with a unit matrix for two matrices that meet at one of these pairs of axes."""
    y, a = parts.rows[k], parts.rows[j]
    for p, q in (*BESIDE, *TURNED) if symmetric_axes(parts.factors[j]) else ends:
        joint = y[p]
        alone = joint == a[q] and is_between(parts, joint)
        if alone and y[0] != y[1] and a[0] != a[1]:
            unit = build.delta(parts.dims[joint])
            return parts.replaced((k, j), (unit,), ((y[1 - p], a[1 - q]),))
    return None


@of_sums_having(Inverse)
def inverse_times_its_terms(node: Add) -> Node | None:
    """``a*inv(M) + inv(M)*B -> I`` for ``M = a*I + B``, also with other factors around.

    Example: ``l*inv(A'*A + l*I)*x + inv(A'*A + l*I)*A'*A*x -> x``.
    """
    terms = [parts_of(term) for _, term in node.terms]
    uses = Counter(chain.from_iterable(dict.fromkeys(parts.factors) for parts in terms))
    known = {x: c for c, x in node.terms}
    for term, parts in zip(node.operands, terms, strict=True):
        for k, y in enumerate(parts.factors):
            if not (isinstance(y, Apply) and isinstance(y.primitive, Inverse) and y.order == 2):
                continue
            (m,) = y.args
            if not isinstance(m, Add) or not 1 < len(m.terms) <= uses[y]:
                continue
            for d, unit in m.terms:
                new = _beside_all_terms(known, term, k, m, (d, unit))
                if new is not None:
                    return new
    return None


def _beside_all_terms(
    known: Mapping[Node, Fraction], term: Node, k: int, m: Add, of_unit: tuple[Fraction, Node]
) -> Node | None:
    """A sum in which ``a*inv(M)``, for a term ``a*I`` of M, stands beside its like for all others.

    The terms of the sum are `known`; the inverse is the factor of one of them at position k.
    """
    parts, (d, unit) = parts_of(term), of_unit
    numbers = _numbers_of_unit(unit)
    if numbers is None or any(x not in parts.factors for x in numbers):
        return None
    c = known[term] / d
    rest = parts.replaced([parts.factors.index(x) for x in numbers], (), ())
    place = k - sum(parts.factors.index(x) < k for x in numbers)
    for turned in (False, True):
        gone = {term}
        for e, x in m.terms:
            if x is unit:
                continue
            number, beside = product_of(build.scale(c * e, _with_beside(rest, place, x, turned)))
            if known.get(beside) != number:
                break
            gone.add(beside)
        else:
            one = build.delta(m.dims[0])
            alone = rest.replaced((place,), (one,), (rest.rows[place],))
            kept = [(e, x) for x, e in known.items() if x not in gone]
            return build.add([*kept, (c, alone.build())])
    return None


def _numbers_of_unit(term: Node) -> tuple[Node, ...] | None:
    """The factors a, b, .. of ``a*b*I``; None for any other matrix."""
    parts = parts_of(term)
    numbers = tuple(x for x in parts.factors if not x.order)
    unit = [x for x in parts.factors if x.order]
    return numbers if len(unit) == 1 and isinstance(unit[0], Delta) else None


def _with_beside(parts: Parts, k: int, matrix: Node, turned: bool) -> Node:
    """The product with a matrix behind, or in front of, the matrix at a position."""
    inner, (i, j) = parts_of(matrix), parts.rows[k]
    fresh = count(1 + max(chain(parts.output, *parts.rows)))
    between = next(fresh)
    ends, row = ((i, between), (between, j)) if turned else ((between, j), (i, between))
    rows = relabelled(inner.rows, dict(zip(inner.output, ends, strict=True)), fresh)
    new = parts.replaced((k,), (parts.factors[k], *inner.factors), (row, *rows))
    return build.scale(inner.coefficient, new.build())


@of_products_having(Inverse)
def inverse_of_product_cancelled(node: Einsum) -> Node | None:
    """``inv(A*B)*A*B -> I`` in a product, for a contraction of matrices under the inverse.

    Example: ``inv(X'*X)*X'*X*b -> b``.
    """
    parts = parts_of(node)
    for k, factor in enumerate(parts.factors):
        if not (isinstance(factor, Apply) and isinstance(factor.primitive, Inverse)):
            continue
        core = factor.args[0]
        if factor.order != 2 or not is_contraction(core) or len(core.factors) > LONGEST_CORE:
            continue
        for places in occurrences(parts, core, k):
            new = _core_cancelled(parts, k, core, places)
            if new is not None:
                return new
    return None


LONGEST_CORE = 3
"""The most factors under an inverse that are looked for in a product."""


def _core_cancelled(parts: Parts, k: int, core: Einsum, places: tuple[int, ...]) -> Node | None:
    named: dict[int, int] = {}
    for j, row in zip(places, core.subscripts, strict=True):
        for label, here in zip(row, parts.rows[j], strict=True):
            if named.setdefault(label, here) != here:
                return None
    if len(set(named.values())) != len(named):
        return None
    inside = {label for label in named if label not in core.output}
    group = (*places, k)
    outside = [row for j, row in enumerate(parts.rows) if j not in group]
    carried = {label for row in outside for label in row} | set(parts.output)
    if any(named[label] in carried for label in inside):
        return None
    left, right = (named[label] for label in core.output)
    y = parts.rows[k]
    if any(named[label] in y for label in inside):
        return None
    # inv(C)[y0,y1] C[left,right]: y1 with left or y0 with right; either way if C is symmetric.
    pairs = [(y[1], left, y[0], right), (y[0], right, y[1], left)]
    if symmetric_axes(core):
        pairs += [(y[1], right, y[0], left), (y[0], left, y[1], right)]
    for joint, end, first, second in pairs:
        if joint == end and joint not in carried and first != joint and second != joint:
            unit = build.delta(parts.dims[joint])
            return parts.replaced(group, (unit,), ((first, second),)).build()
    return None


RULES = (inverse_cancelled, inverse_times_its_terms, inverse_of_product_cancelled)
