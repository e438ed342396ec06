"""HIPS autograd: NumPy traced at every call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import autograd.numpy as np
import autograd.scipy.linalg as asl
from autograd import grad, hessian, jacobian, make_hvp, value_and_grad
from autograd.scipy.signal import convolve

from benchmarks.minimising import at_point, newton_cg
from benchmarks.task import Call, Contender, Task, as_arrays


def logsumexp_rows(Z: Any) -> Any:
    top = np.max(Z, axis=1, keepdims=True)
    return top + np.log(np.sum(np.exp(Z - top), axis=1, keepdims=True))


def squared_distances(X: Any) -> Any:
    squares = np.sum(X * X, axis=1)
    return squares[:, None] + squares - 2 * (X @ X.T)


def layer(X: Any, W: Any) -> Any:
    turned = W[:, :, ::-1, ::-1]
    return convolve(X, turned, axes=([2, 3], [2, 3]), dot_axes=([1], [1]), mode="valid")


OPERATIONS = SimpleNamespace(
    exp=np.exp,
    log=np.log,
    sqrt=np.sqrt,
    sum=np.sum,
    trace=np.trace,
    # the only order of the axes whose derivative autograd has
    diagonal=lambda A: np.diagonal(A, axis1=-1, axis2=-2),
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
    qr=np.linalg.qr,
    squared_distances=squared_distances,
    length=len,
    row=lambda X, t: X[t],
    layer=layer,
    filtered=lambda x, w: convolve(x, w[::-1], mode="valid"),
)


def contenders(task: Task) -> Iterator[Contender]:
    objective = task.objective("autograd")
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

    if task.quantity not in ("value", "gradient", "bound", "minimum"):
        task.require_patience()
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
        case "minimum":
            yield Contender("autograd Newton-CG", lambda: minimised(f, x.size), as_arrays)


def minimised(f: Callable[..., Any], size: int) -> Call:
    """SciPy's Newton-CG on value and gradient, and on products that share the forward pass."""
    both = value_and_grad(f)
    return lambda: newton_cg(both, at_point(lambda x: make_hvp(f)(x)[0]), size)
