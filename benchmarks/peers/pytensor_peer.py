"""PyTensor: a compiled graph in the default mode; Jacobians row by row, as the package has them."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytensor
import pytensor.gradient
import pytensor.tensor as pt
import pytensor.tensor.linalg as ptl

from benchmarks.task import Call, Contender, Task, UnavailableError, as_arrays

MOST_DIRECTIONS = 1500

OPERATIONS = SimpleNamespace(
    exp=pt.exp,
    log=pt.log,
    sqrt=pt.sqrt,
    sum=pt.sum,
    trace=pt.trace,
    diagonal=pt.diagonal,
    diag=pt.diag,
    eye=pt.eye,
    zeros=pt.zeros,
    concatenate=pt.concatenate,
    softplus=pt.softplus,
    relu=lambda z: pt.maximum(z, 0.0),
    tanh=pt.tanh,
    logsumexp_rows=lambda Z: pt.logsumexp(Z, axis=1, keepdims=True),
    cholesky=ptl.cholesky,
    solve_lower=lambda L, b: ptl.solve_triangular(L, b, lower=True, b_ndim=b.ndim),
    inv=ptl.inv,
    solve=lambda A, b: ptl.solve(A, b, b_ndim=b.ndim),
    logdet=lambda A: ptl.slogdet(A)[1],
    qr=ptl.qr,
    squared_distances=lambda X: pt.sum((X[:, None] - X[None]) ** 2, axis=2),
)


def contenders(task: Task) -> Iterator[Contender]:
    if task.quantity not in ("value", "gradient", "bound"):
        task.require_memory()
        if task.variables > MOST_DIRECTIONS:
            raise UnavailableError(f"one pass for each of {task.variables} directions")

    def build() -> Call:
        inputs = {
            name: pt.tensor(name, dtype="float64", shape=value.shape)
            for name, value in task.data.items()
        }
        value = task.problem.objective(OPERATIONS, **inputs)
        function = pytensor.function(
            [pytensor.In(x, borrow=True) for x in inputs.values()],
            outputs(task.quantity, value, inputs[task.problem.wrt]),
            on_unused_input="ignore",
        )
        function.trust_input = True
        arguments = [np.ascontiguousarray(x) for x in task.data.values()]
        return lambda: function(*arguments)

    yield Contender("pytensor function", build, as_arrays)


def outputs(quantity: str, value: Any, x: Any) -> Any:
    if quantity == "value":
        return value
    if quantity == "jacobian":
        J = pytensor.gradient.jacobian(value.ravel(), x)
        return J.reshape((*value.type.shape, *x.type.shape))
    gradient = pytensor.grad(value, x)
    if quantity in ("gradient", "bound"):
        return [value, gradient]
    H = pytensor.gradient.jacobian(gradient.ravel(), x)
    size = int(np.prod(x.type.shape))
    if quantity == "newton":
        return ptl.solve(H.reshape((size, size)), gradient.ravel(), b_ndim=1).reshape(x.type.shape)
    return H.reshape((*x.type.shape, *x.type.shape))
