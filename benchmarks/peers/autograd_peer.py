"""HIPS autograd: NumPy traced at every call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import autograd.numpy as np
import autograd.scipy.linalg as asl
from autograd import grad, hessian, jacobian, value_and_grad

from benchmarks.task import Call, Contender, Task, UnavailableError, as_arrays

MOST_DIRECTIONS = 1500
"""One pass per row of the Jacobian: beyond, a Hessian takes minutes."""


def logsumexp_rows(Z: Any) -> Any:
    top = np.max(Z, axis=1, keepdims=True)
    return top + np.log(np.sum(np.exp(Z - top), axis=1, keepdims=True))


OPERATIONS = SimpleNamespace(
    exp=np.exp,
    log=np.log,
    sqrt=np.sqrt,
    sum=np.sum,
    trace=np.trace,
    diagonal=np.diagonal,
    diag=np.diag,
    eye=np.eye,
    zeros=np.zeros,
    concatenate=np.concatenate,
    softplus=lambda z: np.logaddexp(z, 0.0),
    relu=lambda z: np.maximum(z, 0.0),
    tanh=np.tanh,
    logsumexp_rows=logsumexp_rows,
    cholesky=np.linalg.cholesky,
    solve_lower=lambda L, b: asl.solve_triangular(L, b, lower=True),
    inv=np.linalg.inv,
    solve=np.linalg.solve,
    logdet=lambda A: np.linalg.slogdet(A)[1],
    squared_distances=lambda X: np.sum((X[:, None] - X[None]) ** 2, axis=2),
)


def contenders(task: Task) -> Iterator[Contender]:
    objective = task.problem.objective
    wrt = task.problem.wrt
    rest = dict(task.data)
    x = rest.pop(wrt)

    def f(x: Any) -> Any:
        return objective(OPERATIONS, **{**rest, wrt: x})

    def contender(name: str, function: Callable[..., Any]) -> Contender:
        def build() -> Call:
            return lambda: function(x)

        return Contender(f"autograd {name}", build, as_arrays)

    def newton(x: Any) -> Any:
        H = hessian(f)(x).reshape(x.size, x.size)
        return np.linalg.solve(H, grad(f)(x).ravel()).reshape(x.shape)

    if task.quantity not in ("value", "gradient", "bound"):
        task.require_memory()
        if task.variables > MOST_DIRECTIONS:
            raise UnavailableError(f"one pass for each of {task.variables} directions")
    match task.quantity:
        case "value":
            yield contender("value", f)
        case "gradient" | "bound":
            yield contender("value_and_grad", value_and_grad(f))
        case "jacobian":
            yield contender("jacobian", jacobian(f))
        case "hessian" | "factored":
            yield contender("hessian", hessian(f))
        case "newton":
            yield contender("solve(hessian, grad)", newton)
