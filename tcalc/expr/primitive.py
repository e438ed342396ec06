"""The face that every primitive shows to the rest of the compiler.

A primitive is one object: its shape rule, its local Jacobian as an expression, what is known of
its result (facts), its evaluation on arrays, and how it is written.  Passes ask this face and
nothing else, so that a new primitive is one file and one line in `tcalc.primitives`.

The local Jacobian of ``v = p(..., u, ...)`` is a `LinearMap`, the sum over terms of

    dv[out] = coefficient * Σ factor_1[s_1] * ... * factor_k[s_k] * du[into]

where a label that stands in both `out` and `into` denotes a unit tensor that was eliminated at
once.  Pushforward, pullback and every higher derivative follow from it, because the factors are
themselves expressions.  Where they would be expensive to form, the local Jacobian is an `Operator`.
"""

from __future__ import annotations

import enum
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

from tcalc.expr.dims import Shape
from tcalc.records import dataclass

if TYPE_CHECKING:
    from tcalc.expr.nodes import Apply, Node

Labels: TypeAlias = tuple[int, ...]


class Fact(enum.Enum):
    """What may be known of a tensor; of its last two axes where the fact is about matrices."""

    SYMMETRIC = "symmetric"
    PSD = "psd"
    SPD = "spd"
    DIAGONAL = "diagonal"
    LOWER = "lower"
    UPPER = "upper"
    ORTHOGONAL = "orthogonal"
    NONNEGATIVE = "nonnegative"
    POSITIVE = "positive"
    INTEGER = "integer"
    CONSTANT = "constant"
    UNIT_VECTOR = "unit vector"  # one element is one, the others are zero

    __hash__ = object.__hash__  # asked for very often, and quicker than that of the name


Holds: TypeAlias = "Callable[[Node, Fact], bool | None]"


@dataclass(frozen=True, slots=True)
class LinearTerm:
    """One term of a linear map over labels; see the module's docstring."""

    coefficient: Fraction
    factors: tuple[Node, ...]
    subscripts: tuple[Labels, ...]
    out: Labels
    into: Labels


LinearMap: TypeAlias = tuple[LinearTerm, ...]


@dataclass(frozen=True, slots=True)
class Operator:
    """A local Jacobian that is applied and never formed, as the Sylvester operator.

    `push` takes a tangent, with the axes of the argument and then those of the direction, to that
    of the node; `pull` a cotangent, with the axes of the output and then those of the node, to
    that of the argument.  Both build ordinary nodes, and each is the adjoint of the other.
    """

    push: Callable[[Node], Node]
    pull: Callable[[Node], Node]


class Style(enum.Enum):
    """How a primitive is set, in text as in LaTeX and MathML."""

    CALL = "call"  # name(x, y)
    POWER = "power"  # x^p, with `exponent`
    INVERSE = "inverse"  # inv(A), set as A^{-1}
    ABSOLUTE = "absolute"  # abs(x), set as |x|
    NORM = "norm"  # norm2(x), set as ‖x‖_2, with `mark` as the subscript
    OTHERS = "others"  # prodothers(x) of a vector, set as [∏_{j≠i} x_j]_i
    ROOT = "root"  # sqrt(x)
    SYMBOL = "symbol"  # a constant, as pi
    KRONECKER = "kronecker"  # kron(A, B), set as A ⊗ B
    BRANCH = "branch"  # where(l < r, a, b), with `mark` as the comparison


@dataclass(frozen=True, slots=True)
class Notation:
    """How an application of a primitive is written.

    `name` is the function's name in the language, `latex` its LaTeX operator, which tells the
    `parameters` too (by default ``\\operatorname{name}``, and they are arguments); MathML is made
    from it.  `exponent` and `mark` complete the styles that need them.  The arguments at the places
    `hidden` are not written, for they follow from others.
    """

    style: Style = Style.CALL
    name: str = ""
    latex: str = ""
    exponent: Fraction | None = None
    mark: str = ""
    parameters: tuple[str, ...] = field(default=())
    hidden: tuple[int, ...] = ()


class _Kind(ABCMeta):
    """Classes with abstract methods, and no subclasses but real ones.

    Rules ask very often whether a primitive is of some class, and this is the quick way to tell.
    """

    __instancecheck__ = type.__instancecheck__


