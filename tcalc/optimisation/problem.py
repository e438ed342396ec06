"""A function as SciPy's optimisers want it: of one vector, with derivatives and constraints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np

from tcalc import interpret
from tcalc.checking.blame import text_of
from tcalc.codegen.options import DEFAULTS, Options
from tcalc.errors import ArgumentError, DomainError, suggestion
from tcalc.expr.nodes import Node, Var
from tcalc.expr.traverse import postorder, variables
from tcalc.optimisation import residuals
from tcalc.optimisation.constraints import Constraint, ConstraintFunction, Violations
from tcalc.optimisation.derivatives import Derivatives
from tcalc.optimisation.packing import Packing, real_numbers
from tcalc.optimisation.recurrent import RecurrentDerivatives
from tcalc.optimisation.runs import Progress, run
from tcalc.primitives.arrays import NumPyArray as Array
from tcalc.recurrences import Recurrence

if TYPE_CHECKING:
    from scipy.optimize import Bounds, NonlinearConstraint, OptimizeResult
    from scipy.sparse.linalg import LinearOperator

    from tcalc.runtime import FactoredTensor


class Problem:
    """A tensor function of some of its variables, with the others given.

    The methods take and return vectors: the variables, flattened and concatenated in the order of
    `wrt`.  `pack` and `unpack` convert between vectors and variables.  `x0` packs the values given
    for the variables; without a value, a variable starts at zeros (ones if it must be positive,
    the identity if it must be positive definite).  For a variable declared symmetric, diagonal or
    triangular, the vector contains only the free entries.

    `options` are the options of the compiled functions; a recurrence has its own.

    For a scalar: `fun`, `jac`, `hess`, `hessp`, `fun_and_jac`, `newton_step`, `minimize`.  For a
    tensor, whose entries are residuals: `fun`, `jac`, `least_squares`, `root`.  `bounds` and
    `constraints` are what SciPy expects under these names.
    """

    def __init__(
        self,
        function: Node | Recurrence,
        wrt: Sequence[Var],
        inputs: Sequence[Var],
        data: Mapping[str, Any],
        bounds: Mapping[str, Any] | None = None,
        constraints: Sequence[Constraint] = (),
        options: Options = DEFAULTS,
    ) -> None:
        names = {variable.name for variable in wrt}
        taken = (
            function.signature.arguments
            if isinstance(function, Recurrence)
            else variables([function])
        )
        needed = [*taken, *(x for c in constraints for x in variables([c.node]))]
        known = list(dict.fromkeys([*inputs, *needed]))
        asked = dict.fromkeys(x.name for x in needed if x.name not in names)
        interpret.require_names(data, known, asked)
        given = {name: _finite(name, data[name], name not in names) for name in data}
        shapes = _shapes(wrt, known, given)
        self._packing = Packing(wrt, shapes)
        self._data = {name: given[name] for name in given if name not in names}
        self.derivatives: Derivatives | RecurrentDerivatives
        if isinstance(function, Recurrence):
            self.derivatives = RecurrentDerivatives(function, wrt, self._data)
        else:
            self.derivatives = Derivatives(function, wrt, known, self._data, options)
        self._bounds = self._packing.bounds(bounds or {})
        self._bounded = bool(bounds)
        self._constraints = [
            ConstraintFunction(constraint, wrt, known, self._data, self._packing, options)
            for constraint in constraints
        ]
        start = {x.name: given.get(x.name, _start(x, shapes[x.name])) for x in wrt}
        self.x0 = self.pack(start)
        self._at: tuple[bytes, Callable[..., Any]] | None = None

    def __repr__(self) -> str:
        variables = ", ".join(f"{name}{list(shape)}" for name, shape in self.shapes.items())
        given = ", ".join(f"{name}{list(x.shape)}" for name, x in self._data.items())
        return f"<Problem({'of ' if self.scalar else 'residuals of '}{variables}; given {given})>"

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the variables, by name."""
        return self._packing.shapes

    @property
    def size(self) -> int:
        """The number of entries of the vector."""
        return self._packing.size

    @property
    def scalar(self) -> bool:
        """Whether the function is a number, to be minimised; else its entries are residuals."""
        return not self.derivatives.dims

    def pack(self, values: Mapping[str, Any]) -> Array:
        """The vector of given variables; raises `ArgumentError` for wrong shapes."""
        return self._packing.pack(values)

    def unpack(self, x: Any) -> dict[str, Array]:
        """The variables in a vector, by name."""
        return self._packing.unpack(x)

    def name(self, place: SupportsIndex) -> str:
        """The name of an entry of the vector: ``w[3]``, counted from 1 as in the language."""
        return self._packing.name(place)

    def fun(self, x: Any) -> Any:
        """The value; for a tensor, its entries as a vector."""
        value = self.derivatives.value(**self.unpack(x))
        return float(value) if self.scalar else np.reshape(value, -1)

    def jac(self, x: Any) -> Array:
        """The gradient as a vector; for a tensor, the Jacobian, with a row for each entry."""
        blocks = self.derivatives.first(**self.unpack(x))
        if self.scalar:
            return self._packing.gradient(blocks)
        rows = prod(np.shape(blocks[0])[: len(self.derivatives.dims)])
        return self._packing.jacobian(blocks, rows)

    def fun_and_jac(self, x: Any) -> tuple[float, Array]:
        """Value and gradient of a scalar, computed together (use ``jac=True`` in SciPy)."""
        self.require_scalar("fun_and_jac")
        value, *blocks = self.derivatives.both(**self.unpack(x))
        return float(value), self._packing.gradient(blocks)

    def hess(self, x: Any) -> Array:
        """The Hessian, as a matrix."""
        self.require_scalar("hess")
        return self._packing.hessian(self.derivatives.curvature(**self.unpack(x)))

    def hessp(self, x: Any, p: Any) -> Array:
        """The Hessian times a vector, without forming the Hessian."""
        self.require_scalar("hessp")
        names = self.derivatives.direction_names
        moves = {names[name]: d for name, d in self.unpack(p).items()}
        return self._packing.gradient(self._product_at(x)(**moves))

    def _product_at(self, x: Any) -> Callable[..., Any]:
        """The product with the Hessian at a point, which many directions share."""
        key = np.asarray(x, dtype=float).tobytes()
        at = self._at  # which another thread may change
        if at is None or at[0] != key:
            # A copy: optimisers move their point in place.
            here = self.unpack(np.array(x, dtype=float))
            at = self._at = key, self.derivatives.product_at(here)
        return at[1]

    def hessian_operator(self, x: Any) -> LinearOperator:
        """The Hessian at a point as a SciPy `LinearOperator`, which computes products."""
        from scipy.sparse.linalg import LinearOperator

        self.require_scalar("hessian_operator")
        at = np.array(x, dtype=float)

        def apply(p: Array) -> Array:
            return self.hessp(at, p.reshape(-1))

        shape = (self.size, self.size)
        return LinearOperator(shape, matvec=apply, rmatvec=apply, dtype=np.dtype(float))

    def factored(self, x: Any) -> FactoredTensor | None:
        """The Hessian in factored form; None for several variables, or a structured one."""
        self.require_scalar("the factored Hessian")
        (part, *others) = self._packing.parts.values()
        if others or not part.plain or not part.shape:
            return None
        factored = self.derivatives.factored
        if factored is None:
            return None
        tensor: FactoredTensor = factored(**self._data, **self.unpack(x))
        return tensor

    def pulled(self, blocks: Sequence[Any]) -> Array:
        """A derivative by the vector, from those by the variables; further axes are kept."""
        return self._packing.gradient(blocks)

    def newton_step(self, x: Any) -> Array:
        """The step ``-H⁻¹ g`` of Newton's method.

        With one variable, the structure of the Hessian is exploited (`newton_route` says which was
        found): a diagonal one is divided by, one of k × k blocks is solved block by block.  Raises
        `DomainError` if the Hessian is singular.
        """
        return self._newton(x)[0]

    def newton_route(self, x: Any) -> str:
        """How `newton_step` solves at a point."""
        return self._newton(x)[1]

    def _newton(self, x: Any) -> tuple[Array, str]:
        self.require_scalar("newton_step")
        gradient = self.jac(x)
        tensor = self.factored(x)
        if tensor is not None:
            (part,) = self._packing.parts.values()
            return -tensor.solve(gradient.reshape(part.shape)).reshape(-1), tensor.route
        try:
            return -np.linalg.solve(self.hess(x), gradient), "dense"
        except np.linalg.LinAlgError as error:
            raise DomainError(f"the Hessian is singular: {error}") from error

    @property
    def bounds(self) -> Bounds | None:
        """The bounds of the vector, for SciPy; None where there are none."""
        from scipy.optimize import Bounds

        low, high = self._bounds
        return Bounds(low, high) if np.isfinite(low).any() or np.isfinite(high).any() else None

    @property
    def constraints(self) -> list[NonlinearConstraint]:
        """The constraints for SciPy, with their Jacobians and Hessians."""
        return [constraint.for_scipy() for constraint in self._constraints]

    def constraints_for(self, method: str) -> list[Any]:
        """The constraints in the form that a method of SciPy expects."""
        if method.lower() in ("slsqp", "cobyla"):
            return [constraint.as_dictionary() for constraint in self._constraints]
        return list(self.constraints)

    def violations(self, x: Any) -> Violations:
        """The constraints and bounds that are violated at a point, and by how much."""
        found = {str(c): c.violation(x) for c in self._constraints}
        low, high = self._bounds
        beyond = np.maximum(low - np.asarray(x), np.asarray(x) - high)
        for place in np.flatnonzero(beyond > 0):
            found[f"{low[place]:g} <= {self.name(place)} <= {high[place]:g}"] = float(beyond[place])
        return Violations({name: float(amount) for name, amount in found.items() if amount > 0})

    def minimize(
        self,
        method: str | None = None,
        *,
        x0: Any = None,
        callback: Callable[[Progress], object] | None = None,
        progress: bool = False,
        **options: Any,
    ) -> OptimizeResult:
        """Minimise by `scipy.optimize.minimize`, or by Newton's method with ``method="newton"``.

        Newton's method exploits the structure of the Hessian, and leaves saddles along negative
        curvature; if it cannot, the message says so.  Without a method, SLSQP is used under
        constraints, else L-BFGS-B.  `callback` is called after each step with a `Progress`, and
        ends the run by returning True; ``progress=True`` prints each one to standard error.
        However a run ends (by Ctrl-C, by the callback, or because the function has no value further
        on), the best point so far is returned, and `message` says why it ended.  If SciPy finds no
        lower value ("precision loss"), the run is a success if Newton's step promises no decrease
        beyond rounding errors.  `options` are SciPy's (``tol=``, ``options=``).  The result has
        `variables`, their values by name, and `violations`.

        Raises `ArgumentError` for a start that is out of bounds, or at which the function or its
        gradient has no finite value, naming the function at fault.
        """
        self.require_scalar("minimize")
        start = self._started(x0)
        return run(self, method, start, callback, progress, options)

    def least_squares(
        self,
        *,
        x0: Any = None,
        callback: Callable[[Progress], object] | None = None,
        progress: bool = False,
        **options: Any,
    ) -> OptimizeResult:
        """Minimise the sum of squares of all entries, by `scipy.optimize.least_squares`.

        `callback` and `progress` are as for `minimize`, after each step that lowers the sum, which
        is the `fun` of the `Progress`; the best point so far is never lost.
        """
        self._require_residuals("least_squares")
        if self._constraints:
            raise ArgumentError(
                "least_squares takes bounds, and no constraints",
                hint="minimise the sum of squares: norm2(...)^2",
            )
        start = self._started(x0)
        bounds = {} if self.bounds is None else {"bounds": self.bounds}
        return residuals.run(
            self, "least_squares", start, callback, progress, {**bounds, **options}
        )

    def root(
        self,
        *,
        x0: Any = None,
        callback: Callable[[Progress], object] | None = None,
        progress: bool = False,
        **options: Any,
    ) -> OptimizeResult:
        """Find where all entries are zero, by `scipy.optimize.root`.

        `callback` and `progress` are as for `least_squares`.
        """
        self._require_residuals("root")
        if self._constraints or self._bounded:
            raise ArgumentError(
                "root takes no bounds and no constraints", hint="least_squares takes bounds"
            )
        start = self._started(x0)
        rows = np.size(self.fun(start))
        if rows != self.size:
            raise ArgumentError(
                f"there are {rows} equations for {self.size} unknowns",
                hint="least_squares takes as many as there are",
            )
        return residuals.run(self, "root", start, callback, progress, options)

    def _started(self, x0: Any) -> Array:
        """The start, in the domain and within the bounds."""
        if isinstance(x0, Mapping):
            for name in x0:
                if name not in self.shapes:
                    others = "the variables: " + ", ".join(self.shapes)
                    hint = suggestion(name, self.shapes, otherwise=others)
                    raise ArgumentError(f"{name!r} is not a variable of the problem", hint=hint)
            x0 = self.pack({**self.unpack(self.x0), **x0})
        x = np.array(self.x0 if x0 is None else real_numbers("x0", x0), dtype=float)
        self.unpack(x)  # refuses another size
        for place in np.flatnonzero(~np.isfinite(x)):
            raise ArgumentError(f"the start has {self.name(place)} = {x[place]}")
        low, high = self._bounds
        for place in np.flatnonzero((x < low) | (x > high)):
            raise ArgumentError(
                f"the start is out of bounds: {self.name(place)} = {x[place]:g} is not between "
                f"{low[place]:g} and {high[place]:g}",
                hint="give first values among the data, or x0=",
            )
        try:
            with np.errstate(all="ignore"):
                parts = self.fun_and_jac(x) if self.scalar else (self.fun(x), self.jac(x))
        except DomainError as error:
            raise ArgumentError(
                f"the function has no value at the start: {error.message}",
                hint="give first values among the data, or x0=",
            ) from error
        for what, part in zip(("value", "derivative"), parts, strict=True):
            if not np.all(np.isfinite(part)):
                raise ArgumentError(
                    f"the {what} is not finite at the start{self.culprit(x)}",
                    hint="give first values among the data, or x0=",
                )
        for constraint in self._constraints:
            self._require_value(constraint, x)
        return x

    def _require_value(self, constraint: ConstraintFunction, x: Array) -> None:
        """Refuse a start where a constraint cannot be evaluated; it need not hold there."""
        try:
            with np.errstate(all="ignore"):
                finite = bool(np.all(np.isfinite(constraint.fun(x))))
            why = "" if finite else self.culprit(x, constraint.node)
        except DomainError as error:
            finite, why = False, f": {error.message}"
        if not finite:
            raise ArgumentError(
                f"the constraint {constraint} has no finite value at the start{why}",
                hint="give first values among the data, or x0=",
            )

    def culprit(self, x: Array, function: Node | None = None) -> str:
        """The first function on the way whose value is not finite, as text."""
        nodes = postorder(self.derivatives.nodes if function is None else [function])
        dense = {n: a.toarray() if hasattr(a, "toarray") else a for n, a in self._data.items()}
        values = {**dense, **self.unpack(x)}
        with np.errstate(all="ignore"):
            found = interpret.evaluate(nodes, values)
        for node, value in zip(nodes, found, strict=True):
            if not np.all(np.isfinite(value)):
                return f": {text_of(node)} is not"
        return ""

    def require_scalar(self, what: str) -> None:
        """Refuse `what`, which is of scalars, for a tensor of residuals."""
        if not self.scalar:
            raise ArgumentError(
                f"{what} needs a scalar function, and this one has the axes "
                f"[{', '.join(map(str, self.derivatives.dims))}]",
                hint="sum it up, or use least_squares or root",
            )

    def _require_residuals(self, what: str) -> None:
        if self.scalar:
            raise ArgumentError(
                f"{what} needs a tensor of residuals, and this function is a scalar",
                hint="use minimize, or leave out the sum of squares",
            )


