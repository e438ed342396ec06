"""The formula tree: what a formula says, before it is set as text, LaTeX or MathML.

Both notations, matrix and Einstein, produce this tree; the renderers know nothing of tensors.
Signs live in sums, coefficients and quotients in products, so that every renderer can set them
as its medium does best.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Self, TypeAlias, TypeVar

from tcalc.expr.dims import Dim
from tcalc.expr.primitive import Style
from tcalc.records import dataclass

T = TypeVar("T")

ONE = Fraction(1)


@dataclass(frozen=True, slots=True, eq=False)
class Number:
    """A number that is not negative."""

    value: Fraction


@dataclass(frozen=True, slots=True, eq=False)
class Symbol:
    """A name: a variable, a dimension, a constant."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A function of arguments; `over` are the indices that a reduction consumes.

    Where formulas are set, the first `told` arguments are part of the name, ``ψ^{(1)}``.
    """

    name: str
    args: tuple[Formula, ...]
    latex: str = ""
    style: Style = Style.CALL
    mark: str = ""
    over: tuple[str, ...] = ()
    told: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Power:
    """A power, element by element (``x.^2``) or of scalars and square matrices (``x^2``)."""

    base: Formula
    exponent: Formula
    elementwise: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """``coefficient * scalars * body ./ over / divisors``.

    `body` is a product of linear algebra, or, if `elementwise`, one element by element; `over`
    divides element by element and is empty unless `elementwise`; `divisors` are scalars.
    """

    coefficient: Fraction = ONE
    scalars: tuple[Formula, ...] = ()
    body: tuple[Formula, ...] = ()
    elementwise: bool = False
    over: tuple[Formula, ...] = ()
    divisors: tuple[Formula, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Sum:
    """Terms with their signs: True is minus.  A negative formula is a sum of one term."""

    terms: tuple[tuple[bool, Formula], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Transpose:
    base: Formula


@dataclass(frozen=True, slots=True, eq=False)
class Indexed:
    """An element or a slice; positions are index names, numbers, or ranges as ``2:5``."""

    base: Formula
    positions: tuple[str, ...]


Formula: TypeAlias = Number | Symbol | Call | Power | Product | Sum | Transpose | Indexed


@dataclass(frozen=True, slots=True)
class Statement:
    """A definition, or, without names, a value; `note` is what a reader should know of it.

    What is added to something that is defined has the sign ``+=``.
    """

    names: tuple[str, ...]
    positions: tuple[str, ...]
    value: Formula
    note: str = ""
    sign: str = "="


def parts(formula: Formula) -> tuple[Formula, ...]:
    """The formulas inside a formula, in the order of reading."""
    match formula:
        case Indexed(base=base) | Transpose(base=base):
            return (base,)
        case Symbol() | Number():
            return ()
        case Product(scalars=scalars, body=body, over=over, divisors=divisors):
            return (*scalars, *body, *over, *divisors)
        case Sum(terms=terms):
            return tuple([term for _, term in terms])
        case Power(base=base, exponent=exponent):
            return (base, exponent)
        case Call(args=args):
            return args


def fold(formula: Formula, combine: Callable[[Formula, list[T]], T], known: dict[int, T]) -> T:
    """A value, not None, for a formula from those of its parts, bottom-up, without recursion.

    `known` keeps results by identity; the caller keeps the formulas alive.
    """
    found = known.get(id(formula))
    if found is not None:
        return found
    current, pending, values = formula, iter(parts(formula)), list[T]()
    above: list[tuple[Formula, Iterator[Formula], list[T]]] = []
    while True:
        for part in pending:
            value = known.get(id(part))
            if value is None:
                below = parts(part)
                if below:
                    above.append((current, pending, values))
                    current, pending, values = part, iter(below), []
                    break
                value = known[id(part)] = combine(part, [])
            values.append(value)
        else:
            value = known[id(current)] = combine(current, values)
            if not above:
                return value
            current, pending, values = above.pop()
            values.append(value)


def with_parts(formula: Formula, new: Sequence[Formula]) -> Formula:
    """The formula with other parts, in the order of `parts`; itself where they are the same."""
    if parts(formula) == tuple(new):
        return formula
    match formula:
        case Number() | Symbol():
            return formula
        case Call():
            return replace(formula, args=tuple(new))
        case Power(elementwise=elementwise):
            return Power(new[0], new[1], elementwise)
        case Product(coefficient, scalars, body, elementwise, over, divisors):
            stops = [0, *accumulate(map(len, (scalars, body, over, divisors)))]
            first, second, third, fourth = [tuple(new[a:b]) for a, b in pairwise(stops)]
            return Product(coefficient, first, second, elementwise, third, fourth)
        case Sum(terms=terms):
            signs = (negative for negative, _ in terms)
            return Sum(tuple(zip(signs, new, strict=True)))
        case Transpose():
            return Transpose(new[0])
        case Indexed(positions=positions):
            return Indexed(new[0], positions)


def renamed(formula: Formula, names: Mapping[str, str]) -> Formula:
    """The formula with its indices renamed."""
    names = {old: new for old, new in names.items() if old != new}
    if not names:
        return formula

    def rename(old: Formula, inner: list[Formula]) -> Formula:
        match old:
            case Symbol():
                return old
            case Indexed(base=base, positions=positions):
                inside = any("[" in at or isinstance(at, ShiftedAt) for at in positions)
                if names.keys().isdisjoint(positions) and not inside:
                    return old if inner[0] is base else Indexed(inner[0], positions)
                return Indexed(inner[0], tuple([_renamed_at(at, names) for at in positions]))
        new = with_parts(old, inner)
        match new:
            case Call(over=over) if not names.keys().isdisjoint(over):
                return replace(new, over=tuple([names.get(at, at) for at in over]))
        return new

    return fold(formula, rename, {})


def is_element(formula: Formula) -> bool:
    """Whether it is an element of what has a name, ``A[i,j]``, as most parts of formulas are.

    Such are read off at once, where anything else is walked through.
    """
    return isinstance(formula, Indexed) and isinstance(formula.base, Symbol)


def with_symbols(formula: Formula, names: Mapping[str, str]) -> Formula:
    """The formula with other names for some of its symbols."""

    def rename(old: Formula, inner: list[Formula]) -> Formula:
        if isinstance(old, Symbol):
            return Symbol(names[old.name]) if old.name in names else old
        return with_parts(old, inner)

    return fold(formula, rename, {})


def indices(formula: Formula, *, in_brackets: bool = True) -> list[str]:
    """The index names in a formula, each once, in the order of reading.

    Those in the brackets of functions, as in ``softmax[i](S[j,i])``, can be left out: they do
    not make the order of the axes.
    """
    found: dict[str, None] = {}
    stack = [formula]
    while stack:
        current = stack.pop()
        if isinstance(current, Indexed):
            found.update(dict.fromkeys(indices_at(*current.positions)))
        elif in_brackets and isinstance(current, Call):
            found.update((at, None) for at in current.over if is_index(at))
        stack.extend(reversed(parts(current)))
    return list(found)


def indices_at(*positions: str) -> list[str]:
    """The names of indices in some positions, those in ``g[i,j]`` and in sums among them.

    >>> indices_at("k", "2", "g[i,end]", "1:3", ShiftedAt([(1, "i"), (2, "p")], "-n"))
    ['k', 'i', 'i', 'p']
    """
    found: list[str] = []
    for at in positions:
        if isinstance(at, ShiftedAt):
            found += at.indices
        else:
            inner = data_at(at)
            found += indices_at(*inner[1]) if inner else [at] if is_index(at) else []
    return found


class ShiftedAt(str):
    """``i+k-1``: a position that is a sum of multiples of indices and of an offset.

    >>> ShiftedAt([(1, "i"), (-2, "k")], "m"), ShiftedAt([(-1, "i")], "end+1")
    ('i-2*k+m', 'end+1-i')
    """

    terms: tuple[tuple[int, str], ...]
    offset: str
    dims: tuple[Dim, ...]
    """The sizes of the indices."""
    number: Dim | None
    """The offset again, as what can be calculated with."""

    def __new__(
        cls,
        terms: Sequence[tuple[int, str]],
        offset: str,
        dims: tuple[Dim, ...] = (),
        number: Dim | None = None,
    ) -> Self:
        multiples = (
            f"{'-' if times < 0 else '+'}{name if abs(times) == 1 else f'{abs(times)}*{name}'}"
            for times, name in terms
        )
        rest = "" if offset == "0" else offset if offset.startswith("-") else f"+{offset}"
        sums = "".join(multiples)
        # A sum begins with what is not subtracted.
        text = rest + sums if terms[0][0] < 0 else sums + rest
        found = super().__new__(cls, text.removeprefix("+"))
        found.terms, found.offset, found.dims = tuple(terms), offset, dims
        found.number = number
        return found

    @property
    def indices(self) -> list[str]:
        """The names of the indices."""
        return [name for _, name in self.terms]

    def renamed(self, names: Mapping[str, str]) -> ShiftedAt:
        """The same of other indices."""
        terms = [(c, names.get(name, name)) for c, name in self.terms]
        return ShiftedAt(terms, self.offset, self.dims, self.number)

    @property
    def tells_last(self) -> bool:
        """Whether the size of one index follows from those of the others and of the axis."""
        return all(abs(times) == 1 for times, _ in self.terms)


def data_at(at: str) -> tuple[str, list[str]] | None:
    """The name and the positions of ``g[i,j]``, which is a position itself; None for others.

    >>> data_at("g[h[i],2]")
    ('g', ['h[i]', '2'])
    """
    name, bracket, inside = at.partition("[")
    if not bracket:
        return None
    found, depth = [""], 0
    for letter in inside.removesuffix("]"):
        depth += (letter == "[") - (letter == "]")
        if letter == "," and not depth:
            found.append("")
        else:
            found[-1] += letter
    return name, found


def _renamed_at(at: str, names: Mapping[str, str]) -> str:
    """A position with other names for indices in it."""
    if isinstance(at, ShiftedAt):
        return at.renamed(names)
    inner = data_at(at)
    if inner is None:
        return names.get(at, at)
    return f"{inner[0]}[{','.join(_renamed_at(x, names) for x in inner[1])}]"


def is_index(at: str) -> bool:
    """Whether an index position holds a name, not a number or a range."""
    return at.isidentifier() and at != "end"


# Constructors that keep signs in sums and coefficients in products.


def number(value: Fraction | int) -> Formula:
    """A number of either sign."""
    exact = Fraction(value)
    return Number(exact) if exact >= 0 else Sum(((True, Number(-exact)),))


def signed(formula: Formula) -> tuple[bool, Formula]:
    """A formula as sign and rest."""
    if isinstance(formula, Sum) and len(formula.terms) == 1:
        return formula.terms[0]
    return False, formula


def scaled(coefficient: Fraction, formula: Formula) -> Formula:
    """A multiple of a formula; a sign comes out as a sum of one term."""
    negative, rest = signed(formula)
    negative = negative != (coefficient < 0)
    size = abs(coefficient)
    if size != 1:
        match rest:
            case Number(value=value):
                rest = Number(value * size)
            case Product(coefficient=inner):
                rest = replace(rest, coefficient=inner * size)
            case _:
                rest = Product(size, body=(rest,))
    return Sum(((True, rest),)) if negative else rest


def product(
    coefficient: Fraction,
    scalars: tuple[Formula, ...] = (),
    body: tuple[Formula, ...] = (),
    *,
    elementwise: bool = False,
    over: tuple[Formula, ...] = (),
    divisors: tuple[Formula, ...] = (),
) -> Formula:
    """A product in its simplest form: signs of scalars in front, a single factor by itself."""
    plain: list[Formula] = []
    for scalar in scalars:
        negative, rest = signed(scalar)
        coefficient = -coefficient if negative else coefficient
        match rest:
            case Number(value=value):
                coefficient *= value
            case Product(body=(), over=()):
                coefficient *= rest.coefficient
                plain += rest.scalars
                divisors += rest.divisors
            case Product(scalars=(), body=(whole,), over=(), divisors=()):
                coefficient *= rest.coefficient
                plain.append(whole)
            case _:
                plain.append(rest)
    if len(body) == 1:
        negative, rest = signed(body[0])
        coefficient = -coefficient if negative else coefficient
        body = (rest,)
        if isinstance(rest, Product) and not over:
            coefficient *= rest.coefficient
            plain += rest.scalars
            body, elementwise, over = rest.body, rest.elementwise, rest.over
            divisors += rest.divisors
    if any(isinstance(divisor, Product) for divisor in divisors):
        coefficient, divisors, above = _opened(coefficient, divisors)
        plain += above
    if len(divisors) > 1:
        divisors = tuple(_gathered(divisors))
    kept = tuple(_gathered(plain))
    if not (divisors or over) and len(kept) + len(body) <= 1:
        return scaled(coefficient, (*kept, *body, Number(ONE))[0])
    size = abs(coefficient)
    result = Product(size, kept, body, elementwise, over, divisors)
    return result if coefficient > 0 else Sum(((True, result),))


def _opened(
    coefficient: Fraction, divisors: Iterable[Formula]
) -> tuple[Fraction, tuple[Formula, ...], tuple[Formula, ...]]:
    """Divisors with those that are products of scalars opened, and what these divide by.

    Not a quotient with an index above and below, ``x[i]/y[i]``: a sum of quotients is none of sums.
    """
    found: list[Formula] = []
    above: list[Formula] = []
    for divisor in divisors:
        match divisor:
            case Product(size, scalars, (), over=(), divisors=inner) if scalars and not (
                _indices_of(scalars) & _indices_of(inner)
            ):
                coefficient /= size
                found += scalars
                above += inner
            case _:
                found.append(divisor)
    return coefficient, tuple(found), tuple(above)


def _indices_of(formulas: Iterable[Formula]) -> set[str]:
    return {name for formula in formulas for name in indices(formula)}


def _gathered(scalars: Iterable[Formula]) -> list[Formula]:
    """Scalars with the powers of each name in one place, which products in products bring twice."""
    found: list[Formula] = []
    places: dict[str, int] = {}
    for scalar in scalars:
        match scalar:
            case Symbol(name=name):
                exponent = ONE
            case Power(Symbol(name), Number(exponent), elementwise=False):
                pass
            case _:
                found.append(scalar)
                continue
        place = places.setdefault(name, len(found))
        if place == len(found):
            found.append(scalar)
            continue
        known = found[place]
        if isinstance(known, Power) and isinstance(known.exponent, Number):
            exponent += known.exponent.value
        else:
            exponent += 1
        found[place] = Power(Symbol(name), Number(exponent))
    return found


def times_once_more(formula: Formula) -> Formula:
    """``f`` as ``f^2``, ``f^2`` as ``f^3``; the factor ``f`` is no power itself."""
    if isinstance(formula, Power) and isinstance(formula.exponent, Number):
        return Power(formula.base, Number(formula.exponent.value + 1))
    return Power(formula, Number(Fraction(2)))
