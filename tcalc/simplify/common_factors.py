"""Rules for factors that the terms of a sum share: ``a*b + a*c -> a*(b + c)``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import chain

from tcalc.expr import build
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node
from tcalc.primitives.onehot import is_onehot
from tcalc.primitives.selection import Selection
from tcalc.simplify.coefficients import multiple
from tcalc.simplify.engine import length, of_sums
from tcalc.simplify.flatten import open_product
from tcalc.simplify.joined import parts_pieces
from tcalc.simplify.parts import Parts, base_and_exponent, parts_of, piece, pieces
from tcalc.simplify.products import is_centred, is_mean_among, joins

CANDIDATES = 6
"""How many common factors of a sum are tried, the best first."""

LONGEST = 64
"""Sums of more terms are not searched for common factors."""


@of_sums
def common_factor(node: Add) -> Node | None:
    """``a*b + a*c -> a*(b + c)`` where that is shorter; the factor is tied to both alike.

    Example: ``X'*X*w - X'*y -> X'*(X*w - y)``.
    """
    return _with_factor_outside(node)


@lru_cache(maxsize=8)
def _with_factor_outside(node: Add) -> Node | None:
    # Other rules ask for a sum, and for some like it, before its turn comes: it is searched once.
    if not 1 < len(node.terms) <= LONGEST:
        return None
    terms = [parts_of(term) for _, term in node.terms]
    occurrences = Counter(chain.from_iterable(set(parts.factors) for parts in terms))
    if all(count == 1 for count in occurrences.values()):
        return None
    groups: dict[tuple[Node, tuple[object, ...]], dict[int, int]] = {}
    for t, parts in enumerate(terms):
        for k, factor in enumerate(parts.factors):
            if occurrences[factor] == 1 or isinstance(factor, Const | Delta):
                continue
            places = groups.setdefault((factor, ties(parts, k)), {})
            if t not in places or not reaches_output(parts, places[t]):
                places[t] = k
    shared = [
        (
            -(len(places) - 1) * (length(factor) + tie.count(False)),
            factor.digest,
            factor,
            tie,
            places,
        )
        for (factor, tie), places in groups.items()
        if len(places) > 1
    ]
    shared.sort(key=lambda candidate: candidate[:2])
    for _, _, factor, tie, places in shared[:CANDIDATES]:
        for alike in _by_rest(terms, places):
            new = pulled_out(node, terms, factor, alike)
            # What is summed apart from the rest is written with a sum, or with ones.
            fewer_sums = (len(alike) - 1) * tie.count(False)
            if new is not None and length(new) < length(node) + fewer_sums:
                return new
    return None


def _by_rest(terms: Sequence[Parts], places: dict[int, int]) -> list[dict[int, int]]:
    """The terms that share a factor: all together, or those with the same axes in the rest.

    As of ``x*y' + x*z' + diag(x.*y) - diag(x)`` the first two and the last two.
    """
    axes: dict[tuple[int, ...], dict[int, int]] = {}
    for t, k in places.items():
        axes.setdefault(tuple(_carried(terms[t], k)), {})[t] = k
    if len(axes) == 1 or len(axes) == len(places):
        return [places]
    return [places, *(alike for alike in axes.values() if len(alike) > 1)]


def ties(parts: Parts, k: int) -> tuple[object, ...]:
    """How a factor is tied to the rest of its product, axis by axis."""
    row = parts.rows[k]
    found: list[object] = []
    for axis, label in enumerate(row):
        if row.index(label) != axis:
            found.append(("same", row.index(label)))
        elif label in parts.output:
            found.append(("out", parts.output.index(label)))
        else:
            found.append(parts.uses(label) > 1)
    return tuple(found)


def reaches_output(parts: Parts, k: int) -> bool:
    """Whether a factor is tied to the output: the last x of ``x'*A*x*B*x`` is, the first not."""
    reached, before = set(parts.rows[k]), 0
    while len(reached) > before:
        before = len(reached)
        for row in parts.rows:
            if not reached.isdisjoint(row):
                reached.update(row)
    return not reached.isdisjoint(parts.output)


def _has_numbers(parts: Parts, k: int) -> bool:
    """Whether a product has a number apart from its k-th factor, as ``b'*x`` in ``a'*x*b'*x``."""
    apart = (places for places in pieces(parts, ()) if k not in places)
    return any(
        x.operands and any(y.order for y in x.operands)
        for places in apart
        for x in (piece(parts, places, ())[0],)
    )


def _is_selected(parts: Parts, k: int) -> bool:
    """Whether an index of a factor is fixed by a unit vector or a window: ``x[3]`` is no ``x``.

    Or by data, ``x[g[i]]``: a sum of tensors of zeros and ones would have to be formed.
    """
    for j, (other, row) in enumerate(zip(parts.factors, parts.rows, strict=True)):
        if not isinstance(other, Apply):
            continue
        if isinstance(other.primitive, Selection) and row[-1] in parts.rows[k]:
            return True
        if is_onehot(other) and j != k:
            scattered = row[-1] in parts.output and not set(row).isdisjoint(parts.rows[k])
            if scattered or row[-1] in parts.rows[k]:
                return True
    return False


