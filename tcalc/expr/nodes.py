"""The six kinds of node, interned.

Axes are positions and dimensions are symbols; no node holds a name for an index.  A node is
made once: constructing an equal one gives the same object, so that equality is identity and a
common subexpression is found by being built.  Every node has a content digest, a fixed hash of
its structure, the same in every process: orders that must not depend on history use it.

The classes here check and intern, nothing more.  Build through `tcalc.expr.build`, which keeps
the normal form.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import blake2b
from itertools import chain
from typing import Any, Self, TypeAlias
from weakref import WeakValueDictionary

from tcalc.expr.dims import Shape
from tcalc.expr.primitive import Fact, Labels, Primitive

_table: WeakValueDictionary[tuple[Any, ...], Any] = WeakValueDictionary()
_lock = threading.RLock()


class _Interned(type):
    """Makes ``Class(*fields)`` return the node that already has these fields, if there is one."""

    def __call__(cls, *fields: Any) -> Any:
        return cls._interned((cls, *fields), fields)

    def _interned(cls, key: tuple[Any, ...], fields: tuple[Any, ...]) -> Any:
        with _lock:
            node = _table.get(key)
            if node is None:
                node = super().__call__(*fields)
                _table[key] = node
            return node


class _InternedSum(_Interned):
    """The same for sums, by the integers of their coefficients: fractions are slow as keys."""

    def __call__(cls, terms: tuple[tuple[Fraction, Node], ...]) -> Any:
        ratios = [(node, coefficient.as_integer_ratio()) for coefficient, node in terms]
        return cls._interned((cls, *ratios), (terms,))


@dataclass(frozen=True, slots=True, eq=False, repr=False, weakref_slot=True)
class _Base:
    """What all kinds share: shape, operands, digest, and the facts found so far."""

    dims: Shape = field(init=False)
    operands: tuple[Node, ...] = field(init=False)
    digest: bytes = field(init=False)
    known: dict[Fact, bool | None] = field(init=False)

    @property
    def order(self) -> int:
        """The number of axes."""
        return len(self.dims)

    def __reduce__(self) -> tuple[Any, ...]:
        # A flat list, since a graph can be deeper than the stack; unpickled nodes are interned.
        from tcalc.expr.packing import pack, unpack_one

        return unpack_one, (pack([self]),)  # type: ignore[list-item]  # one of the six kinds

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __repr__(self) -> str:
        # Never recursive: a graph can be deeper than the stack.
        return f"<{type(self).__name__} [{_text(self.dims)}] {self.digest.hex()[:8]}>"

    def _settle(self, dims: Shape, operands: tuple[Node, ...], *content: str | bytes) -> None:
        pieces = [x.encode() if isinstance(x, str) else x for x in (type(self).__name__, *content)]
        hashed = blake2b(b"".join([b"%d:%b" % (len(x), x) for x in pieces]), digest_size=16)
        object.__setattr__(self, "dims", dims)
        object.__setattr__(self, "operands", operands)
        object.__setattr__(self, "digest", hashed.digest())
        object.__setattr__(self, "known", {})


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Var(_Base, metaclass=_Interned):
    """An input: a name, its dimensions, and its declared properties in sorted order."""

    name: str
    shape: Shape
    properties: tuple[str, ...]

    def __post_init__(self) -> None:
        self._settle(self.shape, (), self.name, _text(self.shape), *self.properties)

    def __repr__(self) -> str:
        return f"{self.name}[{_text(self.dims)}]"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Const(_Base, metaclass=_Interned):
    """An exact number, broadcast over its dimensions."""

    value: Fraction
    shape: Shape

    def __post_init__(self) -> None:
        self._settle(self.shape, (), _digits(self.value), _text(self.shape))

    def __repr__(self) -> str:
        return f"Const({self.value}, [{_text(self.dims)}])"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Delta(_Base, metaclass=_Interned):
    """The unit tensor ``δ[i,j]`` over one dimension."""

    shape: Shape

    def __post_init__(self) -> None:
        self._settle(self.shape, (), _text(self.shape))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Einsum(_Base, metaclass=_Interned):
    """A generic product ``C[output] = Σ Π factors[k][subscripts[k]]``.

    In normal form it is either a *contraction* (no unit tensor, no broadcast label, the output
    in canonical order) or a *view* (at most one factor besides unit tensors, nothing summed):
    see `tcalc.expr.build`.
    """

    factors: tuple[Node, ...]
    subscripts: tuple[Labels, ...]
    output: Labels
    shape: Shape
    #: Whether nothing is multiplied or summed: a permutation, broadcast or diagonal.
    is_view: bool = field(init=False)

    def __post_init__(self) -> None:
        real = sum(type(factor) is not Delta for factor in self.factors)
        kept = set(self.output).issuperset(chain.from_iterable(self.subscripts))
        object.__setattr__(self, "is_view", real <= 1 and kept)
        layout = f"{self.subscripts}->{self.output}[{_text(self.shape)}]"
        digests = (factor.digest for factor in self.factors)
        self._settle(self.shape, self.factors, layout, *digests)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Add(_Base, metaclass=_InternedSum):
    """A sum of like-shaped terms with rational coefficients; one term is a scaled tensor."""

    terms: tuple[tuple[Fraction, Node], ...]

    def __post_init__(self) -> None:
        content: list[str | bytes] = []
        for coefficient, node in self.terms:
            content += [_digits(coefficient), node.digest]
        self._settle(self.terms[0][1].dims, tuple(node for _, node in self.terms), *content)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Apply(_Base, metaclass=_Interned):
    """A primitive applied to arguments; `output` picks one of several results."""

    primitive: Primitive
    args: tuple[Node, ...]
    output: int

    def __post_init__(self) -> None:
        dims = self.primitive.shapes(*(argument.dims for argument in self.args))[self.output]
        digests = (argument.digest for argument in self.args)
        self._settle(dims, self.args, self.primitive.key, str(self.output), *digests)


Node: TypeAlias = Var | Const | Delta | Einsum | Add | Apply


def _text(shape: Shape) -> str:
    return ",".join(map(str, shape))


def _digits(number: Fraction) -> str:
    # Hexadecimal: Python limits the decimal digits of an integer as text.
    return f"{number.numerator:x}/{number.denominator:x}"
