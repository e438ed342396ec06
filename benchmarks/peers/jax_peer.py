"""JAX: everything under `jit`, Hessians forward-over-reverse and reverse-over-reverse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.linalg as jsl
import numpy as np

from benchmarks.minimising import newton_cg
from benchmarks.task import Call, Contender, Task

jax.config.update("jax_enable_x64", True)


def logdet(A: Any) -> Any:
    return jnp.linalg.slogdet(A)[1]


def squared_distances(X: Any) -> Any:
    squares = jnp.sum(X * X, axis=1)
    return squares[:, None] + squares - 2 * (X @ X.T)


OPERATIONS = SimpleNamespace(
    exp=jnp.exp,
    log=jnp.log,
    sqrt=jnp.sqrt,
    sum=jnp.sum,
    trace=jnp.trace,
    diagonal=jnp.diagonal,
    diag=jnp.diag,
    eye=jnp.eye,
    zeros=jnp.zeros,
    concatenate=jnp.concatenate,
    softplus=jax.nn.softplus,
    relu=jax.nn.relu,
    tanh=jnp.tanh,
    logsumexp_rows=lambda Z: jax.nn.logsumexp(Z, axis=1, keepdims=True),
    cholesky=jnp.linalg.cholesky,
    solve_lower=lambda L, b: jsl.solve_triangular(L, b, lower=True),
    inv=jnp.linalg.inv,
    solve=jnp.linalg.solve,
    logdet=logdet,
    qr=jnp.linalg.qr,
    squared_distances=squared_distances,
    length=len,
    row=lambda X, t: X[t],
    layer=lambda X, W: jax.lax.conv_general_dilated(X, W, (1, 1), "VALID"),
    filtered=lambda x, w: jnp.convolve(x, w[::-1], "valid"),
)


def contenders(task: Task) -> Iterator[Contender]:
    objective = task.objective("jax")
    wrt = task.problem.wrt
    data = {name: jnp.asarray(value) for name, value in task.data.items()}

    def f(x: Any, rest: Any) -> Any:
        return objective(OPERATIONS, **{**rest, wrt: x})

    x, rest = data.pop(wrt), data

    def contender(name: str, function: Callable[..., Any]) -> Contender:
        def build() -> Call:
            compiled = jax.jit(function)
            return lambda: jax.block_until_ready(compiled(x, rest))

        return Contender(f"jax {name}", build, arrays)

    def newton(hessian: Callable[..., Any]) -> Callable[..., Any]:
        def step(x: Any, rest: Any) -> Any:
            H = hessian(f)(x, rest).reshape(x.size, x.size)
            return jnp.linalg.solve(H, jax.grad(f)(x, rest).ravel()).reshape(x.shape)

        return step

    def twice_reverse(f: Callable[..., Any]) -> Callable[..., Any]:
        return jax.jacrev(jax.jacrev(f))

    match task.quantity:
        case "value":
            yield contender("jit", f)
        case "gradient" | "bound":
            yield contender("jit(value_and_grad)", jax.value_and_grad(f))
        case "jacobian":
            task.require_memory()
            yield contender("jit(jacfwd)", jax.jacfwd(f))
            yield contender("jit(jacrev)", jax.jacrev(f))
        case "hessian" | "factored":
            task.require_memory()
            yield contender("jit(hessian)", jax.hessian(f))
            yield contender("jit(jacrev(jacrev))", twice_reverse(f))
        case "newton":
            task.require_memory()
            yield contender("jit(solve(hessian, grad))", newton(jax.hessian))
        case "minimum":
            yield Contender("jax Newton-CG", lambda: minimised(f, x.size, rest), arrays)


def minimised(f: Callable[..., Any], size: int, rest: Any) -> Call:
    """SciPy's Newton-CG on value and gradient, and on products forward over reverse, all jitted."""
    both = jax.jit(jax.value_and_grad(f))
    product = jax.jit(lambda x, v, rest: jax.jvp(lambda z: jax.grad(f)(z, rest), (x,), (v,))[1])

    def value(x: Any) -> tuple[float, Any]:
        value, gradient = both(x, rest)
        return float(value), np.asarray(gradient)

    return lambda: newton_cg(value, lambda x, v: np.asarray(product(x, v, rest)), size)


def arrays(result: Any) -> tuple[np.ndarray, ...]:
    return tuple(np.asarray(x) for x in jax.tree_util.tree_leaves(result))
