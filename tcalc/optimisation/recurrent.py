"""The derivatives of a recurrence, as a problem asks for them: the loop is kept in all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from tcalc.codegen.signature import Signature
from tcalc.expr.dims import Shape
from tcalc.expr.nodes import Node, Var
from tcalc.optimisation.packing import pairs
from tcalc.recurrences import Recurrence, RecurrenceGradient, RecurrenceProduct


class RecurrentDerivatives:
    """The value of a recurrence and its derivatives by some inputs, the others being given.

    It has what `tcalc.optimisation.derivatives.Derivatives` has of a scalar.  The Hessian is made
    of products with it, one for each entry of the variables.
    """

    nodes: tuple[Node, ...] = ()
    factored = None

    def __init__(self, recurrence: Recurrence, wrt: Sequence[Var], data: Mapping[str, Any]) -> None:
        self._recurrence = recurrence
        self._names = [x.name for x in wrt]
        self._data = dict(data)

    @property
    def dims(self) -> Shape:
        """The shape of the value."""
        return self._recurrence.dims

    def _given(self, signature: Signature, values: Mapping[str, Any]) -> dict[str, Any]:
        """Data and variables, as far as a function takes them."""
        together = {**self._data, **values}
        return {name: together[name] for name in signature.names}

    def value(self, **values: Any) -> Any:
        """The value alone."""
        return self._recurrence(**self._given(self._recurrence.signature, values))

    def first(self, **values: Any) -> list[Any]:
        """The derivatives by the variables, in their order."""
        return self.both(**values)[1:]

    def both(self, **values: Any) -> list[Any]:
        """The value, then the derivatives."""
        value, slopes = self._gradient(**self._given(self._gradient.signature, values))
        return [value, *(slopes[name] for name in self._names)]

    @cached_property
    def _gradient(self) -> RecurrenceGradient:
        return self._recurrence.value_and_gradient(self._names)

    @cached_property
    def _product(self) -> RecurrenceProduct:
        return self._recurrence.hvp(self._names)

    @property
    def direction_names(self) -> dict[str, str]:
        """The arguments of products with the Hessian for the directions of the variables."""
        return self._product.directions

    def product_at(self, at: Mapping[str, Any]) -> Callable[..., list[Any]]:
        """The Hessian at a point times the directions, part by part."""
        return partial(self._times, dict(at))

    def _times(self, at: Mapping[str, Any], /, **moves: Any) -> list[Any]:
        found = self._product(**self._given(self._product.signature, {**at, **moves}))
        return [found[name] for name in self._names]

    def products(self, at: Mapping[str, Any]) -> Callable[..., list[Any]]:
        """The Hessian at a point times several directions, along a last axis."""
        return partial(self._times_several, dict(at))

    def _times_several(self, at: Mapping[str, Any], /, **moves: Any) -> list[Any]:
        rows = {name: np.moveaxis(np.asarray(x), -1, 0) for name, x in moves.items()}
        columns = zip(*rows.values(), strict=True)
        found = [self._times(at, **dict(zip(rows, column, strict=True))) for column in columns]
        return [np.stack(parts, axis=-1) for parts in zip(*found, strict=True)]

    def curvature(self, **values: Any) -> list[Any]:
        """The second derivatives by the pairs of variables."""
        names, sizes = self._names, [np.size(values[name]) for name in self._names]
        ends = np.cumsum([0, *sizes])
        units = np.eye(ends[-1])
        moves = {
            self.direction_names[name]: units[start:end].reshape((*np.shape(values[name]), -1))
            for name, start, end in zip(names, ends, ends[1:], strict=False)
        }
        parts = self.products(values)(**moves)
        return [
            parts[i][..., ends[j] : ends[j + 1]].reshape(
                (*np.shape(values[names[i]]), *np.shape(values[names[j]]))
            )
            for i, j in pairs(len(names))
        ]
