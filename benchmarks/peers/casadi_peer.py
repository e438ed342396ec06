"""CasADi: MX graphs, and SX (one node per scalar) where the graph stays small.

CasADi knows matrices only, stored by columns: a variable is a vector of its entries by rows, and
arrays of order three are lists of matrices.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import casadi
import numpy as np

from benchmarks.minimising import newton_cg
from benchmarks.task import Call, Contender, Task, UnavailableError, as_arrays

MOST_SCALARS = 20_000
"""An SX graph has a node for every scalar operation."""
MOST_DIRECTIONS = 3000
"""Beyond, to find that a Jacobian has no zeros takes minutes."""
MOST_DIRECTIONS_BY_SCALARS = 700
MOST_FULL_BY_SCALARS = 200
"""Of which SX has at least the square of nodes in a Hessian that is full."""
MOST_COLUMNS = 700
COLUMNS = 32
"""Of a full Jacobian with more columns than the former, how many are computed by one call."""
LARGEST_EXPANSION = 8


def softplus(z: Any) -> Any:
    return casadi.fmax(z, 0) + casadi.log1p(casadi.exp(-casadi.fabs(z)))


def logsumexp_rows(Z: Any) -> Any:
    # The largest entry of a row is not subtracted: CasADi has no maximum along an axis.
    return casadi.repmat(casadi.log(casadi.sum2(casadi.exp(Z))), 1, Z.shape[1])


def squared_distances(X: Any) -> Any:
    squares = casadi.sum2(X * X)
    n = X.shape[0]
    return casadi.repmat(squares, 1, n) + casadi.repmat(squares.T, n, 1) - 2 * X @ X.T


def chol(A: Any) -> Any:
    if isinstance(A, casadi.MX):
        raise UnavailableError("no Cholesky factor of MX")
    return casadi.chol(A).T


def logdet(A: Any) -> Any:
    if isinstance(A, casadi.SX) and A.shape[0] > LARGEST_EXPANSION:
        raise UnavailableError("SX expands a determinant by minors")
    return casadi.log(casadi.det(A))


def qr(A: Any) -> Any:
    if isinstance(A, casadi.MX):
        raise UnavailableError("no QR factorisation of MX")
    return casadi.qr(A)


def layer(X: Any, W: Any) -> Any:
    raise UnavailableError("no arrays of four axes")


def filtered(x: Any, w: Any) -> Any:
    count = x.shape[0] - w.shape[0] + 1
    return sum(w[k] * x[k : k + count] for k in range(w.shape[0]))


OPERATIONS = SimpleNamespace(
    exp=casadi.exp,
    log=casadi.log,
    sqrt=casadi.sqrt,
    sum=lambda x: casadi.sum1(casadi.sum2(x)),
    trace=casadi.trace,
    diagonal=casadi.diag,
    diag=casadi.diag,
    eye=casadi.DM.eye,
    zeros=casadi.DM.zeros,
    concatenate=lambda parts: casadi.vertcat(*parts),
    softplus=softplus,
    relu=lambda z: casadi.fmax(z, 0),
    tanh=casadi.tanh,
    logsumexp_rows=logsumexp_rows,
    cholesky=chol,
    solve_lower=lambda L, b: casadi.solve(L, b),
    inv=casadi.inv,
    solve=casadi.solve,
    logdet=logdet,
    qr=qr,
    squared_distances=squared_distances,
    length=lambda x: x.shape[0],
    row=lambda X, t: X[t, :].T,
    layer=layer,
    filtered=filtered,
)


def contenders(task: Task) -> Iterator[Contender]:
    if task.quantity == "minimum":
        yield Contender("casadi Newton-CG", lambda: minimised(task), as_arrays)
        return
    derived = task.quantity not in ("value", "gradient", "bound")
    if derived:
        task.require_patience(MOST_DIRECTIONS)
    yield contender(task, casadi.MX, "MX")
    scalars = task.problem.widest(**task.sizes)
    most = MOST_DIRECTIONS_BY_SCALARS if derived else task.variables
    if scalars > MOST_SCALARS:
        yield absent("SX", f"graph of more than {scalars} scalars")
    elif task.variables > most:
        yield absent("SX", f"graph of {task.variables}² entries by scalars")
    else:
        yield contender(task, casadi.SX, "SX")


def absent(name: str, reason: str) -> Contender:
    def build() -> Call:
        raise UnavailableError(reason)

    return Contender(f"casadi {name}", build, as_arrays)


def contender(task: Task, kind: Any, name: str) -> Contender:
    shape = task.data[task.problem.wrt].shape

    def build() -> Call:
        flat, named, inputs, arguments = symbols(task, kind)
        value = task.objective("casadi")(OPERATIONS, **named)
        function = compiled(task.quantity, value, flat, inputs)
        stored = [casadi.DM(x) for x in arguments]
        return lambda: function(*stored)

    def arrays(result: Any) -> tuple[np.ndarray, ...]:
        several = result if isinstance(result, tuple) else (result,)
        full = [np.asarray(casadi.DM(x).full()) for x in several]
        match task.quantity:
            case "value":
                return (full[0].reshape(()),)
            case "gradient" | "bound":
                return full[0].reshape(()), full[1].reshape(shape)
            case "newton":
                return (full[0].reshape(shape),)
            case _:
                return (full[0].reshape(*shape, *shape),)

    return Contender(f"casadi {name}", build, arrays)


def symbols(task: Task, kind: Any) -> tuple[Any, dict[str, Any], list[Any], list[Any]]:
    """The variable as a vector, all variables by name, the inputs of a function, their values."""
    wrt = task.problem.wrt
    flat = kind.sym(wrt, task.variables)
    named = {wrt: matrix(flat, task.data[wrt].shape)}
    inputs, arguments = [flat], [task.data[wrt].ravel()]
    for key, value in task.data.items():
        if key == wrt:
            continue
        if value.ndim == 3:
            parts = [kind.sym(f"{key}{t}", *value.shape[1:]) for t in range(len(value))]
            named[key] = parts
            inputs += parts
            arguments += list(value)
        else:
            named[key] = kind.sym(key, *value.shape)
            inputs.append(named[key])
            arguments.append(value)
    return flat, named, inputs, arguments


def matrix(flat: Any, shape: tuple[int, ...]) -> Any:
    if len(shape) < 2:
        return flat
    rows, columns = shape
    return casadi.reshape(flat, columns, rows).T


def compiled(quantity: str, value: Any, flat: Any, inputs: list[Any]) -> Any:
    if quantity == "value":
        return casadi.Function("f", inputs, [value])
    if quantity == "jacobian":
        return jacobian(casadi.vec(value.T), flat, inputs)
    gradient = casadi.gradient(value, flat)
    if quantity in ("gradient", "bound"):
        return casadi.Function("f", inputs, [value, gradient])
    if quantity == "newton":
        # `jacobian` by one colouring: the star colouring of `hessian` takes minutes where H is full
        H = casadi.jacobian(gradient, flat)
        return casadi.Function("f", inputs, [casadi.solve(H, gradient)])
    return jacobian(gradient, flat, inputs)


def jacobian(result: Any, flat: Any, inputs: list[Any]) -> Any:
    """The function for a Jacobian: coloured, or if large and full by calls for some columns each.

    The graph of the former has all columns side by side, which takes minutes to build.
    """
    count = flat.shape[0]
    full = not sparse(casadi.jacobian_sparsity(result, flat))
    if full and count > MOST_FULL_BY_SCALARS and isinstance(flat, casadi.SX):
        raise UnavailableError(f"graph of {count}² entries by scalars")
    if count <= MOST_COLUMNS or not full:
        return casadi.Function("J", inputs, [casadi.jacobian(result, flat)])
    directions = type(flat).sym("directions", count, COLUMNS)
    some = casadi.Function("some", [directions, *inputs], [casadi.jtimes(result, flat, directions)])
    unit = casadi.DM(np.eye(count, -(-count // COLUMNS) * COLUMNS))
    outer = [casadi.MX.sym(f"x{k}", *x.shape) for k, x in enumerate(inputs)]
    columns = [
        some.call([unit[:, start : start + COLUMNS], *outer], False, True)[0]
        for start in range(0, count, COLUMNS)
    ]
    return casadi.Function("J", outer, [casadi.horzcat(*columns)[:, :count]])


def sparse(pattern: Any) -> bool:
    return bool(2 * pattern.nnz() < pattern.numel())


def minimised(task: Task) -> Call:
    """SciPy's Newton-CG on value and gradient, and on the gradient's derivative along a vector."""
    flat, named, inputs, (_, *arguments) = symbols(task, casadi.MX)
    value = task.objective("casadi")(OPERATIONS, **named)
    gradient = casadi.gradient(value, flat)
    v = casadi.MX.sym("v", task.variables)
    both = casadi.Function("f", inputs, [value, gradient])
    product = casadi.Function("Hv", [v, *inputs], [casadi.jtimes(gradient, flat, v)])
    stored = [casadi.DM(x) for x in arguments]

    def evaluated(x: Any) -> tuple[float, Any]:
        value, gradient = both(x, *stored)
        return float(value), gradient.full()[:, 0]

    def along(x: Any, v: Any) -> Any:
        return product(v, x, *stored).full()[:, 0]

    return lambda: newton_cg(evaluated, along, task.variables)
