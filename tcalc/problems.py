"""Functions on data as SciPy wants them: problems, and their Hessians as operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tcalc.codegen.options import HostBackend, Options
from tcalc.errors import ArgumentError, DimensionError, UnsupportedError
from tcalc.expression import Expression, Variable, Variables
from tcalc.requirements import (
    each_once,
    require_expression,
    require_on_host,
    require_scalar,
    variables_of,
)

if TYPE_CHECKING:
    from numpy.random import Generator

    from tcalc.estimation import HessianOperator, LaplaceApproximation
    from tcalc.optimisation import Given, Problem
    from tcalc.recurrences import Recurrence


def problem(
    f: Expression | Recurrence,
    wrt: Variable | Variables,
    data: Mapping[str, Any],
    *,
    bounds: Mapping[str, Any] | None = None,
    constraints: str | Sequence[Given] = (),
    backend: HostBackend = "numpy",
) -> Problem:
    """A function of one vector for SciPy's optimisers, with derivatives, bounds and constraints.

    If `f` is a scalar, it is to be minimised, and the problem has `fun`, `jac`, `hess`, `hessp` and
    `minimize`.  The entries of any other tensor are residuals, and the problem has `fun`, `jac`,
    `least_squares` and `root`.  `data` has the other arguments and, optionally, initial values of
    the variables `wrt`; arguments that occur only in products may be SciPy's sparse matrices.
    `bounds` maps variables to pairs, ``{"w": (0, None)}``.  `constraints` are texts over the names
    of the program, such as ``"sum(w) == 1"``, or triples of expressions, such as ``(g, "<=", 0)``;
    SciPy gets their Jacobians and the Hessian of the Lagrangian.  `f` may be a `recurrence`: its
    loop is kept in all derivatives, it takes no constraints, and its own backend applies.

    With ``backend="c"``, all functions are compiled in C, as by `compile`: where arrays are small,
    call overhead takes most of the time of an optimiser.

    Raises `UnknownNameError` for an unknown variable, `ArgumentError` for data, bounds and
    constraints that do not fit, and `UnsupportedError` for what the backend cannot compute.

    >>> import tcalc
    >>> data = {"X": [[1.0, 1.0], [1.0, 2.0]], "y": [3.0, 5.0]}
    >>> p = problem(tcalc.parse("norm2(X*w - y)^2"), "w", data, constraints=["sum(w) == 2"])
    >>> p.minimize().variables["w"].round(6).tolist()
    [-1.0, 3.0]

    You can also call SciPy's functions yourself:

    >>> from scipy.optimize import minimize
    >>> p = problem(tcalc.parse("norm2(X*w - y)^2"), "w", data)
    >>> found = minimize(p.fun, p.x0, jac=p.jac, hess=p.hess, method="trust-exact")
    >>> p.unpack(found.x)["w"].round(6).tolist()
    [1.0, 2.0]
    """
    from tcalc.optimisation import Problem, constraint
    from tcalc.recurrences import Recurrence

    function = f if isinstance(f, Recurrence) else require_expression(f)
    variables = [function.variable(variable) for variable in variables_of(wrt)]
    names = [x.name for x in variables]
    if not variables:
        raise ArgumentError("a problem needs at least one variable", hint="problem(f, 'w', data)")
    each_once(names)
    for what, given in (("data", data), ("bounds", bounds or {})):
        if not isinstance(given, Mapping):
            raise ArgumentError(
                f"{what} are given by name, and not as an object of type {type(given).__name__}",
                hint=f"{{{names[0]!r}: {'...' if what == 'data' else '(low, high)'}}}",
            )
    several = [constraints] if isinstance(constraints, str) else constraints
    inputs = tuple(function.variables.values())
    require_on_host(backend, "a problem")
    if isinstance(function, Recurrence):
        if backend != "numpy":
            raise UnsupportedError(
                "what runs a recurrence is said where it is made",
                hint=f'tcalc.recurrence(..., backend="{backend}")',
            )
        if several:
            raise UnsupportedError(
                "a recurrence is minimised under bounds, and under no constraints",
                hint="tcalc.parse unrolls the loop",
            )
        if function.dims:
            raise DimensionError(
                f"a recurrence that is minimised is a scalar, and this one has the axes "
                f"[{', '.join(map(str, function.dims))}]",
                hint="sum it up in the last line of the program",
            )
        return Problem(function, variables, inputs, data, bounds)
    required = [constraint(given, function) for given in several]
    options = Options(backend=backend)
    return Problem(function.node, variables, inputs, data, bounds, required, options)


def hessian_operator(
    f: Expression | Recurrence, wrt: Variable | Variables, data: Mapping[str, Any]
) -> HessianOperator:
    """The Hessian of a scalar at given data, as a SciPy `LinearOperator` that is never formed.

    Its methods estimate the trace, the diagonal and the log-determinant from products, find the
    extreme eigenvalues, and solve systems; see `tcalc.estimation.HessianOperator`.  Raises what
    `problem` does, and `DimensionError` if `f` is not a scalar.

    >>> import tcalc
    >>> f = tcalc.parse("sum(log(1 + exp(-y .* (X*w)))) + norm2(w)^2/2", "X[m,n], y[m], w[n]")
    >>> data = {"X": [[1.0, 2.0], [3.0, 4.0]], "y": [1.0, -1.0], "w": [0.0, 0.0]}
    >>> H = hessian_operator(f, "w", data)
    >>> value, error = H.trace(method="exact")
    >>> value, error, H.shape
    (9.5, 0.0, (2, 2))
    """
    from tcalc.estimation import HessianOperator

    _require_scalar(f, "hessian")
    return HessianOperator(problem(f, wrt, data))


def laplace(
    f: Expression | Recurrence,
    wrt: Variable | Variables,
    data: Mapping[str, Any],
    *,
    minimise: bool = True,
    method: str | None = None,
    samples: int = 30,
    seed: int | Generator = 0,
) -> LaplaceApproximation:
    """Laplace's approximation of ``log ∫ exp(-f)``, the log evidence if f is ``-log p(data, wrt)``.

    f is minimised by a `method` of `Problem.minimize`, starting at the values among the data, and
    then by Newton steps; with ``minimise=False``, these values are taken as the mode.  The
    log-determinant of the Hessian is exact if its structure allows or if it is small; otherwise it
    is estimated from `samples` products, with a standard `error`.

    Raises what `hessian_operator` does, and `DomainError` if the point is not a mode or the Hessian
    is not positive definite.  (MacKay, *Information Theory, Inference, and Learning Algorithms*,
    2003, chapter 27.)

    >>> import tcalc
    >>> f = tcalc.parse("norm2(X*w - y)^2/2 + norm2(w)^2/2", "X[m,n], y[m], w[n]")
    >>> found = laplace(f, "w", {"X": [[1.0], [1.0]], "y": [1.0, 3.0]})
    >>> round(found.log_evidence, 6), found.mode["w"].round(6).tolist()
    (-1.963701, [1.333333])
    """
    from tcalc import estimation

    _require_scalar(f, "evidence")
    return estimation.laplace(
        problem(f, wrt, data), minimise=minimise, method=method, samples=samples, seed=seed
    )


def _require_scalar(f: object, what: str) -> None:
    """Refuse what has axes; of a recurrence, a problem does so."""
    from tcalc.recurrences import Recurrence

    if not isinstance(f, Recurrence):
        require_scalar(f, what)
