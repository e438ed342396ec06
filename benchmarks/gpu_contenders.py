"""The contenders of the comparison on a device: an expert's CuPy, tcalc's, JAX and PyTorch.

Results stay on the device and are compared there; those of other libraries come through DLPack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import tcalc
from benchmarks.task import Call, Task, UnavailableError

JAX_PLATFORM = "gpu"
TORCH_DEVICE = "cuda"


@dataclass(slots=True)
class Rival:
    """One way to a task's result: `build` prepares a call, which queues work and returns.

    `wait` blocks until a result is there; `on_stream` tells that the work is queued on CuPy's
    stream, so that events on it measure the time of the device.
    """

    name: str
    build: Callable[[], Call]
    wait: Callable[[Any], None]
    on_stream: bool = True
    peer: bool = False


# What an expert would write with CuPy. The functions import it, since it needs a device.


def logistic_gradient(X: Any, y: Any, w: Any) -> Any:
    import cupy as cp
    from cupyx.scipy.special import expit

    z = y * (X @ w)
    f = cp.sum(cp.log1p(cp.exp(-cp.abs(z))) - cp.minimum(z, 0.0))
    return f, -((y * expit(-z)) @ X)


def logistic_hessian(X: Any, y: Any, w: Any) -> Any:
    import cupy as cp
    from cupyx.scipy.special import expit

    p = expit(y * (X @ w))
    R = (y * cp.sqrt(p * (1 - p)))[:, None] * X
    return R.T @ R


def factorisation_hessian(T: Any, U: Any, V: Any) -> Any:
    return _blocks(U, 2 * (V.T @ V))


def masked_hessian(T: Any, U: Any, V: Any, Omega: Any) -> Any:
    k = V.shape[1]
    core = 2 * (Omega @ (V[:, :, None] * V[:, None]).reshape(-1, k * k)).reshape(-1, k, k)
    return _blocks(U, core)


def _blocks(U: Any, core: Any) -> Any:
    import cupy as cp

    n, k = U.shape
    H = cp.zeros((n, k, n, k), U.dtype)
    rows = cp.arange(n)
    H[rows, :, rows, :] = core
    return H


def net_gradient(X: Any, Y: Any, W1: Any, W: Any) -> Any:
    import cupy as cp

    layers, Z = _forward(cp, X, W1, W)
    E = cp.exp(Z)
    sums = E.sum(axis=1, keepdims=True)
    f = (cp.log(sums).sum() - cp.sum(Y * Z)) / len(X)
    G = (E / sums - Y) @ W[8]
    for t in reversed(range(8)):
        G = (G * (layers[t + 1] > 0)) @ W[t]
    return f, (G * (layers[0] > 0)).T @ X / len(X)


def net_hessian(X: Any, Y: Any, W1: Any, W: Any) -> Any:
    import cupy as cp

    b, n = X.shape
    layers, Z = _forward(cp, X, W1, W)
    p = cp.exp(Z)
    p /= p.sum(axis=1, keepdims=True)
    J = W[8] * (layers[8] > 0)[:, None, :]
    for t in reversed(range(8)):
        J = (J @ W[t]) * (layers[t] > 0)[:, None, :]
    R = cp.sqrt(p / b)[:, :, None] * (J - p[:, None, :] @ J)
    S = (R.swapaxes(1, 2) @ R).reshape(b, n * n)
    XX = (X[:, :, None] * X[:, None, :]).reshape(b, n * n)
    return (S.T @ XX).reshape(n, n, n, n).transpose(0, 2, 1, 3)


def _forward(cp: Any, X: Any, W1: Any, W: Any) -> tuple[list[Any], Any]:
    layers = [cp.maximum(X @ W1.T, 0.0)]
    for t in range(8):
        layers.append(cp.maximum(layers[-1] @ W[t].T, 0.0))
    Z = layers[-1] @ W[8].T
    return layers, Z - Z.max(axis=1, keepdims=True)


def process_gradient(X: Any, y: Any, theta: Any) -> Any:
    import cupy as cp
    from cupyx.scipy.linalg import solve_triangular

    ell, v, noise = (theta[k] for k in range(3))
    squares = (X * X).sum(axis=1)
    D = squares[:, None] + squares - 2 * (X @ X.T)
    E = cp.exp(D * (-0.5 / ell**2))
    L = cp.linalg.cholesky(v * E + noise * cp.eye(len(X), dtype=X.dtype))
    half = solve_triangular(L, cp.eye(len(X), dtype=X.dtype), lower=True)
    inverse = half.T @ half
    a = inverse @ y
    f = y @ a / 2 + cp.log(L.diagonal()).sum() + len(X) * np.log(2 * np.pi) / 2
    M = inverse - a[:, None] * a
    EM = E * M
    return f, cp.stack([v * cp.sum(D * EM) / ell**3, EM.sum(), cp.trace(M)]) / 2


EXPERTS: dict[tuple[str, str], Callable[..., Any]] = {
    ("logistic", "gradient"): logistic_gradient,
    ("logistic", "hessian"): logistic_hessian,
    ("factorisation", "hessian"): factorisation_hessian,
    ("masked", "hessian"): masked_hessian,
    ("net", "gradient"): net_gradient,
    ("net", "hessian"): net_hessian,
    ("gp", "gradient"): process_gradient,
}


def rivals(task: Task, dtype: Any, memory: float) -> Iterator[Rival | str]:
    """The contenders that are there, the expert first; for others a text says why not.

    `memory` is what the device has, in bytes.
    """
    import cupy as cp

    data = {name: cp.asarray(value, dtype=dtype) for name, value in task.data.items()}
    expert = EXPERTS[task.problem.name, task.quantity]

    def wait(result: Any) -> None:
        cp.cuda.Device().synchronize()

    yield Rival("expert", lambda: lambda: expert(**data), wait)
    variants: dict[str, dict[str, Any]] = {
        "tcalc": {},
        "tcalc, unchecked": {"checked": False},
        "tcalc, graph": {"checked": False, "graph": True},
    }
    for name, options in variants.items():

        def build(options: dict[str, Any] = options) -> Call:
            function = compiled(task, **options)
            given = {key: data[key] for key in function.signature.names}
            return lambda: function(**given)

        yield Rival(name, build, wait)
    for name, by in (("jax", by_jax), ("torch", by_torch)):
        try:
            yield from by(task, dtype, memory)
        except ImportError:
            yield f"{name}: is not installed"
        except UnavailableError as reason:
            yield f"{name}: {reason}"


def compiled(task: Task, **options: Any) -> Any:
    """tcalc's function for a task: the Hessian, or the value and the gradient."""
    f = tcalc.parse(task.problem.program(**task.sizes))
    wrt = task.problem.wrt
    roots = tcalc.hessian(f, wrt) if task.quantity == "hessian" else [f, tcalc.gradient(f, wrt)]
    return tcalc.compile(roots, backend="cupy", memory_limit=1e12, **options)


