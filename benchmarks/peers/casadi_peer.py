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

from benchmarks.task import Call, Contender, Task, UnavailableError

MOST_SCALARS = 20_000
"""An SX graph has a node for every scalar operation."""
MOST_DIRECTIONS = 3000
MOST_DIRECTIONS_BY_SCALARS = 700
"""Of which SX has at least the square of nodes in a Hessian."""
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


OPERATIONS = SimpleNamespace(
    exp=casadi.exp,
    log=casadi.log,
    sqrt=casadi.sqrt,
    sum=lambda x: casadi.sum1(casadi.sum2(x)),
    trace=casadi.trace,
    diagonal=casadi.diag,
    diag=casadi.diag,
    eye=casadi.DM.eye,
    softplus=softplus,
    relu=lambda z: casadi.fmax(z, 0),
    tanh=casadi.tanh,
    logsumexp_rows=logsumexp_rows,
    cholesky=chol,
    solve_lower=lambda L, b: casadi.solve(L, b),
    inv=casadi.inv,
    solve=casadi.solve,
    logdet=logdet,
    squared_distances=squared_distances,
)


def contenders(task: Task) -> Iterator[Contender]:
    if task.quantity == "jacobian":
        raise UnavailableError("tensors of order four")
    first = task.quantity in ("value", "gradient", "bound")
    if not first and task.variables > MOST_DIRECTIONS:
        raise UnavailableError(f"{task.variables} directions")
    yield contender(task, casadi.MX, "MX")
    most = MOST_DIRECTIONS if first else MOST_DIRECTIONS_BY_SCALARS
    if task.problem.widest(**task.sizes) <= MOST_SCALARS and task.variables <= most:
        yield contender(task, casadi.SX, "SX")


def contender(task: Task, kind: Any, name: str) -> Contender:
    wrt = task.problem.wrt
    shape = task.data[wrt].shape

    def build() -> Call:
        flat = kind.sym(wrt, task.variables)
        inputs, arguments, named = [flat], [task.data[wrt].ravel()], {}
        named[wrt] = matrix(flat, shape)
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
        value = task.problem.objective(OPERATIONS, **named)
        results = outputs(task.quantity, value, flat)
        function = casadi.Function("f", inputs, results)
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


def matrix(flat: Any, shape: tuple[int, ...]) -> Any:
    if len(shape) < 2:
        return flat
    rows, columns = shape
    return casadi.reshape(flat, columns, rows).T


def outputs(quantity: str, value: Any, flat: Any) -> list[Any]:
    if quantity == "value":
        return [value]
    if quantity in ("gradient", "bound"):
        return [value, casadi.gradient(value, flat)]
    H, gradient = casadi.hessian(value, flat)
    return [casadi.solve(H, gradient)] if quantity == "newton" else [H]