def pulled_out(
    node: Add, terms: Sequence[Parts], factor: Node, places: dict[int, int]
) -> Node | None:
    """``factor * (rest + rest + ...)`` plus the terms without it."""
    if parts_pieces(terms, places):
        return None
    some = next(iter(places))
    row, output = terms[some].rows[places[some]], terms[some].output
    linked = [axis for axis, tie in enumerate(ties(terms[some], places[some])) if tie is True]
    if not _may_stand_outside(node, terms, factor, places, bool(linked)):
        return None
    carried = sorted({at for t, k in places.items() for at in _carried(terms[t], k)})
    # The rests are no larger than what matrix notation has, or each term has a tensor of its own.
    largest = min(max(x.order for x in terms[t].factors) for t in places)
    if len(linked) + len(carried) > max(node.order, largest, 2):
        return None
    rests: list[tuple[Fraction, Node]] = []
    for t, k in places.items():
        parts = terms[t]
        labels = [parts.rows[k][axis] for axis in linked] + [parts.output[p] for p in carried]
        rest = _rest(node, parts, k, labels)
        if rest is None:
            return None
        rests.append((node.terms[t][0] * parts.coefficient, rest))
    joint = [row[axis] for axis in linked] + [output[p] for p in carried]
    dims = dict(zip(output, node.dims, strict=True))
    inner = build.add(rests)
    merged = build.einsum([factor, inner], [row, joint], output, {x: dims[x] for x in output})
    kept = [term for t, term in enumerate(node.terms) if t not in places]
    if any(c > 0 for c, _ in kept) and (opposite := _argument_opposite_to(inner, factor)):
        merged = build.einsum([factor, opposite], [row, joint], output)
        return build.add([*kept, (-1, merged)])
    if is_lopsided(node, merged):
        # A'*P + P*A - P*B*P stays as it is, but X'*A*X + X'*B*X has a factor on either side.
        again = None if kept or not isinstance(inner, Add) else _on_other_side(inner, factor)
        if again is None:
            return None
        merged = build.einsum([factor, again], [row, joint], output, {x: dims[x] for x in output})
        merged = open_product(merged) if isinstance(merged, Einsum) else merged
        if is_lopsided(node, merged):
            return None
    return build.add([*kept, (1, merged)])


def _argument_opposite_to(node: Node, factor: Node) -> Node | None:
    """What a factor is a function of, if that is the negative of a sum, as of ``norm2(x - y)``."""
    base, _ = base_and_exponent(factor)
    if not (isinstance(base, Apply) and isinstance(node, Add)):
        return None
    opposite = multiple(Fraction(-1), node)
    return opposite if opposite in base.args else None


def _on_other_side(node: Add, factor: Node) -> Node | None:
    """A sum over the products with a factor, which all its terms have at one place."""
    terms = [parts_of(term) for _, term in node.terms]
    found = [dict(enumerate(_places(parts, factor))) for parts in terms]
    for k in found[0].values():
        tie = ties(terms[0], k)
        places = {
            t: next((j for j in at.values() if ties(terms[t], j) == tie), -1)
            for t, at in enumerate(found)
        }
        if False not in tie and -1 not in places.values():
            return pulled_out(node, terms, factor, places)
    return None


def _may_stand_outside(
    node: Add, terms: Sequence[Parts], factor: Node, places: dict[int, int], linked: bool
) -> bool:
    """Whether terms read better with a factor outside; `linked`, if it is summed with the rest."""
    counts = {terms[t].factors.count(factor) for t in places}
    if factor.order and not node.order and len(counts) > 1:
        return False  # a square or quadratic form beside what is linear, ``x'*A*x + b'*x``
    if any(_is_selected(terms[t], k) for t, k in places.items()):
        return False
    if (
        factor.order
        and not node.order
        and any(_has_numbers(terms[t], k) for t, k in places.items())
    ):
        return False  # of ``(a'*x)*(b'*x) - a'*b`` a number would become a vector
    if not factor.order and is_centred(node):
        cores = set(node.operands)
        return not any(is_mean_among(node.terms[t][1], cores) for t in places)
    if not linked:
        return True
    if node.order and not all(reaches_output(terms[t], k) for t, k in places.items()):
        return False  # a number, as x'*A*x, would become an outer product
    if max(counts) <= 2:
        return True
    # Of two numbers x'*x one would become a vector; in T[a,b,c,d]*x[b]*x[c]*x[d] there is none.
    occurrences = [(terms[t], k) for t in places for k in _places(terms[t], factor)]
    return all(reaches_output(parts, k) for parts, k in occurrences)


def _places(parts: Parts, factor: Node) -> list[int]:
    return [k for k, other in enumerate(parts.factors) if other is factor]


def _carried(parts: Parts, k: int) -> list[int]:
    """The places in the output of the labels that a product has beside its k-th factor."""
    rest = chain.from_iterable(row for j, row in enumerate(parts.rows) if j != k)
    return sorted(map(parts.output.index, set(rest).intersection(parts.output)))


def _rest(node: Add, parts: Parts, k: int, labels: Sequence[int]) -> Node | None:
    """A term of a sum without its k-th factor, over some labels; None where that reads worse."""
    if len(set(labels)) != len(labels):
        return None
    others = parts.replaced((k,), (), ())
    missing = [label for label in labels if not others.uses(label)]
    if parts.factors[k].order and 0 < len(missing) < len(labels):
        return None  # a vector to be repeated as the rows of a matrix is not shorter
    if not (node.order or missing) and len(labels) == 2 and not joins(others.rows, *labels):
        return None  # a number, as x'*A*y, would become a trace of an outer product
    dims = dict(zip(parts.output, node.dims, strict=True)) | parts.dims
    return build.einsum(others.factors, others.rows, labels, {x: dims[x] for x in labels})


def is_lopsided(node: Add, part: Node) -> bool:
    """Whether a sum of matrices is symmetric, in its terms, and a part of it is not."""
    if node.order != 2 or node.dims[0] is not node.dims[1] or build.transpose(part) is part:
        return False
    known = {term: c for c, term in node.terms}
    return all(known.get(build.transpose(term)) == c for c, term in node.terms)


RULES = (common_factor,)
