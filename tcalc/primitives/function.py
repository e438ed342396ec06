"""What the language needs to know of a function: its forms, their signatures, its documentation.

A signature is written over dimensions: ``"...nn,...nk->...nk"`` takes a square matrix and a
matrix with as many rows.  Equal letters are equal dimensions; ``...`` stands for leading batch
axes, the same ones wherever it occurs.  So dimensions can be inferred before any node exists,
and one elaboration serves all functions.  The kinds of form:

- ``ELEMENTWISE``: all arguments have one shape, which the result keeps; scalars are broadcast to
  it first.  ``build(*nodes)``.
- ``REDUCTION``: the last `axes` axes are consumed, all of them unless indices are given in
  brackets.  ``build(node, axes)``.
- ``NORMALISATION``: as a reduction, but the axes stay; the last one unless indices are given (or
  all, where `whole` says so).  ``build(node, axes)``.
- ``TENSOR``: by its signature.  ``build(*nodes)``.

A form with `parameters` takes that many literal numbers first, or last where it is `trailing`;
they are handed to `build` as fractions, before the nodes.
Vectors have no orientation here: element-wise forms and normalisations keep that of their
argument, all others give columns.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from tcalc.errors import ArgumentError
from tcalc.expr.nodes import Node
from tcalc.records import dataclass


class Kind(enum.Enum):
    """How a form treats the axes of its arguments."""

    ELEMENTWISE = "element-wise"
    REDUCTION = "reduction"
    NORMALISATION = "normalisation"
    TENSOR = "tensor"


class OfScalar(enum.Enum):
    """What a function of tensors makes of a scalar, where that is no tensor with one entry."""

    ITSELF = "itself"
    ABSOLUTE = "absolute value"
    RECIPROCAL = "reciprocal"


@dataclass(frozen=True, slots=True)
class Pattern:
    """The axes of one argument or result: a letter per dimension, after batch axes or none."""

    letters: str
    batched: bool


@dataclass(frozen=True, slots=True)
class Signature:
    """The axes of arguments and results, from a text such as ``"...nn->..."``.

    >>> Signature.parse("...nn,...n->...n").batch([3, 2])
    1
    >>> Signature.parse("nn->n").batch([3]) is None
    True
    """

    text: str
    inputs: tuple[Pattern, ...]
    outputs: tuple[Pattern, ...]

    @staticmethod
    def parse(text: str) -> Signature:
        """Read a signature."""
        left, _, right = text.partition("->")
        inputs, outputs = (
            tuple(
                Pattern(part.removeprefix("..."), part.startswith("..."))
                for part in side.split(",")
            )
            for side in (left, right)
        )
        return Signature(text, inputs, outputs)

    def batch(self, orders: Sequence[int]) -> int | None:
        """The number of batch axes for arguments of these orders; None where they do not fit."""
        if len(orders) != len(self.inputs):
            return None
        found: set[int] = set()
        for order, pattern in zip(orders, self.inputs, strict=True):
            lead = order - len(pattern.letters)
            if lead < 0 or (lead > 0 and not pattern.batched):
                return None
            if pattern.batched:
                found.add(lead)
        return None if len(found) > 1 else found.pop() if found else 0


@dataclass(frozen=True, slots=True)
class Form:
    """One way to apply a function; see the module's docstring."""

    kind: Kind
    arity: int
    build: Callable[..., Any]
    signature: Signature | None = None
    parameters: int = 0
    whole: bool = True
    trailing: bool = False

    @property
    def cuts(self) -> tuple[slice, slice]:
        """Where the literal numbers stand among the arguments of a call, and where the others."""
        if self.trailing:
            return slice(self.arity, None), slice(None, self.arity)
        return slice(None, self.parameters), slice(self.parameters, None)

    def accepts(self, orders: Sequence[int]) -> bool:
        """Whether arguments of these orders fit (literal parameters not counted)."""
        if len(orders) != self.arity:
            return False
        if self.kind is Kind.ELEMENTWISE:
            return len({order for order in orders if order}) <= 1
        return self.signature is None or self.signature.batch(orders) is not None


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the language: its names, its forms, and what `tcalc functions` tells of it.

    `on_device` says where its code for devices goes through the host, and `of_scalar` what it makes
    of a scalar.  `companions` are known wherever it is: what its derivatives are written with.
    """

    name: str
    forms: tuple[Form, ...]
    summary: str
    domain: str = "all numbers"
    derivative: str = ""
    kink: str = ""
    aliases: tuple[str, ...] = ()
    source: str = ""
    on_device: str = ""
    of_scalar: OfScalar | None = None
    companions: tuple[Function, ...] = ()

    @property
    def arities(self) -> tuple[int, ...]:
        """The numbers of arguments that it takes, literal parameters included."""
        return tuple(sorted({form.arity + form.parameters for form in self.forms}))

    def form(self, orders: Sequence[int]) -> Form | None:
        """The first form that takes arguments of these orders, or None."""
        return next((form for form in self.forms if form.accepts(orders)), None)


def elementwise_form(build: Callable[..., Node], arity: int = 1, parameters: int = 0) -> Form:
    """A form that maps numbers to numbers."""
    return Form(Kind.ELEMENTWISE, arity, build, parameters=parameters)


def reduction(build: Callable[[Node, int], Node]) -> Form:
    """A form that consumes the last axes."""
    return Form(Kind.REDUCTION, 1, build)


def normalisation(build: Callable[[Node, int], Node], whole: bool = False) -> Form:
    """A form that couples the last axes and keeps them."""
    return Form(Kind.NORMALISATION, 1, build, whole=whole)


def tensor_form(
    signature: str, build: Callable[..., Any], parameters: int = 0, *, trailing: bool = False
) -> Form:
    """A form described by its signature."""
    parsed = Signature.parse(signature)
    return Form(Kind.TENSOR, len(parsed.inputs), build, parsed, parameters, trailing=trailing)


class Brought(Protocol):
    """A function that the user brings: `tcalc.custom.UserFunction`."""

    @property
    def entry(self) -> Function:
        """What the language knows of it."""


def entries(functions: Iterable[Brought]) -> list[Function]:
    """What the language knows of functions that the user brings.

    Raises `ArgumentError` for what is no such function.
    """
    found: list[Function] = []
    for function in functions:
        entry = getattr(function, "entry", None)
        if not isinstance(entry, Function):
            raise ArgumentError(
                f"{function!r} is not a function for programs",
                hint="tcalc.function and tcalc.elementwise make them",
            )
        found.append(entry)
    return found
