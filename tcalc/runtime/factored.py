"""Factored tensors: derivatives handed out as they are, a few cores and the labels that join them.

A factored tensor is a linear map from tensors of the shape `columns` to tensors of the shape
`rows`, a sum of terms

    coefficient * Σ Π cores[k][subscripts[k]] -> output

whose output labels are those of the rows, then those of the columns.  A label that stands in both
is a unit tensor: nothing was ever formed for it.  So the Hessian of a matrix factorisation with
n·k variables is one k × k core, and its system is solved by one k × k factorisation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from math import prod
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

import numpy as np

from tcalc.codegen.options import MEMORY_LIMIT
from tcalc.errors import ArgumentError, DomainError, LimitError
from tcalc.primitives.arrays import NumPyArray as Array
from tcalc.runtime.algebra import added, composed, divided, joined, multiplied, real_number
from tcalc.runtime.modules import as_array, is_on_device, module_of
from tcalc.runtime.restricted import Ends, Projected, Reduced, solver_within
from tcalc.runtime.structure import Dense, Empty, Solver, solver_for
from tcalc.runtime.terms import product_of, scattered

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator

Method: TypeAlias = Literal["auto", "dense", "iterative"]


@dataclass(frozen=True, slots=True, eq=False)
class FactoredTerm:
    """One term: a number, arrays, and labels; see the module's docstring."""

    coefficient: float
    cores: tuple[Array, ...]
    subscripts: tuple[tuple[int, ...], ...]
    output: tuple[int, ...]


