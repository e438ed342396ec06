"""The order of a product, and what it costs: planned once, and by halves where it is symmetric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from tcalc.planning.flops import Label, Labels, Network, Special
from tcalc.planning.planner import Plan, Planner, Step
from tcalc.planning.symmetric import Exchangeable, halves


def plan(
    factors: Sequence[Labels],
    output: Labels,
    sizes: Mapping[Label, int],
    special: Mapping[int, Special] | None = None,
    alike: Sequence[int] | None = None,
    exchangeable: Exchangeable | None = None,
) -> Plan:
    """A path for ``C[output] = Σ Π factors``; `special` as in `Network`.

    `alike` has equal numbers for factors that are the same tensor: then steps that only repeat
    others under other labels are taken to cost nothing (`tcalc.planning.symmetric`).  Of some of
    these tensors two axes may be `exchangeable`.  Such factors have a label for every axis, equal
    ones where a diagonal is taken.

    >>> i, j, k = 0, 1, 2
    >>> n = 100
    >>> plan([(i, j), (j, k), (k,)], (i,), {i: n, j: n, k: n}).path
    ((1, 2), (0, 3))
    """
    number: dict[Label, int] = {}
    for row in factors:
        for label in row:
            number.setdefault(label, len(number))
    rows = tuple(tuple(number[label] for label in row) for row in factors)
    kinds = tuple(sorted((special or {}).items()))
    out = tuple(sorted(number[label] for label in set(output) if label in number))
    extents = tuple(sizes[label] for label in number)
    found = _plan(rows, out, extents, kinds)
    if alike is None or len(rows) < 4 or len(set(alike)) == len(rows):
        return found
    swaps = tuple((exchangeable or {}).items())
    folded = _folded_plan(rows, out, extents, kinds, tuple(alike), swaps)
    return folded if folded is not None and folded.flops < found.flops else found


def cost(
    factors: Sequence[Labels],
    output: Labels,
    sizes: Mapping[Label, int],
    special: Mapping[int, Special] | None = None,
    alike: Sequence[int] | None = None,
    exchangeable: Exchangeable | None = None,
) -> int:
    """The flops of a product in the best order that is known."""
    return plan(factors, output, sizes, special, alike, exchangeable).flops


@lru_cache(maxsize=4096)
def _folded_plan(
    rows: tuple[Labels, ...],
    out: Labels,
    sizes: tuple[int, ...],
    special: tuple[tuple[int, Special], ...],
    alike: tuple[int, ...],
    exchangeable: tuple[tuple[int, tuple[int, int]], ...],
) -> Plan | None:
    """The plan by halves of a symmetric product: the steps of one, the same again, and the rest."""
    parts = halves(rows, out, alike, dict(exchangeable))
    if parts is None:
        return None
    kinds = dict(special)
    extents = dict(enumerate(sizes))
    outside = [label for k, row in enumerate(rows) if k not in parts.first for label in row]
    inner = [rows[k] for k in parts.first]
    kept = tuple(dict.fromkeys(x for row in inner for x in row if x in out or x in outside))
    inside = {place: kinds[k] for place, k in enumerate(parts.first) if k in kinds}
    half = plan(inner, kept, extents, inside)
    centre = [k for k in range(len(rows)) if k not in parts.first + parts.second]
    mirrored = tuple(parts.image[x] for x in kept)
    between = {2 + place: kinds[k] for place, k in enumerate(centre) if k in kinds}
    rest = plan([kept, mirrored, *(rows[k] for k in centre)], out, extents, between)
    path: list[Step] = []
    solved: dict[int, int] = {}

    def walk(part: Plan, numbers: Sequence[int]) -> int:
        known = list(numbers)
        for a, b in part.path:
            path.append((known[a], known[b]))
            known.append(len(rows) + len(path) - 1)
        return known[-1]

    ends = [walk(half, parts.first), walk(half, parts.second)]
    for place, columns in half.solved.items():
        # The second half repeats the first, and solves for no further columns.
        solved[parts.first[place]], solved[parts.second[place]] = columns, 0
    walk(rest, [*ends, *centre])
    solved.update({centre[place - 2]: columns for place, columns in rest.solved.items()})
    return Plan(tuple(path), half.flops + rest.flops, solved)


@lru_cache(maxsize=4096)
def _plan(
    rows: tuple[Labels, ...],
    out: Labels,
    sizes: tuple[int, ...],
    special: tuple[tuple[int, Special], ...],
) -> Plan:
    network = Network(rows, out, dict(enumerate(sizes)), dict(special))
    return Planner(network).run()
