"""What a name means: declared, defined, a dimension, a counter, or guessed from its spelling."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import field
from fractions import Fraction
from numbers import Integral, Real
from typing import TypeAlias

from tcalc.errors import (
    ArgumentError,
    DimensionError,
    IndexNotationError,
    LanguageError,
    ParseError,
    Place,
    Span,
    UnknownNameError,
    counted,
)
from tcalc.expr import Dim
from tcalc.expr.properties import OF_MATRICES, PROPERTIES, SQUARE, SYMMETRIC
from tcalc.language import habits
from tcalc.language.dimensions import Dimensions, Side
from tcalc.language.syntax import Bound, Declared
from tcalc.primitives.function import Function
from tcalc.records import dataclass

UNIT_TENSOR = ("delta", "δ")
"""Names that with indices are the unit tensor."""

BUILT_IN = ("ones", "zeros", "eye", *UNIT_TENSOR, "pi")
"""Names that mean something unless a program declares or defines them."""

_GREEK = frozenset(
    (
        *("alpha", "beta", "gamma", "delta", "epsilon", "varepsilon", "zeta", "eta", "theta"),
        *("vartheta", "iota", "kappa", "lambda", "mu", "nu", "xi", "omicron", "pi", "rho"),
        *("varrho", "sigma", "varsigma", "tau", "upsilon", "phi", "varphi", "chi", "psi", "omega"),
    )
)

_MOST_PLACES = 2

STEP = "the step of a name"
"""What the numbers in braces are, for messages."""

BOUND = "the bound of a loop"
"""What stands behind `for`, for messages."""

INCREMENT = "the increment of a loop"
"""What stands between the bounds, for messages."""

FIRST_STEP = "the first step of a loop that is kept"
"""What stands behind `for` where the counter goes up, for messages."""

ADDED = "what is added to the counter in a position"
"""What stands beside the counter of a loop that is kept, for messages."""

_BESIDE = {
    STEP: "; an index stands in brackets, not in braces",
    FIRST_STEP: "; a loop that counts down may begin at a size, for t = T:-1:1",
    BOUND: "; tcalc.recurrence and `tcalc adjoint` keep a loop over a dimension",
    ADDED: "; for an index, take the windows before the loop, W[j,k] = x[j+k-1], for W[t,k]",
}

Counters: TypeAlias = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Variable:
    """An input of the program."""

    name: str
    dims: tuple[Dim, ...]
    properties: tuple[str, ...]
    span: Span


@dataclass(slots=True)
class Names:
    """The name spaces of one program: variables, definitions, dimensions, parameters, functions.

    `functions` are those that the caller brings, beside the language's own.
    `lengths` are dimensions that a loop goes to, which are numbers in positions, not indices.
    `positions` are undeclared names that stand in the position of an index, with integers.
    `defined` maps each name that a definition gives to its place, `orders` each undeclared name
    used with brackets to its number of axes; `used` are the names that formulas mention, and
    `guesses` grows as undeclared ones are elaborated.
    """

    dimensions: Dimensions
    parameters: Mapping[str, Fraction]
    functions: Mapping[str, Function] = field(default_factory=dict)
    lengths: set[str] = field(default_factory=set)
    variables: dict[str, Variable] = field(default_factory=dict)
    defined: dict[str, Span] = field(default_factory=dict)
    orders: dict[str, tuple[int, Span]] = field(default_factory=dict)
    guesses: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    positions: set[str] = field(default_factory=set)

    def declare(self, item: Declared) -> None:
        """Enter a declared variable."""
        earlier = self.variables.get(item.name)
        if earlier is not None:
            error = UnknownNameError(
                f"`{item.name}` is declared twice",
                span=item.span,
                hint="remove one of the two declarations",
            )
            raise error.mention("first declared here", earlier.span)
        if item.name in self.parameters:
            raise ArgumentError(
                f"`{item.name}` is given as a number and declared as a variable",
                span=item.span,
                hint="rename one of the two",
            )
        dims = tuple(map(self._declared_dim, item.dims))
        self._check_properties(item, dims)
        names = tuple(dict.fromkeys(word for word, _ in item.properties))
        self.variables[item.name] = Variable(item.name, dims, names, item.span)

    def _declared_dim(self, size: Bound) -> Dim:
        """A sum of products of names and integers, as in ``x[n*q]`` and ``x[2*n+1]``."""
        total = _filled_in(size, lambda name: self._named_dim(name, size.span))
        if total.value is not None and total.value < 1:
            raise DimensionError(
                f"a dimension of size {total}",
                span=size.span,
                hint="a dimension is at least 1",
            )
        return total

    def _named_dim(self, name: str, span: Span) -> Dim:
        if name not in self.parameters:
            return self.dimensions.rigid(name, span)
        value = self.parameters[name]
        if value.denominator != 1 or value < 1:
            raise DimensionError(
                f"the dimension {name} is given as {value}",
                span=span,
                hint="a dimension is a positive integer",
            )
        return Dim.of(int(value))

    def _check_properties(self, item: Declared, dims: tuple[Dim, ...]) -> None:
        for word, span in item.properties:
            if word not in PROPERTIES:
                raise ParseError(
                    f"`{word}` is no property", span=span, hint=habits.property_hint(word)
                )
            if word in OF_MATRICES and len(dims) < 2:
                raise DimensionError(
                    f"only a matrix can be {word}",
                    span=item.span,
                    hint=f"a matrix has two axes: {item.name}[n,n] {word}",
                )
            if word in SQUARE:
                left, right = Side(dims[-2], item.span), Side(dims[-1], item.span)
                article = "an" if word in ("spd", "orthogonal") else "a"
                message = f"{article} {word} matrix is square"
                self.dimensions.equate(left, right, message, item.span)
        words = {word for word, _ in item.properties}
        triangles = words & {"lower", "upper"}
        if triangles and (len(triangles) > 1 or words & SYMMETRIC):
            both = " and ".join(word for word, _ in item.properties if word in OF_MATRICES)
            raise DimensionError(
                f"a matrix that is {both} is diagonal",
                span=item.span,
                hint=f"declare {item.name} diagonal, or with one of the properties",
            )

    def check_spaces(self) -> None:
        """Refuse a name that is both a variable or definition and a dimension."""
        for name, span in self.dimensions.declared.items():
            for kind, other in (
                ("a variable", getattr(self.variables.get(name), "span", None)),
                ("a definition", self.defined.get(name)),
            ):
                if other is not None:
                    raise _twice(name, kind, other, "a dimension", span)
        for name, variable in self.variables.items():
            if name in self.defined:
                error = UnknownNameError(
                    f"`{name}` is declared as a variable and defined", span=self.defined[name]
                )
                error.mention("declared here", variable.span)
                raise error.advise("each name is assigned once: choose another name")

    def dimension(self, name: str) -> Dim | None:
        """The dimension of that name, if it is one."""
        return Dim.of(name) if name in self.dimensions.declared else None

    def size(self, name: str, counters: Counters) -> Dim | None:
        """The size that a name is: a counter, a number that was given, or a dimension."""
        value = Fraction(counters[name]) if name in counters else self.parameters.get(name)
        if value is None:
            return self.dimension(name)
        return Dim.of(int(value)) if value.denominator == 1 else None

    def is_known(self, name: str) -> bool:
        """Whether the program uses the name for something that is no function."""
        return (
            name in self.variables
            or name in self.defined
            or name in self.used
            or name in self.parameters
            or name in self.dimensions.declared
        )

    def is_given(self, name: str) -> bool:
        """Whether the program, or who calls it, says what the name is: it is no guess."""
        declared = name in self.variables and name not in self.guesses
        return declared or name in self.defined or name in self.parameters

    def variable(self, name: str, span: Span) -> Variable:
        """The variable of that name, which is guessed where nothing declares it."""
        if name not in self.variables:
            if name in habits.VALUES:
                raise UnknownNameError(
                    f"nothing declares `{name}`", span=span, hint=habits.VALUES[name]
                )
            order, kind = self._guess(name)
            dims = tuple(self.dimensions.unknown(span) for _ in range(order))
            properties = ("integer",) if name in self.positions else ()
            self.variables[name] = Variable(name, dims, properties, span)
            self.guesses[name] = kind
        return self.variables[name]

    def _guess(self, name: str) -> tuple[int, str]:
        order = self.orders[name][0] if name in self.orders else guessed_order(name)
        return order, ("scalar", "vector", "matrix")[order] if order < 3 else f"tensor{order}"

    def tell_guesses(self, error: LanguageError) -> None:
        """Say at an error on shapes which of the names where it points were guessed, and how."""
        assert error.span is not None
        places = error.places or tuple(self._guessed_places(error.span))
        remark = "; `tensor {0}` makes it a number"
        told: list[Place] = []
        for place in places:
            name, note = place.span.text, place.note
            if name in self.guesses:
                note += ", as nothing declares it"
                if self.guesses[name] == "scalar":
                    note += f"; `tensor {name}[n]` makes it a vector"
                if self.guesses[name] == "vector":
                    note, remark = note + remark.format(name), ""
            elif numbers := self._guessed_in(place.span, "scalar", behind=True):
                note += (
                    f": nothing declares `{numbers[0]}`, which is taken for a number; "
                    f"`tensor {numbers[0]}[n]` makes it a vector"
                )
            told.append(Place(note, place.span))
        error.places = tuple(told)

    def _guessed_places(self, span: Span) -> Iterator[Place]:
        """The first vectors and matrices in a stretch of text that nothing declares."""
        for name in self._guessed_in(span, "vector", "matrix")[:_MOST_PLACES]:
            yield Place(f"taken for a {self.guesses[name]}", self.variables[name].span)

    def _guessed_in(self, span: Span, *kinds: str, behind: bool = False) -> list[str]:
        """The names in a stretch of text that were taken for one of these.

        A name with indices has as many axes as these.  What stands `behind` names that are defined
        counts too, as far as their definitions are on one line.
        """
        found = dict.fromkeys(_plain_names(span.text))
        if behind:
            further = [*found]
            while further:
                definition = self.defined.get(further.pop())
                if definition is not None:
                    named = [x for x in _plain_names(_statement(definition)) if x not in found]
                    found.update(dict.fromkeys(named))
                    further += named
        return [name for name in found if self.guesses.get(name) in kinds]

    def used_with_brackets(self, name: str, order: int, span: Span) -> None:
        """Note that an undeclared name has as many axes as it has indices here."""
        known = self.orders.setdefault(name, (order, span))
        if known[0] != order:
            error = IndexNotationError(
                f"`{name}` has {counted(known[0], 'index', 'indices')} in one place "
                f"and {order} in another",
                span=span,
                hint="declare it: tensor X[m,n]",
            )
            raise error.mention("the other place", known[1])

    def integer(self, bound: Bound, counters: Counters, what: str) -> int:
        """The number that a bound is, from counters and parameters alone."""
        total: Fraction | int = 0
        for coefficient, names in bound.terms:
            product: Fraction | int = coefficient
            for name in names:
                product *= self._counter(name, counters, bound, what)
            total += product
        if total.denominator != 1:
            raise IndexNotationError(
                f"{what} is an integer, not {float(total)}",
                span=bound.span,
                hint="counters and the numbers given to a program are put in here",
            )
        return int(total)

    def _counter(self, name: str, counters: Counters, bound: Bound, what: str) -> Fraction | int:
        if name in counters:
            return counters[name]
        if name in self.parameters:
            return self.parameters[name]
        raise UnknownNameError(
            f"`{name}` is not known: {what} must be a number before anything runs",
            span=bound.span,
            hint=f"write a number, or give one: `--let {name}=200`, or parse(..., {name}=200)"
            + _BESIDE.get(what, ""),
        )

    def position(self, bound: Bound, counters: Counters, end: Dim) -> Dim:
        """The index that a bound denotes on an axis of size `end`."""
        return _filled_in(bound, lambda name: self._place(name, counters, end, bound))

    def _place(self, name: str, counters: Counters, end: Dim, bound: Bound) -> Dim:
        if name == "end":
            return end
        if name in counters:
            return Dim.of(counters[name])
        if name in self.parameters:
            value = self.parameters[name]
            if value.denominator != 1:
                raise IndexNotationError(
                    f"`{name}` is {float(value)}",
                    span=bound.span,
                    hint="an index is an integer, counted from 1",
                )
            return Dim.of(int(value))
        dim = self.dimension(name)
        if dim is None:
            raise UnknownNameError(
                f"`{name}` is no integer here: neither a counter, nor a dimension, nor given",
                span=bound.span,
                hint="sizes are declared, as in tensor x[n]; an index in a sum, as in x[i+k-1], is "
                "one small letter",
            )
        return dim

    def is_index(self, bound: Bound, counters: Counters) -> bool:
        """Whether a position holds the name of an index rather than an integer."""
        name = bound.name
        known = name is None or name == "end" or name in counters or name in self.parameters
        return not known and name not in self.lengths

    def shifts(
        self, bound: Bound, counters: Counters, indices: Collection[str] = ()
    ) -> dict[str, int]:
        """The indices whose multiples a position is a sum of, as ``i+k-1``, with their numbers.

        There are none in an integer, and in the name of an index alone.  The names of `indices` are
        those of indices here, even if sizes have them too.
        """
        found: dict[str, int] = {}
        if bound.name is not None:
            return found
        for coefficient, names in bound.terms:
            own = [name for name in names if self._may_be_shifted(name, counters, indices)]
            if len(names) > 1 and own:
                return {}  # a product with an index is no integer
            for name in own:
                found[name] = found.get(name, 0) + coefficient
        return {name: coefficient for name, coefficient in found.items() if coefficient}

    def _may_be_shifted(self, name: str, counters: Counters, indices: Collection[str]) -> bool:
        known = name == "end" or name in counters or name in self.parameters
        if known or name in self.lengths:
            return False
        if self.dimension(name) is not None:
            return name in indices
        return name[0].islower() and (len(name) == 1 or name[1:].isdigit())

    def stepped(self, name: str, steps: Iterable[Bound], counters: Counters) -> str:
        """The name with its braces filled in: ``m{3}``."""
        numbers = [self.integer(step, counters, STEP) for step in steps]
        return f"{name}{{{','.join(map(str, numbers))}}}" if numbers else name


def _filled_in(bound: Bound, dim: Callable[[str], Dim]) -> Dim:
    """A sum of products with the dimension that each name stands for."""
    total = Dim.of(0)
    for coefficient, names in bound.terms:
        product = Dim.of(coefficient)
        for name in names:
            product = product * dim(name)
        total = total + product
    return total


def guessed_order(name: str) -> int:
    """The number of axes of an undeclared name, from its spelling, as in MatrixCalculus.

    >>> [guessed_order(name) for name in ("a1", "x", "A", "alpha_2", "λ", "Sales", "weights")]
    [0, 1, 2, 0, 0, 2, 1]
    """
    letters = _letters(name)
    if is_greek(name):
        return 0
    plain = unicodedata.normalize("NFD", letters)[0]
    if plain.isupper():
        return 2
    return 0 if len(letters) == 1 and plain <= "g" else 1


def is_greek(name: str) -> bool:
    """Whether a name is a Greek letter, or the English name of one, and digits and suffixes."""
    letters = _letters(name)
    single = len(letters) == 1 and unicodedata.name(letters, "").startswith("GREEK")
    return single or letters.lower() in _GREEK


def _letters(name: str) -> str:
    """The letters that a name begins with."""
    match = re.match(r"[^\W\d_]+", name)
    return match.group() if match else name


def _twice(name: str, kind: str, span: Span, other: str, place: Span) -> LanguageError:
    error = UnknownNameError(f"`{name}` is both {kind} and {other}", span=span)
    error.mention(f"{other} here", place)
    return error.advise("rename one of the two")


def check_parameters(parameters: Mapping[str, object], texts: Iterable[str]) -> dict[str, Fraction]:
    """Names given as numbers, exactly; each must be a number, and occur in a text."""
    checked: dict[str, Fraction] = {}
    joined = "\n".join(texts)
    for name, value in parameters.items():
        if isinstance(value, bool) or not isinstance(value, Real):
            raise ArgumentError(
                f"{name}={value!r}: a parameter is a number",
                hint="T=200 for a bound of a loop; declarations are the second argument, "
                "parse('X*w', 'X[m,n], w[n]'), and data are given to what tcalc.compile makes",
            )
        number = exact(value)
        if not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", joined):
            raise ArgumentError(
                f"the program has no name `{name}` to give the value {value}",
                hint="what is given are bounds of loops, positions, sizes, and names in formulas",
            )
        checked[name] = number
    return checked


def exact(number: Real) -> Fraction:
    """A number of Python's or NumPy's as it is written in decimal: 0.1 is one tenth."""
    if isinstance(number, Fraction):
        return number
    if isinstance(number, Integral):
        return Fraction(int(number))
    try:
        return Fraction(repr(float(number)))
    except ValueError:
        raise ArgumentError(f"{number} is not a number that a formula can have") from None


def _plain_names(text: str) -> list[str]:
    """The names in a text that have no indices."""
    return re.findall(r"[^\W\d]\w*\b(?!\s*\[)", text)


def _statement(start: Span) -> str:
    """What stands behind a place up to the end of its statement; nothing where it has no text."""
    if start.source is None or not start.length:
        return ""
    return re.split(r"[;\n#]", start.source.text[start.end :], maxsplit=1)[0]