class Primitive(metaclass=_Kind):
    """A function of tensors that the six node kinds do not express themselves.

    Instances are immutable; two are equal when their classes and `key` are.  Arguments may have
    leading batch axes wherever the primitive acts on the last axes only.
    """

    name: str
    outputs: int = 1
    #: The usual letters for several outputs.
    output_names: tuple[str, ...] = ()
    #: Whether `evaluate` accepts complex arrays and is complex-analytic: the complex step holds.
    analytic: bool = False
    #: Whether f(-x) = f(x), for a function of each element or of the last axes.
    even: bool = False
    #: Whether f(-x) = -f(x).
    odd: bool = False
    #: Whether no value is larger than 1 in size, so that ``1 - v`` is not negative.
    bounded: bool = False
    #: The function that messages blame on the first argument, where `name` is none of the language.
    blamed: str = ""
    #: The usual letter for the value.
    letter: str = ""
    #: The name for the value of a matrix that has a name, which ``{}`` stands for: ``{}_inv``.
    compound: str = ""
    #: Whether it takes the values of a decomposition, which messages name together with its matrix.
    of_values: bool = False

    @property
    def key(self) -> str:
        """Name and parameters, as text: the identity of the primitive, also in digests."""
        return self.name

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.key == self.key

    def __hash__(self) -> int:
        return hash((type(self), self.key))

    def __repr__(self) -> str:
        return f"<{self.key}>"

    @abstractmethod
    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        """The shapes of the outputs; raises `ValueError` for arguments that do not fit."""

    @abstractmethod
    def jacobian(self, node: Apply, position: int) -> LinearMap | Operator:
        """The local Jacobian of `node` by its argument at `position`."""

    @abstractmethod
    def evaluate(self, *arrays: Any) -> Any:
        """The value on arrays (one array, or a tuple for several outputs): the oracle."""

    def constant(self, dims: Shape, sizes: Mapping[str, int]) -> Any:
        """The value of a primitive without arguments, for given sizes of the dimensions."""
        raise TypeError(f"{self.name} takes arguments")

    def expansion(self, node: Apply) -> Node | None:
        """An equal expression to make code from, where the primitive has no code of its own.

        It is not differentiated: the primitive is, and expanded afterwards.
        """
        return None

    def written(self, node: Apply) -> Node | None:
        """An equal formula to print, where the primitive stands for one that loses digits.

        It is not evaluated; what is chosen at single points, as the value 0/0 = 0, is lost in it.
        """
        return None

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        """Whether `fact` holds of `node`; None where it is not known."""
        return None

    def notation(self, node: Apply) -> Notation:
        """How `node` is written."""
        return Notation(name=self.name)


def linear_map(
    node: Apply,
    position: int,
    out: str,
    into: str,
    *terms: tuple[Fraction | int, str, Sequence[Node]],
) -> LinearMap:
    """A local Jacobian from subscripts over the core axes; batch axes are added in front.

    `out` and `into` label the last axes of `node` and of its argument; each term is
    ``(coefficient, "ij,jk", factors)``.  A factor with more axes than its subscript has the
    batch axes of the argument, one with as many has none.

    For the inverse, ``linear_map(Y, 0, "ij", "kl", (-1, "ik,lj", (Y, Y)))`` says
    ``dY = -Y dA Y``.
    """
    argument = node.args[position]
    batch = argument.order - len(into)
    numbers: dict[str, int] = {}

    def labels(letters: str, order: int) -> Labels:
        core = tuple(numbers.setdefault(letter, batch + len(numbers)) for letter in letters)
        lead = order - len(core)
        if lead not in (0, batch):
            raise ValueError(f"{node.primitive.name}: {letters!r} does not label {order} axes")
        return (*range(lead), *core)

    out_labels = labels(out, node.order)
    into_labels = labels(into, argument.order)
    made: list[LinearTerm] = []
    for coefficient, subscripts, factors in terms:
        parts = subscripts.split(",") if factors else []
        made.append(
            LinearTerm(
                Fraction(coefficient),
                tuple(factors),
                tuple(labels(s, f.order) for s, f in zip(parts, factors, strict=True)),
                out_labels,
                into_labels,
            )
        )
    return tuple(made)
