"""How a primitive is computed in generated code: the piece of Python that its own file holds.

A routine is a `Template`, an expression over its arguments, or an `Embedded` function, whose
source is copied into the module.  Both are written against the names `np`, `linalg`
(scipy.linalg) and `special` (scipy.special) alone, run in float32, float64 and complex128, and
conjugate nothing.  An embedded function annotates with `Array` and builtin types only.  A function
of the user's is `Supplied` to the module when it runs.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from tcalc.expr.dims import Dim
from tcalc.expr.nodes import Apply
from tcalc.expr.primitive import Primitive


@dataclass(frozen=True, slots=True)
class Template:
    """An expression over positional arguments, which are put in as names: ``"np.exp({0})"``.

    `ufunc` tells that it is one call that takes ``out=``.
    """

    text: str
    ufunc: bool = False


@dataclass(frozen=True, slots=True)
class Embedded:
    """A function whose source is copied into the generated module.

    It is called with the arrays, then `sizes` (dimensions, as integers), then `parameters`
    (literals).  `named` functions take a keyword ``where``, a text such as ``"chol(K)"`` with
    which their messages begin; `typed` ones, which have no array to take it from, a keyword
    ``dtype``.  `requires` are the functions that must be copied with it.
    """

    function: Callable[..., Any]
    parameters: tuple[Any, ...] = ()
    named: bool = False
    requires: tuple[Callable[..., Any], ...] = ()
    sizes: tuple[Dim, ...] = ()
    typed: bool = False


@dataclass(frozen=True, slots=True)
class Supplied:
    """A callable of the user's, which no module can contain: it must be given to it, by name.

    `signature` describes it in the module's docstring; two of one name must be equal.
    """

    name: str
    signature: str
    function: Callable[..., Any]


Routine: TypeAlias = Template | Embedded | Supplied


class Coded(Primitive):
    """A primitive that generated code can call: every one in this room."""

    @abstractmethod
    def routine(self, node: Apply) -> Routine:
        """The code that computes `node`, chosen by what is known of its arguments."""


def routine_of(node: Apply) -> Routine:
    """The code for a node; raises `NotImplementedError` for a primitive that has none."""
    if isinstance(node.primitive, Coded):
        return node.primitive.routine(node)
    raise NotImplementedError(f"{node.primitive.name} has no code for arrays")