def _finite(name: str, value: Any, constant: bool) -> Any:
    """The data under a name as numbers; refuses what is not finite.

    A sparse matrix that is no variable stays one.
    """
    if constant and hasattr(value, "toarray"):
        from scipy.sparse import csr_array

        matrix: Any = csr_array(value)
        matrix.data = real_numbers(name, matrix.data)
        if not np.isfinite(matrix.data).all():
            raise ArgumentError(
                f"{name} has entries that are not finite", hint="optimisers need finite data"
            )
        return matrix
    array = real_numbers(name, value)
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        index = f"[{','.join(str(k + 1) for k in bad[0])}]" if array.ndim else ""
        raise ArgumentError(
            f"{name}{index} is {array[tuple(bad[0])]}"
            + (f", and {len(bad) - 1} more entries are not finite" if len(bad) > 1 else ""),
            hint="optimisers need finite data",
        )
    return array


def _shapes(
    wrt: Sequence[Var], inputs: Sequence[Var], data: Mapping[str, Array]
) -> dict[str, tuple[int, ...]]:
    """The shapes of the variables, from the data."""
    present = [node for node in inputs if node.name in data]
    sizes = interpret.measure(present, data)
    shapes: dict[str, tuple[int, ...]] = {}
    for variable in wrt:
        unknown = {n for dim in variable.dims for n in dim.names()} - set(sizes)
        if unknown:
            raise ArgumentError(
                f"the size {min(unknown)} of {variable.name} is not known from the data",
                hint=f"give a first value of {variable.name} among the data",
            )
        shapes[variable.name] = tuple(dim.evaluate(sizes) for dim in variable.dims)
    return shapes


def _start(variable: Var, shape: tuple[int, ...]) -> Array:
    """Where a variable starts that has no first value: 0, or what its properties ask for."""
    properties = set(variable.properties)
    if properties & {"spd", "psd", "orthogonal", "lower", "upper", "diagonal"} and len(shape) > 1:
        return np.broadcast_to(np.eye(shape[-1]), shape).copy()
    return np.ones(shape) if "positive" in properties else np.zeros(shape)
