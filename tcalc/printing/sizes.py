"""The sizes of indices: a formula in Einstein notation says by itself how far each of them goes.

A unit tensor need not say it, ``delta[i,j]``, where others do.  Positions that are sums of indices
say it of one of these, where the others are known; of further ones a tensor of ones does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from fractions import Fraction
from itertools import chain

from tcalc.expr.dims import Dim
from tcalc.printing.formula import (
    Call,
    Formula,
    Indexed,
    ShiftedAt,
    Sum,
    Symbol,
    fold,
    indices_at,
    is_index,
    parts,
    product,
    with_parts,
)
from tcalc.printing.writer import ones


def with_deltas(formula: Formula, left: Sequence[str]) -> Formula:
    """The formula with ``delta[i,j]`` for ``eye(n)[i,j]`` wherever the rest tells its size.

    The indices on the left are the same in all terms; another one may come again in the next.
    """
    terms = parts(formula) if isinstance(formula, Sum) else [formula]
    known: list[set[str]] = []
    units: list[list[Indexed]] = []
    for term in terms:
        elements = _elements(term)
        units.append([x for x in elements if _is_unit(x)])
        known.append(_told(x for x in elements if not _is_unit(x)))
    if not any(units):
        return formula
    while True:
        everywhere = set(left).intersection(chain.from_iterable(known))
        found = [
            everywhere.union(*(x.positions for x in own if (seen | everywhere) & {*x.positions}))
            for own, seen in zip(units, known, strict=True)
        ]
        found = [set(filter(is_index, new)) - seen for new, seen in zip(found, known, strict=True)]
        if not any(found):
            break
        known = [seen | new for seen, new in zip(known, found, strict=True)]
    renamed = [_with_deltas(term, seen) for term, seen in zip(terms, known, strict=True)]
    return with_parts(formula, renamed) if isinstance(formula, Sum) else renamed[0]


def _elements(formula: Formula) -> list[Indexed]:
    found: list[Indexed] = []
    stack = [formula]
    while stack:
        current = stack.pop()
        stack.extend(parts(current))
        if isinstance(current, Indexed):
            found.append(current)
    return found


def _with_deltas(formula: Formula, known: Set[str]) -> Formula:
    def rename(old: Formula, inner: list[Formula]) -> Formula:
        if isinstance(old, Indexed) and _is_unit(old) and known & set(old.positions):
            return Indexed(Symbol("delta"), old.positions)
        return with_parts(old, inner)

    return fold(formula, rename, {})


def _is_unit(formula: Indexed) -> bool:
    return isinstance(formula.base, Call) and formula.base.name == "eye"


def with_ranges(formula: Formula, left: Sequence[str]) -> Formula:
    """The formula with ``ones(m)[k]`` for each index of which nothing else tells how far it goes.

    >>> from tcalc.printing.formula import ShiftedAt, Symbol, product
    >>> m, n = Dim.of("m"), Dim.of("n")
    >>> at = [ShiftedAt([(1, "i"), (1, index)], "-1", (n, m)) for index in "kl"]
    >>> two = product(Fraction(1), [Indexed(Symbol("x"), (x,)) for x in at])
    >>> print([str(x.positions) for x in _elements(with_ranges(two, ["k", "l"]))])
    ["('l',)", "('i+l-1',)", "('i+k-1',)"]
    """
    terms = parts(formula) if isinstance(formula, Sum) else [formula]
    elements = [_elements(term) for term in terms]
    if not any(isinstance(at, ShiftedAt) for own in elements for x in own for at in x.positions):
        return formula
    everywhere: set[str] = set()
    for own in elements:
        everywhere |= _with_told_by_shifts(_told(own), own) & set(left)
    ranged: list[Formula] = []
    for term, own in zip(terms, elements, strict=True):
        known = _with_told_by_shifts(_told(own) | everywhere, own)
        said: dict[Indexed, dict[str, Dim]] = {}
        for element in own:
            for at in element.positions:
                if not isinstance(at, ShiftedAt):
                    continue
                missing = [x for x in zip(at.indices, at.dims, strict=True) if x[0] not in known]
                # The size of one follows from those of the others; rather that of a sum.
                missing.sort(key=lambda x: x[0] not in left)
                for index, dim in missing[: len(missing) - 1] if at.tells_last else missing:
                    said.setdefault(element, {})[index] = dim
                    known.add(index)
                known = _with_told_by_shifts(known, own)
        everywhere |= known & set(left)
        ranged.append(_with_ones(term, said))
    return with_parts(formula, ranged) if isinstance(formula, Sum) else ranged[0]


def _told(elements: Iterable[Indexed]) -> set[str]:
    """The indices that stand alone at some positions, which have the sizes of the axes there."""
    plain = (at for x in elements for at in x.positions if not isinstance(at, ShiftedAt))
    return set(indices_at(*plain))


def _with_told_by_shifts(known: Set[str], elements: Sequence[Indexed]) -> set[str]:
    """Known indices, and those that follow from them by sums of indices."""
    found = set(known)
    shifts = [at for x in elements for at in x.positions if isinstance(at, ShiftedAt)]
    while True:
        new = {
            missing[0]
            for at in shifts
            if at.tells_last and len(missing := [x for x in at.indices if x not in found]) == 1
        }
        if not new:
            return found
        found |= new


def _with_ones(formula: Formula, said: dict[Indexed, dict[str, Dim]]) -> Formula:
    """A formula with tensors of ones beside some elements, which tell the sizes of indices."""

    def beside(old: Formula, inner: list[Formula]) -> Formula:
        new = with_parts(old, inner)
        sizes = said.get(old) if isinstance(old, Indexed) else None
        if not sizes:
            return new
        return product(Fraction(1), (new, Indexed(ones(*sizes.values()), tuple(sizes))))

    return fold(formula, beside, {}) if said else formula
