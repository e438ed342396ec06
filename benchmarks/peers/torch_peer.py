"""PyTorch: `torch.func`, Hessians forward-over-reverse and reverse-over-reverse."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from benchmarks.minimising import at_point, newton_cg
from benchmarks.task import Call, Contender, Task, as_arrays

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
torch.set_default_dtype(torch.float64)


def solve_lower(L: Any, b: Any) -> Any:
    columns = b if b.ndim > 1 else b[:, None]
    return torch.linalg.solve_triangular(L, columns, upper=False).reshape(b.shape)


def squared_distances(X: Any) -> Any:
    squares = torch.sum(X * X, 1)
    return squares[:, None] + squares - 2 * (X @ X.T)


OPERATIONS = SimpleNamespace(
    exp=torch.exp,
    log=torch.log,
    sqrt=torch.sqrt,
    sum=torch.sum,
    trace=torch.trace,
    diagonal=torch.diagonal,
    diag=torch.diag,
    eye=torch.eye,
    zeros=torch.zeros,
    concatenate=torch.cat,
    # torch's softplus turns linear above 20, which costs nine digits
    softplus=lambda z: torch.logaddexp(z, torch.zeros(())),
    relu=torch.relu,
    tanh=torch.tanh,
    logsumexp_rows=lambda Z: torch.logsumexp(Z, 1, keepdim=True),
    cholesky=torch.linalg.cholesky,
    solve_lower=solve_lower,
    inv=torch.linalg.inv,
    solve=torch.linalg.solve,
    logdet=torch.logdet,
    qr=torch.linalg.qr,
    squared_distances=squared_distances,
    length=len,
    row=lambda X, t: X[t],
    layer=torch.nn.functional.conv2d,
    filtered=lambda x, w: torch.nn.functional.conv1d(x[None, None], w[None, None])[0, 0],
)


def contenders(task: Task) -> Iterator[Contender]:
    objective = task.objective("torch")
    wrt = task.problem.wrt
    data = {name: torch.as_tensor(value) for name, value in task.data.items()}
    x, rest = data.pop(wrt), data
    func = torch.func

    def f(x: Any) -> Any:
        return objective(OPERATIONS, **{**rest, wrt: x})

    def contender(name: str, function: Callable[..., Any]) -> Contender:
        def build() -> Call:
            return lambda: function(x)

        return Contender(f"torch {name}", build, arrays)

    def gradient(x: Any) -> Any:
        g, value = func.grad_and_value(f)(x)
        return value, g

    def backward(x: Any) -> Any:
        leaf = x.detach().requires_grad_()
        value = f(leaf)
        value.backward()
        return value.detach(), leaf.grad

    def newton(x: Any) -> Any:
        H = func.hessian(f)(x).reshape(x.numel(), x.numel())
        return torch.linalg.solve(H, func.grad(f)(x).ravel()).reshape(x.shape)

    match task.quantity:
        case "value":
            yield contender("eager", f)
        case "gradient" | "bound":
            yield contender("backward", backward)
            yield contender("grad_and_value", gradient)
        case "jacobian":
            task.require_memory()
            yield contender("jacfwd", func.jacfwd(f))
            yield contender("jacrev", func.jacrev(f))
        case "hessian" | "factored":
            task.require_memory()
            yield contender("func.hessian", func.hessian(f))
            yield contender("jacrev(jacrev)", func.jacrev(func.jacrev(f)))
        case "newton":
            task.require_memory()
            yield contender("solve(hessian, grad)", newton)
        case "minimum":
            yield Contender("torch Newton-CG", lambda: minimised(f, x.numel()), as_arrays)


def minimised(f: Callable[..., Any], size: int) -> Call:
    """SciPy's Newton-CG on value and gradient, and on products by a second sweep over the first."""

    def value(x: Any) -> tuple[float, Any]:
        leaf = torch.tensor(x, requires_grad=True)
        result = f(leaf)
        result.backward()
        return float(result.detach()), leaf.grad.numpy()

    def products(x: Any) -> Callable[[Any], Any]:
        leaf = torch.tensor(x, requires_grad=True)
        (gradient,) = torch.autograd.grad(f(leaf), leaf, create_graph=True)

        def product(v: Any) -> Any:
            along = torch.as_tensor(v)
            return torch.autograd.grad(gradient, leaf, along, retain_graph=True)[0].numpy()

        return product

    return lambda: newton_cg(value, at_point(products), size)


def arrays(result: Any) -> tuple[np.ndarray, ...]:
    several = result if isinstance(result, tuple) else (result,)
    return tuple(x.detach().numpy() for x in several)