class FactoredTensor:
    """A tensor as a sum of factored terms, seen as a linear map.

    ``H @ x`` applies it to one tensor of shape `columns`, or to several, stacked along further
    axes; ``x @ H`` applies its adjoint to tensors of shape `rows`, with further axes first.
    Multiples, ``2*H``, ``-H``, ``H/2``, sums and differences of maps between the same shapes, and
    products of maps, ``J.T @ J``, are factored again, and like terms are combined.  `solve`,
    `logdet` and `eigvalsh` exploit the structure; `route` says which structure was found.  For the
    Hessian by a variable declared symmetric, diagonal or triangular, `ends` says so, and systems,
    determinant and eigenvalues refer to the Hessian restricted to such matrices.

    `dense` and ``numpy.asarray`` form the array, but refuse to above `memory_limit` bytes.  If the
    cores are CuPy's, so are the arguments and results, and all work is done on their device, except
    that Sylvester equations go through the host.

    >>> core = np.array([[4.0, 0.0], [0.0, 16.0]])
    >>> term = FactoredTerm(1.0, (core,), ((1, 2),), (0, 1, 0, 2))
    >>> H = FactoredTensor([term], (3, 2), (3, 2), float)
    >>> H.shape, H.nbytes, H.route
    ((3, 2, 3, 2), 32, 'part by part: 2 × 2')
    >>> H.solve(np.ones((3, 2)))[0].tolist(), H.trace()
    ([0.25, 0.0625], 60.0)
    >>> G = H/2 + H
    >>> len(G.terms), G.trace(), (np.ones((3, 2)) @ G)[0].tolist()
    (1, 90.0, [6.0, 24.0])
    """

    __array_priority__ = 1000

    def __init__(
        self,
        terms: Sequence[FactoredTerm] | Callable[[], Sequence[FactoredTerm]],
        rows: tuple[int, ...],
        columns: tuple[int, ...],
        dtype: Any,
        text: str | Callable[[], str] | None = None,
        memory_limit: float = MEMORY_LIMIT,
        ends: Ends | None = None,
    ) -> None:
        # To put the terms together takes longer than to compute a small core.
        self._terms = terms if callable(terms) else tuple(terms)
        self.rows, self.columns = rows, columns
        self.dtype = np.dtype(dtype)
        self.memory_limit = memory_limit
        self._text = text
        self.ends = ends if ends is not None and ends.kind else None

    @property
    def terms(self) -> tuple[FactoredTerm, ...]:
        """The terms that it is the sum of."""
        if not isinstance(self._terms, tuple):
            self._terms = tuple(self._terms())
        return self._terms

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the dense array."""
        return self.rows + self.columns

    @property
    def ndim(self) -> int:
        """How many axes the dense array has."""
        return len(self.rows) + len(self.columns)

    @property
    def nbytes(self) -> int:
        """The bytes that the cores take; a core that occurs twice is counted once."""
        cores = {id(core): core.nbytes for term in self.terms for core in term.cores}
        return sum(cores.values())

    def dense(self) -> Array:
        """The dense array; raises `LimitError` above the memory limit."""
        size = prod(self.shape) * self.dtype.itemsize
        if size > self.memory_limit:
            raise LimitError(
                f"the dense form is {' × '.join(map(str, self.shape))}, {size / 2**30:.1f} GiB, "
                f"above the limit of {self.memory_limit / 2**30:.1f} GiB",
                hint="use @, solve or to_linear_operator, or raise memory_limit",
            )
        total: Array = self.module.zeros(self.shape, self.dtype)
        for term, known in zip(self.terms, self._sizes, strict=True):
            distinct = tuple(dict.fromkeys(term.output))
            value = product_of(term.cores, term.subscripts, distinct, known, self.dtype)
            scattered(total, term.output, distinct, term.coefficient * value)
        return total

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if self.module is not np:
            raise TypeError("the cores are on a device: dense() is the array there")
        if copy is False:
            raise ValueError("a factored tensor has no dense array to share")
        return self.dense() if dtype is None else self.dense().astype(dtype)

    @overload
    def __matmul__(self, x: FactoredTensor) -> FactoredTensor: ...
    @overload
    def __matmul__(self, x: Any) -> Array: ...
    def __matmul__(self, x: Any) -> Any:
        """The map applied to a tensor of the shape `columns`, or several along further axes.

        Of another map it is the product of both, in factored form: ``J.T @ J``.
        """
        if isinstance(x, FactoredTensor):
            self._require_same_device(x)
            terms, ends = composed(self, x)
            limit = min(self.memory_limit, x.memory_limit)
            dtype = np.result_type(self.dtype, x.dtype)
            return FactoredTensor(terms, self.rows, x.columns, dtype, memory_limit=limit, ends=ends)
        x = self._checked(x, self.columns)
        extra = tuple(range(-1, -1 - (x.ndim - len(self.columns)), -1))
        dtype = np.result_type(x.dtype, self.dtype)
        result: Array = self.module.zeros(self.rows + x.shape[len(self.columns) :], dtype)
        for term, known in zip(self.terms, self._sizes, strict=True):
            left, right = self._ends(term)
            distinct = tuple(dict.fromkeys(left)) + extra
            sizes = {**known, **dict(zip(extra, x.shape[len(self.columns) :], strict=True))}
            cores, rows = (*term.cores, x), (*term.subscripts, right + extra)
            value = product_of(cores, rows, distinct, sizes, result.dtype)
            scattered(result, left + extra, distinct, term.coefficient * value)
        return result

    @property
    def T(self) -> FactoredTensor:  # noqa: N802 -- NumPy's name
        """The adjoint map."""
        count = len(self.rows)
        terms = [
            FactoredTerm(t.coefficient, t.cores, t.subscripts, t.output[count:] + t.output[:count])
            for t in self.terms
        ]
        limit = self.memory_limit
        return FactoredTensor(
            terms, self.columns, self.rows, self.dtype, memory_limit=limit, ends=self.ends
        )

    def __rmatmul__(self, x: Any) -> Array:
        """The adjoint map applied, from the left: ``x @ H`` is ``H.T @ x``.

        Of several tensors of the shape `rows` further axes come first, as NumPy has them, and stay
        there.
        """
        array = as_array(x)
        more = array.ndim - len(self.rows)
        if more < 0 or array.shape[more:] != self.rows:
            raise ArgumentError(
                f"the array has the shape {array.shape}, and should end with {self.rows}"
            )
        turned = array.transpose(*range(more, array.ndim), *range(more))
        result = self.T @ turned
        count = len(self.columns)
        return result.transpose(*range(count, result.ndim), *range(count))

    def __mul__(self, factor: Any) -> FactoredTensor:
        """A multiple by a real number, which keeps the type of the cores."""
        number = real_number(factor)
        if number is None:
            raise ArgumentError(
                f"a factored tensor is multiplied by real numbers, not by {_named(factor)}",
                hint="H @ x applies it, and H.dense() is the array",
            )
        return self._made(multiplied(self.terms, number), self.dtype, self.ends)

    __rmul__ = __mul__

    def __truediv__(self, divisor: Any) -> FactoredTensor:
        """The quotient by a real number."""
        number = real_number(divisor)
        if number is None:
            raise ArgumentError(
                f"a factored tensor is divided by real numbers, not by {_named(divisor)}",
                hint="H.solve(b) undoes it",
            )
        return self._made(divided(self.terms, number), self.dtype, self.ends)

    def __neg__(self) -> FactoredTensor:
        return self._made(multiplied(self.terms, -1.0), self.dtype, self.ends)

    def __pos__(self) -> FactoredTensor:
        return self

    def __add__(self, other: Any) -> FactoredTensor:
        """The sum of two maps between the same shapes, in factored form.

        It is within symmetric, diagonal or triangular matrices where both maps are.
        """
        if not isinstance(other, FactoredTensor):
            if real_number(other) == 0:  # where `sum` begins
                return self
            raise ArgumentError(
                f"a factored tensor and {_named(other)} have no factored sum",
                hint="H.dense() is the array",
            )
        self._require_same_device(other)
        terms, ends = added(self, other)
        limit = min(self.memory_limit, other.memory_limit)
        return self._made(terms, np.result_type(self.dtype, other.dtype), ends, limit)

    __radd__ = __add__

    def __sub__(self, other: Any) -> FactoredTensor:
        return self + (-other if isinstance(other, FactoredTensor) else other)

    def __rsub__(self, other: Any) -> FactoredTensor:
        return (-self).__add__(other)

    def _require_same_device(self, other: FactoredTensor) -> None:
        if self.module is not other.module:
            raise ArgumentError(
                "one factored tensor is on a device, and the other is not", hint="move its data"
            )

    def _made(
        self, terms: Sequence[FactoredTerm], dtype: Any, ends: Ends | None, limit: float = np.inf
    ) -> FactoredTensor:
        """Another map between the same shapes."""
        limit = min(limit, self.memory_limit)
        return FactoredTensor(terms, self.rows, self.columns, dtype, memory_limit=limit, ends=ends)

    def diagonal(self) -> Array:
        """The entries at equal row and column positions, in the shape `rows`."""
        self._require_square("diagonal")
        total: Array = self.module.zeros(self.rows, self.dtype)
        for term, known in zip(self.terms, self._sizes, strict=True):
            left, right = self._ends(term)
            same = joined([*zip(left, right, strict=True)])
            subscripts = tuple(tuple(same.get(x, x) for x in row) for row in term.subscripts)
            out = tuple(same.get(x, x) for x in left)
            sizes = {same.get(x, x): n for x, n in known.items()}
            distinct = tuple(dict.fromkeys(out))
            value = product_of(term.cores, subscripts, distinct, sizes, self.dtype)
            scattered(total, out, distinct, term.coefficient * value)
        return total

    def trace(self) -> float:
        """The sum of the diagonal."""
        return float(np.sum(self.diagonal()))

    @cached_property
    def _solver(self) -> Solver:
        self._require_square("solve")
        if not prod(self.rows):
            return Empty(self)
        return solver_for(self) if self.ends is None else solver_within(self, self.ends)

    @property
    def route(self) -> str:
        """How systems with this map are solved: the structure found, or that there is none."""
        return self._solver.route

    def explain_solve(self) -> str:
        """How systems with this map are solved, with properties of each part.

        The first line is the `route`; the others state sizes, definiteness and condition.
        """
        return "\n".join([self.route, *(f"  {line}" for line in self._solver.details())])

    def solve(self, b: Any, method: Method = "auto") -> Array:
        """The `x` with ``self @ x = b``, for one right-hand side or several along further axes.

        By default the structure decides how, as `route` says; ``"dense"`` factorises the dense
        matrix, and ``"iterative"`` uses only products.  Raises `DomainError` for a singular map,
        naming the singular part, and `LimitError` if the dense matrix is needed and exceeds the
        memory limit.
        """
        b = self._checked(b, self.rows)
        solver = self._solver if method == "auto" else self._solver_by(method)
        if not b.size:  # nothing is asked, or there is nothing to ask of
            shape = self.columns + b.shape[len(self.rows) :]
            return as_array(self.module.zeros(shape, np.result_type(b.dtype, self.dtype)))
        try:
            return solver.solve(b)
        except np.linalg.LinAlgError as error:
            raise DomainError(f"solve: {error} ({solver.route})") from error

    def _solver_by(self, method: str) -> Solver:
        from tcalc.runtime.iterative import Iterative

        self._require_square("solve")
        kinds: dict[str, type[Dense] | type[Iterative]] = {"dense": Dense, "iterative": Iterative}
        if method not in kinds:
            raise ArgumentError(
                f"there is no method {method!r}", hint="'auto', 'dense' or 'iterative'"
            )
        if not prod(self.rows):
            return Empty(self)
        if self.ends is None:
            return kinds[method](self)
        if method == "dense":
            return Reduced(self, self.ends)
        return Projected(self, self.ends, Iterative(self))

    def logdet(self) -> tuple[float, float]:
        """The sign of the determinant and the logarithm of its absolute value."""
        try:
            return self._solver.slogdet()
        except np.linalg.LinAlgError as error:
            raise DomainError(f"logdet: {error} ({self.route})") from error

    def eigvalsh(self) -> Array:
        """The eigenvalues of a symmetric map (in general, of its symmetric part), ascending.

        They are computed from the parts if the structure is a Kronecker product or sum, or
        block-diagonal, else from the dense matrix.
        """
        return as_array(np.sort(self._solver.eigenvalues()))

    def to_linear_operator(self) -> LinearOperator:
        """The map on flattened tensors, for SciPy's iterative solvers.

        On a device it is CuPy's, for the solvers of `cupyx.scipy.sparse.linalg`.
        """
        package = "scipy" if self.module is np else "cupyx.scipy"
        make: type[LinearOperator] = import_module(f"{package}.sparse.linalg").LinearOperator
        adjoint = self.T

        def apply(tensor: FactoredTensor, x: Array) -> Array:
            many = x.reshape(tensor.columns + x.shape[1:] if x.ndim > 1 else tensor.columns)
            return as_array((tensor @ many).reshape((prod(tensor.rows), *x.shape[1:])))

        return make(
            shape=(prod(self.rows), prod(self.columns)),
            dtype=self.dtype,
            matvec=lambda x: apply(self, x.reshape(-1)),
            rmatvec=lambda x: apply(adjoint, x.reshape(-1)),
            matmat=lambda x: apply(self, x),
            rmatmat=lambda x: apply(adjoint, x),
        )

    def __getstate__(self) -> dict[str, Any]:
        # A module does not pickle, and solvers are made again when they are asked for.
        kept = {k: x for k, x in self.__dict__.items() if k not in ("module", "_solver")}
        return {**kept, "_terms": self.terms}

    @cached_property
    def module(self) -> Any:
        """NumPy, or CuPy where the cores are on a device."""
        return module_of(core for term in self.terms for core in term.cores)

    @cached_property
    def _sizes(self) -> list[dict[int, int]]:
        found = []
        for term in self.terms:
            sizes = dict(zip(term.output, self.shape, strict=True))
            for core, row in zip(term.cores, term.subscripts, strict=True):
                sizes.update(zip(row, core.shape, strict=True))
            found.append(sizes)
        return found

    def _ends(self, term: FactoredTerm) -> tuple[tuple[int, ...], tuple[int, ...]]:
        count = len(self.rows)
        return term.output[:count], term.output[count:]

    def _checked(self, x: Any, shape: tuple[int, ...]) -> Array:
        if np.ma.is_masked(x):
            raise ArgumentError("the array has masked entries, which have no value")
        array = as_array(x)
        if self.module is not np and not is_on_device(array):
            raise ArgumentError(
                "the cores are on a device, and the array is NumPy's", hint="cupy.asarray(x)"
            )
        if self.module is np and is_on_device(array):
            raise ArgumentError(
                "the cores are NumPy's, and the array is on a device", hint="cupy.asnumpy(x)"
            )
        if array.shape[: len(shape)] != shape:
            raise ArgumentError(
                f"the array has the shape {array.shape}, and should begin with {shape}"
            )
        return array

    def _require_square(self, what: str) -> None:
        if self.rows != self.columns:
            raise ArgumentError(
                f"{what} needs equal shapes of rows and columns, and they are {self.rows} and "
                f"{self.columns}"
            )

    def __str__(self) -> str:
        text = self._text() if callable(self._text) else self._text
        return text or repr(self)

    def __repr__(self) -> str:
        dense = prod(self.shape) * self.dtype.itemsize
        terms = f"{len(self.terms)} term{'s' * (len(self.terms) != 1)}"
        return (
            f"<FactoredTensor {self.rows} × {self.columns}, {terms}, "
            f"{self.nbytes} bytes (dense {dense})>"
        )


def _named(value: Any) -> str:
    """What a value is, for messages."""
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:
        return f"an array of the shape {shape}"
    return f"an object of type {type(value).__name__}"
