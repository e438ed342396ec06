"""Index names as the user's program has them.

A formula is written with letters first.  Then each index takes a name that the program gives to
an axis where it stands, that of most of its axes, and nobody else in the term has.  Where all of
these are taken the name goes on, ``d`` by ``e``; an index without any gets a letter that nothing
in its statement has.  In positions that are sums of indices, names are small letters, with numbers
or without, that no size has.  So names change neither what a formula says nor the order of its
parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import field, replace
from itertools import count

from tcalc.expr.dims import Dim, Shape
from tcalc.expr.index_names import AxisNames, IndexNames
from tcalc.printing.formula import (
    Call,
    Formula,
    Indexed,
    ShiftedAt,
    Sum,
    Symbol,
    data_at,
    fold,
    indices,
    indices_at,
    is_index,
    parts,
    renamed,
    with_parts,
)
from tcalc.printing.names import index_names
from tcalc.printing.typeset import GREEK
from tcalc.printing.writer import Axes
from tcalc.records import dataclass

_LATIN = "abcdefghijklmnopqrstuvwxyz"
_NAMES = tuple(name for name in GREEK if name not in ("delta", "omicron", "pi"))
_ALPHABETS: tuple[tuple[str, ...], ...] = (
    tuple(_LATIN),
    tuple(_LATIN.upper()),
    _NAMES,
    tuple(map(str.capitalize, _NAMES)),
    tuple("αβγεζηθικλμνξρστυφχψω"),
)
"""Letters in their orders, without δ, the unit tensor, and π."""

_LONGEST, _DIGITS = 100, 20
"""The most letters, and digits, of a name that goes on: longer ones are refused at last."""

_PLAIN = frozenset("ijkl")
"""Letters that stand for any index."""

_SIZES = frozenset("mnoMNO")
"""Letters that are mostly sizes, or look like a zero."""


def following(name: str) -> Iterator[str]:
    """The names that go on from one: the letters after it, or the same with numbers.

    >>> from itertools import islice
    >>> [list(islice(following(name), 2)) for name in ("d", "n", "batch", "i1", "mu")]
    [['e', 'f'], ['p', 'q'], ['batch2', 'batch3'], ['i2', 'i3'], ['nu', 'xi']]
    """
    for alphabet in _ALPHABETS:
        if name in alphabet:
            place = alphabet.index(name)
            others = (*alphabet[place + 1 :], *alphabet[:place])
            yield from (letter for letter in others if letter not in _SIZES)
    stem = name.rstrip("0123456789")
    number = int(name[len(stem) :][-_DIGITS:] or 1)
    yield from (f"{stem[:_LONGEST]}{k}" for k in count(number + 1))


class _Choice:
    """Names for the indices of one term, which differ.

    What goes on from a name is none of those that are `used` for indices, and a letter for an
    index without a name none of those `near`: it may be one of another statement.  Neither is
    `taken` by anything else.
    """

    def __init__(
        self, used: Set[str], near: Set[str], taken: Set[str], names: Mapping[str, str]
    ) -> None:
        self.names = dict(names)
        self._avoided = {True: used, False: near}
        self._others = taken
        self._taken = set(self.names.values())
        self._more: dict[str, Iterator[str]] = {}

    def choose(self, at: str, wishes: Sequence[str]) -> None:
        """Name an index: as wished for where one of the wishes is free."""
        name = next((wish for wish in wishes if wish not in self._taken), None)
        if name is None:
            start = wishes[0] if wishes else ""
            more = self._more.setdefault(start, following(start) if start else index_names())
            avoided = (self._taken, self._others, self._avoided[bool(start)])
            name = next(x for x in more if not any(x in names for names in avoided))
        self.names[at] = name
        self._taken.add(name)

    def put_in_order(self, dims: Mapping[str, Dim], plain: Set[str]) -> None:
        """Let the letters `plain` stand in their order where they are indices of one size.

        Letters that say nothing else are exchanged: ``T[i,j]``, whatever is a transpose inside.
        """
        groups: dict[Dim, list[str]] = {}
        for at, dim in dims.items():
            if self.names[at] in plain:
                groups.setdefault(dim, []).append(at)
        for group in groups.values():
            self.names.update(zip(group, sorted(self.names[at] for at in group), strict=True))


@dataclass(slots=True)
class _Seen:
    """The indices of a term in the order of reading, and what the axes say of them.

    `votes` counts how many axes of its places give an index which name, `dims` are sizes, `shifted`
    are those in positions that are sums, and `sums` says whether a sum over several of them is
    written out.
    """

    order: dict[str, None] = field(default_factory=dict)
    votes: dict[str, dict[str, int]] = field(default_factory=dict)
    dims: dict[str, Dim] = field(default_factory=dict)
    shifted: set[str] = field(default_factory=set)
    sums: bool = False


@dataclass(frozen=True, slots=True)
class Lettering:
    """Gives their names to the indices of statements.

    `axes` has the axes of a tensor by its text, which `text` writes; `indices` are all names of
    indices in the program, `taken` those of anything else, and `sizes` those that are read as
    sizes in sums of indices.
    """

    axes: Mapping[str, Axes]
    indices: Set[str]
    taken: Set[str]
    sizes: Set[str]
    text: Callable[[Formula], str]

    def named(
        self, value: Formula, left: Sequence[str], dims: Shape, wanted: AxisNames
    ) -> tuple[Formula, tuple[str, ...]]:
        """The formula and its left-hand side; `wanted` are names for the axes on the left."""
        terms = value.terms if isinstance(value, Sum) else ((False, value),)
        seen = [self._seen(term) for _, term in terms]
        shifted = {at for of in seen for at in of.shifted}
        plain = _PLAIN - self.sizes
        wishes = {at: names for at, names in zip(left, wanted, strict=False) if names}
        near = {name for names in wishes.values() for name in names}
        near.update(name for of in seen for votes in of.votes.values() for name in votes)
        head = _Choice(self.indices, near, self.taken, {})
        for at in left:
            total: dict[str, int] = {}
            for of in seen:
                _count(total, of.votes.get(at, {}))
            wished = [*wishes.get(at, ()), *_ranked(total)]
            head.choose(at, self._in_sums(wished) if at in shifted else wished)
        if len(wishes) < len(left):
            head.put_in_order(dict(zip(left, dims, strict=True)), plain)
        new: list[tuple[bool, Formula]] = []
        for (negative, term), of in zip(terms, seen, strict=True):
            choice = _Choice(self.indices, near, self.taken, head.names)
            inner = [at for at in of.order if at not in head.names]
            for at in inner:
                wished = _ranked(of.votes.get(at, {}))
                choice.choose(at, self._in_sums(wished) if at in shifted else wished)
            choice.put_in_order({at: of.dims[at] for at in inner if at in of.dims}, plain)
            term = renamed(term, choice.names)
            new.append((negative, _sums_in_order(term) if of.sums else term))
        named = Sum(tuple(new)) if isinstance(value, Sum) else new[0][1]
        return named, tuple(head.names[at] for at in left)

    def _in_sums(self, names: Iterable[str]) -> list[str]:
        """Those among some names that are read as indices in sums of them."""
        found = (name for name in names if name[0].islower() and name not in self.sizes)
        return [name for name in found if len(name) == 1 or name[1:].isdigit()]

    def _seen(self, term: Formula) -> _Seen:
        found = _Seen()
        pending = [term]
        while pending:
            formula = pending.pop()
            if isinstance(formula, Indexed):
                found.order.update(dict.fromkeys(indices_at(*formula.positions)))
                sums = (at for at in formula.positions if isinstance(at, ShiftedAt))
                found.shifted.update(*(at.indices for at in sums))
                for at, names, dim in zip(formula.positions, *self._of(formula.base), strict=False):
                    if (data := data_at(at)) is not None:
                        pending.append(Indexed(Symbol(data[0]), tuple(data[1])))
                    elif names:
                        _count(found.votes.setdefault(at, {}), dict.fromkeys(names, 1))
                        found.dims.setdefault(at, dim)
            elif isinstance(formula, Call):
                found.order.update((at, None) for at in formula.over if is_index(at))
                found.sums |= formula.name == "sum" and len(formula.over) > 1
            pending.extend(reversed(parts(formula)))
        return found

    def _of(self, base: Formula) -> Axes:
        while isinstance(base, Indexed):
            base = base.base  # what was cut has the axes of the whole
        name = base.name if isinstance(base, Symbol) else self.text(base)
        return self.axes.get(name, ((), ()))


def _sums_in_order(term: Formula) -> Formula:
    """``sum[j,k](y[j]*exp(z[k]))``: sums over several indices, in the order of reading."""

    def arranged(old: Formula, inner: list[Formula]) -> Formula:
        new = with_parts(old, inner)
        if isinstance(new, Call) and new.name == "sum" and len(new.over) > 1:
            order = indices(new.args[0], in_brackets=False)
            return replace(new, over=tuple(sorted(new.over, key=order.index)))
        return new

    return fold(term, arranged, {})


def _count(total: dict[str, int], votes: Mapping[str, int]) -> None:
    """Add votes to others."""
    for name, times in votes.items():
        total[name] = total.get(name, 0) + times


def _ranked(votes: Mapping[str, int]) -> list[str]:
    """The names with the most votes first; between equals, the one that was read first."""
    return sorted(votes, key=lambda name: -votes[name])


def letters(axes: AxisNames, known: IndexNames) -> tuple[str, ...]:
    """Indices for the axes of a tensor, by the names of its axes and all names of the program.

    There are none where the axes have no names.
    """
    if not any(axes):
        return ()
    used = frozenset(name for rows in known.values() for names in rows for name in names)
    choice = _Choice(used, used, frozenset(), {})
    for k, names in enumerate(axes):
        choice.choose(str(k), names)
    return tuple(choice.names.values())