def by_jax(task: Task, dtype: Any, memory: float) -> Iterator[Rival]:
    """JAX under `jit`, its products in full float32 as everyone else's."""
    import jax

    if not any(device.platform == JAX_PLATFORM for device in jax.devices()):
        raise UnavailableError("sees no device")
    from benchmarks.peers.jax_peer import OPERATIONS

    task.require_memory(memory)
    jax.config.update("jax_default_matmul_precision", "highest")
    objective = task.problem.special.get("jax", task.problem.objective)
    data = {name: jax.numpy.asarray(value.astype(dtype)) for name, value in task.data.items()}
    wrt = task.problem.wrt
    x = data.pop(wrt)

    def f(x: Any, rest: Any) -> Any:
        return objective(OPERATIONS, **{**rest, wrt: x})

    ways = {"jit(value_and_grad)": jax.value_and_grad(f)}
    if task.quantity == "hessian":
        ways = {
            "jit(hessian)": jax.hessian(f),
            "jit(jacrev(jacrev))": jax.jacrev(jax.jacrev(f)),
        }
    for name, way in ways.items():

        def build(way: Callable[..., Any] = way) -> Call:
            function = jax.jit(way)
            return lambda: function(x, data)

        def wait(result: Any) -> None:
            jax.block_until_ready(result)

        yield Rival(f"jax {name}", build, wait, on_stream=False, peer=True)


def by_torch(task: Task, dtype: Any, memory: float) -> Iterator[Rival]:
    """PyTorch's own Hessian, in full float32; it works on the default stream, as CuPy does."""
    import torch

    if TORCH_DEVICE == "cuda" and not torch.cuda.is_available():
        raise UnavailableError("sees no device")
    from benchmarks.peers.torch_peer import OPERATIONS

    task.require_memory(memory)
    torch.backends.cuda.matmul.allow_tf32 = False
    objective = task.problem.special.get("torch", task.problem.objective)
    data = {
        name: torch.as_tensor(value.astype(dtype), device=TORCH_DEVICE)
        for name, value in task.data.items()
    }
    wrt = task.problem.wrt
    x = data.pop(wrt)

    def f(x: Any) -> Any:
        with torch.device(TORCH_DEVICE):
            return objective(OPERATIONS, **{**data, wrt: x})

    def gradient(x: Any) -> Any:
        leaf = x.detach().requires_grad_()
        value = f(leaf)
        value.backward()
        return value.detach(), leaf.grad

    def wait(result: Any) -> None:
        if TORCH_DEVICE == "cuda":
            torch.cuda.synchronize()

    name, way = "backward", gradient
    if task.quantity == "hessian":
        name, way = "func.hessian", torch.func.hessian(f)
    yield Rival(f"torch {name}", lambda: lambda: way(x), wait, peer=True)


def on_device(result: Any) -> tuple[Any, ...]:
    """The arrays of a result as CuPy's, without a copy."""
    import cupy as cp

    several = result if isinstance(result, (tuple, list)) else (result,)
    return tuple(
        x
        if isinstance(x, cp.ndarray)
        else cp.from_dlpack(x.detach() if hasattr(x, "detach") else x)
        for x in several
    )


def difference(a: tuple[Any, ...], b: tuple[Any, ...]) -> float:
    """The largest difference, relative to the largest entry of each array."""
    import cupy as cp

    if [x.shape for x in a] != [x.shape for x in b]:
        return float("inf")
    return max(
        float(cp.abs(x - y).max()) / max(float(cp.abs(y).max()), 1e-300)
        for x, y in zip(a, b, strict=True)
    )
