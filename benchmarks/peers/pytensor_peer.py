"""PyTensor: a compiled graph in the default mode; Jacobians row by row, and all rows at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytensor
import pytensor.gradient
import pytensor.tensor as pt
import pytensor.tensor.linalg as ptl

from benchmarks.minimising import newton_cg
from benchmarks.task import Call, Contender, Data, Task, as_arrays


def squared_distances(X: Any) -> Any:
    squares = pt.sum(X * X, axis=1)
    return squares[:, None] + squares - 2 * (X @ X.T)


def layer(X: Any, W: Any) -> Any:
    (h, w), (p, q) = X.type.shape[2:], W.type.shape[2:]
    taps = [
        pt.tensordot(W[:, :, k, m], X[:, :, k : h - p + k + 1, m : w - q + m + 1], ([1], [1]))
        for k in range(p)
        for m in range(q)
    ]
    return pt.add(*taps).transpose(1, 0, 2, 3)


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
    qr=lambda A: ptl.qr(A, mode="economic"),
    squared_distances=squared_distances,
    length=lambda X: X.type.shape[0],
    row=lambda X, t: X[t],
    layer=layer,
    filtered=lambda x, w: pt.signal.convolve1d(x, w[::-1], mode="valid"),
)


def contenders(task: Task) -> Iterator[Contender]:
    if task.quantity == "minimum":
        yield Contender("pytensor Newton-CG", lambda: minimised(task), as_arrays, cached=True)
    elif task.quantity in ("value", "gradient", "bound"):
        yield contender(task, "function")
    else:
        yield contender(task, "function", task.require_patience)
        yield contender(task, "vectorized", task.require_memory, vectorized=True)


def contender(
    task: Task, name: str, require: Callable[[], None] = lambda: None, vectorized: bool = False
) -> Contender:
    def build() -> Call:
        require()
        inputs = symbols(task.data)
        value = task.objective("pytensor")(OPERATIONS, **inputs)
        results = outputs(task.quantity, value, inputs[task.problem.wrt], vectorized)
        return bound(compiled(inputs, results), task.data)

    return Contender(f"pytensor {name}", build, as_arrays, cached=True)


def symbols(data: Data) -> dict[str, Any]:
    return {name: pt.tensor(name, dtype="float64", shape=x.shape) for name, x in data.items()}


def compiled(inputs: dict[str, Any], results: Any) -> Callable[..., Any]:
    borrowed = [pytensor.In(x, borrow=True) for x in inputs.values()]
    function = pytensor.function(borrowed, results, on_unused_input="ignore")
    function.trust_input = True
    called: Callable[..., Any] = function
    return called


def bound(function: Callable[..., Any], data: Data) -> Call:
    arguments = [np.ascontiguousarray(x) for x in data.values()]
    return lambda: function(*arguments)


def outputs(quantity: str, value: Any, x: Any, vectorized: bool) -> Any:
    if quantity == "value":
        return value
    if quantity == "jacobian":
        J = pytensor.gradient.jacobian(value.ravel(), x, vectorize=vectorized)
        return J.reshape((*value.type.shape, *x.type.shape))
    gradient = pytensor.grad(value, x)
    if quantity in ("gradient", "bound"):
        return [value, gradient]
    H = pytensor.gradient.jacobian(gradient.ravel(), x, vectorize=vectorized)
    size = int(np.prod(x.type.shape))
    if quantity == "newton":
        return ptl.solve(H.reshape((size, size)), gradient.ravel(), b_ndim=1).reshape(x.type.shape)
    return H.reshape((*x.type.shape, *x.type.shape))


def minimised(task: Task) -> Call:
    """SciPy's Newton-CG on value and gradient, and on the gradient's derivative along a vector."""
    inputs = symbols(task.data)
    x = inputs.pop(task.problem.wrt)
    v = pt.tensor("v", dtype="float64", shape=x.type.shape)
    f = task.objective("pytensor")(OPERATIONS, **inputs, **{task.problem.wrt: x})
    gradient = pytensor.grad(f, x)
    along = pytensor.grad(pt.sum(gradient * v), x)
    both = compiled({"x": x} | inputs, [f, gradient])
    product = compiled({"x": x, "v": v} | inputs, along)
    rest = [np.ascontiguousarray(task.data[name]) for name in inputs]

    def value(x: Any) -> tuple[float, Any]:
        value, gradient = both(x, *rest)
        return float(value), gradient

    return lambda: newton_cg(value, lambda x, v: product(x, v, *rest), int(np.prod(x.type.shape)))
