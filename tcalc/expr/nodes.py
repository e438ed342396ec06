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
from dataclasses import field
from fractions import Fraction
from functools import lru_cache
from hashlib import blake2b
from itertools import chain
from typing import Any, Self, TypeAlias
from weakref import WeakValueDictionary

from tcalc.expr.dims import Shape
from tcalc.expr.forks import free_in_forks
from tcalc.expr.primitive import Fact, Labels, Primitive
from tcalc.records import dataclass

_table: WeakValueDictionary[tuple[Any, ...], Any] = WeakValueDictionary()
_lock = free_in_forks(threading.RLock())  # held while dims are made


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

    def _settle(self, dims: Shape, operands: tuple[Node, ...], *content: bytes) -> None:
        """Set what all kinds share; the content is in pieces, each made by `_piece`."""
        hashed = blake2b(b"".join((_piece(type(self).__name__), *content)), digest_size=16)
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
        texts = (self.name, _text(self.shape), *self.properties)
        self._settle(self.shape, (), *map(_piece, texts))

    def __repr__(self) -> str:
        return f"{self.name}[{_text(self.dims)}]"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Const(_Base, metaclass=_Interned):
    """An exact number, broadcast over its dimensions."""

    value: Fraction
    shape: Shape

    def __post_init__(self) -> None:
        self._settle(self.shape, (), _digits(self.value), _piece(_text(self.shape)))

    def __repr__(self) -> str:
        return f"Const({self.value}, [{_text(self.dims)}])"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Delta(_Base, metaclass=_Interned):
    """The unit tensor ``δ[i,j]`` over one dimension."""

    shape: Shape

    def __post_init__(self) -> None:
        self._settle(self.shape, (), _piece(_text(self.shape)))


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
        factors = self.factors
        layout, kept = _layout(self.subscripts, self.output, self.shape)
        if kept and len(factors) > 1:
            kept = sum([type(factor) is not Delta for factor in factors]) <= 1
        object.__setattr__(self, "is_view", kept)
        self._settle(self.shape, factors, layout, *[DIGEST + factor.digest for factor in factors])


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Add(_Base, metaclass=_InternedSum):
    """A sum of like-shaped terms with rational coefficients; one term is a scaled tensor."""

    terms: tuple[tuple[Fraction, Node], ...]

    def __post_init__(self) -> None:
        terms = self.terms
        content = [_digits(coefficient) + DIGEST + node.digest for coefficient, node in terms]
        self._settle(terms[0][1].dims, tuple([node for _, node in terms]), *content)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Apply(_Base, metaclass=_Interned):
    """A primitive applied to arguments; `output` picks one of several results."""

    primitive: Primitive
    args: tuple[Node, ...]
    output: int

    def __post_init__(self) -> None:
        dims = self.primitive.shapes(*(argument.dims for argument in self.args))[self.output]
        digests = [DIGEST + argument.digest for argument in self.args]
        texts = _piece(self.primitive.key), _piece(str(self.output))
        self._settle(dims, self.args, *texts, *digests)


Node: TypeAlias = Var | Const | Delta | Einsum | Add | Apply


DIGEST = b"16:"
"""What stands before a digest as a piece of the content of another."""


@lru_cache(maxsize=4096)
def _piece(text: str) -> bytes:
    """A text as a piece of content: with its length before it, so that pieces are told apart."""
    encoded = text.encode()
    return b"%d:%b" % (len(encoded), encoded)


@lru_cache(maxsize=4096)
def _layout(subscripts: tuple[Labels, ...], output: Labels, shape: Shape) -> tuple[bytes, bool]:
    """The labels of a product as a piece of its content, and whether its output has them all.

    Products of few forms make up most graphs.
    """
    kept = set(output).issuperset(chain.from_iterable(subscripts))
    return _piece(f"{subscripts}->{output}[{_text(shape)}]"), kept


def _text(shape: Shape) -> str:
    return ",".join(map(str, shape))


def _digits(number: Fraction) -> bytes:
    # Hexadecimal: Python limits the decimal digits of an integer as text.
    digits = b"%x/%x" % number.as_integer_ratio()
    return b"%d:%b" % (len(digits), digits)
