"""Dimensions found by unification.

An axis whose size nobody declared is an *unknown*, written ``?1``, ``?2``, ... (no name of the
language begins so), until an operation makes it equal to another dimension.  Declared names are
rigid: two of them never become one.  Every binding remembers the place in the text that made it,
so that a clash can show where both sides come from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count

from tcalc.errors import DimensionError, Place, Span
from tcalc.expr.dims import Dim
from tcalc.records import dataclass

ZERO, ONE = Dim.of(0), Dim.of(1)

PRETTY = "mnpqrstuvklhij"
"""The letters that name a dimension nobody named, in order of preference."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of two dimensions that must agree: the dimension, and the expression that has it."""

    dim: Dim
    span: Span


@dataclass(frozen=True, slots=True)
class Equation:
    """Two sides that must agree, for a reason told by `message` at `span`."""

    left: Side
    right: Side
    message: str
    span: Span


class Dimensions:
    """The unknown dimensions of one program and what is known of them."""

    def __init__(self) -> None:
        self._bound: dict[str, Dim] = {}
        self._because: dict[str, Span] = {}
        self._origin: dict[str, Span] = {}
        self._hints: dict[str, str] = {}
        self._declared: dict[str, Span] = {}
        self._pending: list[Equation] = []

    def unknown(self, span: Span, hint: str = "") -> Dim:
        """A new unknown, for an axis of the expression at `span`.

        The hint is what to do if nothing determines it.
        """
        name = f"?{len(self._origin) + 1}"
        self._origin[name] = span
        self._hints[name] = hint
        return Dim.of(name)

    def unknown_in(self, dim: Dim) -> list[str]:
        """The names of the unknowns that a dimension is made of."""
        return [name for name in dim.names() if name in self._origin]

    def rigid(self, name: str, span: Span) -> Dim:
        """The dimension of a name that the user gave, first seen at `span`."""
        self._declared.setdefault(name, span)
        return Dim.of(name)

    @property
    def declared(self) -> dict[str, Span]:
        """The names the user gave to dimensions, and where each was first seen."""
        return self._declared

    def resolve(self, dim: Dim) -> Dim:
        """The dimension with everything put in that is known by now."""
        while True:
            known = {name: self._bound[name] for name in dim.names() if name in self._bound}
            if not known:
                return dim
            dim = dim.substitute(known)

    def equate(self, left: Side, right: Side, message: str, span: Span) -> None:
        """Make two dimensions equal, or raise a `DimensionError` that shows both."""
        if left.dim != right.dim:
            self._solve(Equation(left, right, message, span))

    def _solve(self, equation: Equation) -> None:
        left, right = self.resolve(equation.left.dim), self.resolve(equation.right.dim)
        difference = left - right
        if difference == ZERO:
            return
        open_names = sorted(
            (name for name in difference.names() if name in self._origin),
            key=lambda name: -int(name[1:]),
        )
        if not open_names:
            raise self._clash(equation, left, right)
        for name in open_names:
            solution = _isolate(name, difference)
            if solution is not None and (solution.value is None or solution.value > 0):
                self._bound[name] = solution
                self._because[name] = equation.span
                return
        if len(open_names) == 1 and _isolate(open_names[0], difference) is not None:
            raise self._clash(equation, left, right)
        self._pending.append(equation)

    def settle(self) -> None:
        """Solve what had to wait; raises a `DimensionError` where nothing decides a size."""
        progress = True
        while self._pending and progress:
            waiting, self._pending = self._pending, []
            for equation in waiting:
                self._solve(equation)
            progress = len(self._pending) < len(waiting)
        if self._pending:
            equation = self._pending[0]
            left, right = self.resolve(equation.left.dim), self.resolve(equation.right.dim)
            error = self._clash(equation, left, right)
            error.hint = "declare the dimensions, so that the sizes are determined"
            raise error

    def name_unknowns(self, dims: Iterable[Dim], taken: Iterable[str]) -> None:
        """Give names to the unknowns left in `dims`, in that order, none of them in `taken`."""
        names = _fresh_names({*taken, *self._declared})
        for dim in dims:
            resolved = self.resolve(dim)
            unknown = (name for name in resolved.names() if name in self._origin)
            for name in sorted(unknown, key=lambda name: int(name[1:])):
                self._bound[name] = Dim.of(next(names))

    def require_known(self, dims: Iterable[Dim], known: set[str]) -> None:
        """Refuse a size that no variable determines; `known` are the names that one does."""
        for dim in dims:
            for name in sorted(self.resolve(dim).names() - known):
                raise DimensionError(
                    "no variable determines this size",
                    span=self._origin.get(name) or self._declared[name],
                    hint=self._hints.get(name)
                    or "declare a variable of that size, or write a number",
                )

    def show(self, dim: Dim) -> str:
        """The dimension for a message: unknowns are named after the place they come from."""
        resolved = self.resolve(dim)
        named = {name: Dim.of("?") for name in resolved.names() if name in self._origin}
        return str(resolved.substitute(named))

    def _clash(self, equation: Equation, left: Dim, right: Dim) -> DimensionError:
        shown_left, shown_right = self.show(left), self.show(right)
        error = DimensionError(
            f"{equation.message}: {shown_left} against {shown_right}", span=equation.span
        )
        sides = ((equation.left, shown_left), (equation.right, shown_right))
        for side, shown in sides:
            error.mention(f"`{_brief(side.span)}` has {shown}", side.span)
        places = [place for side, _ in sides for place in self._history(side.dim)]
        for place in dict.fromkeys(places):
            if place.span not in (equation.span, equation.left.span, equation.right.span):
                error.mention(place.note, place.span)
        rigid = left.names() | right.names()
        if rigid & set(self._declared) and all(dim.is_name or dim.value for dim in (left, right)):
            error.advise("declared dimensions are equal only where they have one name")
        for one, other in ((left, right), (right, left)):
            if one.is_name and not one.names() & other.names() and rigid <= set(self._declared):
                error.advise(f"a dimension may be declared as {other} in place of {one}")
        return error.advise("declare the dimensions, or slice the longer one: x[1:end-1]")

    def _history(self, dim: Dim) -> Iterator[Place]:
        """Where the parts of a dimension were fixed."""
        for name in sorted(dim.names()):
            if name in self._declared:
                yield from self._declaration(name)
            elif name in self._because:
                yield Place(
                    f"{self.show(self._bound[name])} follows from here", self._because[name]
                )
                yield from self._rigid_places(self.resolve(self._bound[name]))

    def _rigid_places(self, dim: Dim) -> Iterator[Place]:
        for name in sorted(dim.names()):
            if name in self._declared:
                yield from self._declaration(name)

    def _declaration(self, name: str) -> Iterator[Place]:
        """Where a dimension was declared: nowhere in the text if a tensor brought it along."""
        span = self._declared[name]
        if span.length:
            yield Place(f"{name} is declared here", span)


def _isolate(name: str, difference: Dim) -> Dim | None:
    """What `name` must be for the difference to vanish, if it enters linearly.

    >>> _isolate("?1", Dim.of("?1") * 2 - 6), _isolate("?1", Dim.of("?1") * 2 - 5)
    (Dim(3), None)
    """
    rest = difference.substitute({name: ZERO})
    slope = (difference.substitute({name: ONE}) - rest).value
    if not slope or rest + Dim.of(name) * slope != difference:
        return None
    if slope in (1, -1):
        return rest * -slope
    if rest.value is None or rest.value % slope:
        return None
    return Dim.of(-rest.value // slope)


def _brief(span: Span) -> str:
    text = " ".join(span.text.split())
    return text if len(text) <= 40 else f"{text[:37]}..."


def _fresh_names(taken: set[str]) -> Iterator[str]:
    for round_ in count():
        for letter in PRETTY:
            name = letter if round_ == 0 else f"{letter}{round_}"
            if name not in taken:
                yield name
