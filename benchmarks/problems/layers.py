"""C. Nets by the weights of one layer, and a recurrent net by the weights that its steps share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.task import Problem

LAYERS = 10
SIZES = tuple({"n": n, "b": b} for n, b in ((10, 1), (20, 8), (50, 32)))
SERIES = ({"n": 20, "T": 50}, {"n": 20, "T": 200})

RECURRENT = """
tensor W[n,n], X[{T},n], h0[n]
h{{0}} = h0
for t = 1:{T}
    h{{t}}[i] = tanh(W[i,j]*h{{t-1}}[j] + X[t,i])
end
h{{{T}}}'*h{{{T}}}
"""


def program(activation: str, layer: int) -> str:
    """Softmax cross-entropy of a net; `W` are the weights of one layer, `V` those of the others."""
    lines = ["tensor X[b,n], Y[b,n], W[n,n], V[9,n,n]", "H0 = X"]
    for t in range(1, LAYERS + 1):
        weights = "W[i,j]" if t == layer else f"V[{t if t < layer else t - 1},i,j]"
        product = f"H{t - 1}[s,j]*{weights}"
        lines.append(
            f"Z[s,i] = {product}" if t == LAYERS else f"H{t}[s,i] = {activation}({product})"
        )
    return "\n".join([*lines, "-sum(Y .* logsoftmax(Z)) / b"])


def data(rng: np.random.Generator, n: int, b: int) -> dict[str, Any]:
    scale = np.sqrt(2 / n)
    return {
        "X": rng.standard_normal((b, n)),
        "Y": np.eye(n)[rng.integers(n, size=b)],
        "W": scale * rng.standard_normal((n, n)),
        "V": scale * rng.standard_normal((LAYERS - 1, n, n)),
    }


def ordered(layer: int, W: Any, V: Any) -> list[Any]:
    """The weights from the first layer to the last."""
    others = [V[t] for t in range(LAYERS - 1)]
    return [*others[: layer - 1], W, *others[layer - 1 :]]


def objective(activation: str, layer: int, ops: Any, X: Any, Y: Any, W: Any, V: Any) -> Any:
    *hidden, last = ordered(layer, W, V)
    H = X
    for weights in hidden:
        H = getattr(ops, activation)(H @ weights.T)
    Z = H @ last.T
    return ops.sum(Y * (ops.logsumexp_rows(Z) - Z)) / X.shape[0]


def hessian(activation: str, layer: int, X: Any, Y: Any, W: Any, V: Any) -> Any:
    """``Σ_s S_s[i,k] A[s,j] A[s,l]``, A the inputs of the layer, S the Hessians by its outputs."""
    b, n = X.shape
    *hidden, last = ordered(layer, W, V)
    values = [X]
    for weights in hidden:
        z = values[-1] @ weights.T
        values.append(np.maximum(z, 0.0) if activation == "relu" else np.tanh(z))
    Z = values[-1] @ last.T
    p = np.exp(Z - Z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    above = [*hidden, last][layer:]
    S = (relu_core if activation == "relu" else tanh_core)(p, Y, values[layer:], above)
    A = values[layer - 1]
    AA = (A[:, :, None] * A[:, None, :]).reshape(b, n * n)
    H = (S.reshape(b, n * n).T @ AA).reshape(n, n, n, n)
    return np.ascontiguousarray(H.transpose(0, 2, 1, 3))


def loss_core(p: Any) -> Any:
    """The Hessians of the loss by the net's outputs."""
    S = -p[:, :, None] * p[:, None, :]
    np.einsum("bii->bi", S)[...] += p
    return S / len(p)


def relu_core(p: Any, Y: Any, values: Any, above: Any) -> Any:
    """``J' loss_core J`` with the chain J of the layers above, as a square."""
    if not above:
        return loss_core(p)
    J = np.broadcast_to(above[-1], (len(p), *above[-1].shape)) * (values[-1] > 0)[:, None, :]
    for H, weights in zip(values[-2::-1], above[-2::-1], strict=True):
        J = (J @ weights) * (H > 0)[:, None, :]
    R = np.sqrt(p / len(p))[:, :, None] * (J - p[:, None, :] @ J)
    return R.swapaxes(1, 2) @ R


def tanh_core(p: Any, Y: Any, values: Any, above: Any) -> Any:
    """From the last layer down: ``D W' S W D``, and the curvature times the adjoint."""
    S, g = loss_core(p), (p - Y) / len(p)
    for H, weights in zip(values[::-1], above[::-1], strict=True):
        slope = 1 - H * H
        S = slope[:, :, None] * (weights.T @ S @ weights) * slope[:, None, :]
        g = (g @ weights) * slope
        np.einsum("bii->bi", S)[...] -= 2 * H * g
    return S


def recurrent_data(rng: np.random.Generator, n: int, T: int) -> dict[str, Any]:
    return {
        "W": rng.standard_normal((n, n)) / np.sqrt(n),
        "X": 0.3 * rng.standard_normal((T, n)),
        "h0": rng.standard_normal(n),
    }


def recurrent(ops: Any, W: Any, X: Any, h0: Any) -> Any:
    h = h0
    for t in range(ops.length(X)):
        h = ops.tanh(W @ h + ops.row(X, t))
    return ops.sum(h * h)


def scanned(ops: Any, W: Any, X: Any, h0: Any) -> Any:
    """JAX's idiom: the loop is traced and compiled once."""
    from jax import lax

    h, _ = lax.scan(lambda h, x: (ops.tanh(W @ h + x), None), h0, X)
    return ops.sum(h * h)


def scanned_by_pytensor(ops: Any, W: Any, X: Any, h0: Any) -> Any:
    """PyTensor's loop, compiled once."""
    import pytensor

    states = pytensor.scan(
        lambda x, h, W: ops.tanh(W @ h + x),
        sequences=[X],
        outputs_info=[h0],
        non_sequences=[W],
        return_updates=False,
    )
    return ops.sum(states[-1] * states[-1])


def recurrent_states(W: Any, X: Any, h0: Any) -> Any:
    states = np.empty((len(X) + 1, len(h0)))
    states[0] = h0
    for t, x in enumerate(X, 1):
        np.tanh(W @ states[t - 1] + x, out=states[t])
    return states


def recurrent_value(W: Any, X: Any, h0: Any) -> Any:
    h = recurrent_states(W, X, h0)[-1]
    return h @ h


def recurrent_gradient(W: Any, X: Any, h0: Any) -> Any:
    """The adjoints of all steps first, then one product over them."""
    states = recurrent_states(W, X, h0)
    slopes = 1 - states[1:] ** 2
    z_bar = np.empty_like(slopes)
    h_bar = 2 * states[-1]
    for t in range(len(X) - 1, -1, -1):
        np.multiply(h_bar, slopes[t], out=z_bar[t])
        h_bar = W.T @ z_bar[t]
    return states[-1] @ states[-1], z_bar.T @ states[:-1]


def recurrent_hessian(W: Any, X: Any, h0: Any) -> Any:
    """Forward over reverse: tangents of all states, then adjoints against their curvature."""
    n = len(h0)
    unit = np.arange(n)
    states, tangents = [h0], [np.zeros((n, n * n))]
    for x in X:
        h = np.tanh(W @ states[-1] + x)
        Z = W @ tangents[-1]
        Z.reshape(n, n, n)[unit, unit] += states[-1]
        states.append(h)
        tangents.append((1 - h * h)[:, None] * Z)
    H = 2 * tangents[-1].T @ tangents[-1]
    h_bar = 2 * states[-1]
    for t in range(len(X), 0, -1):
        slope = 1 - states[t] ** 2
        z_bar = h_bar * slope
        # tangents are slope·dz, so that dz' diag(h_bar·tanh'') dz has slope² to be divided by
        H -= tangents[t].T @ ((2 * states[t] * h_bar / slope)[:, None] * tangents[t])
        mixed = np.multiply.outer(z_bar, tangents[t - 1]).reshape(n * n, n * n)
        H += mixed
        H += mixed.T
        h_bar = W.T @ z_bar
    return H.reshape(n, n, n, n)


def net(activation: str, layer: int) -> Problem:
    place = {1: "first", 5: "middle", 10: "last"}[layer]
    return Problem(
        row="C",
        name=f"{activation}-{place}",
        title=f"Ten-layer net, {activation}, by its {place} layer",
        program=lambda n, b: program(activation, layer),
        wrt="W",
        data=data,
        objective=partial(objective, activation, layer),
        sizes={"hessian": SIZES},
        experts={"hessian": partial(hessian, activation, layer)},
        widest=lambda n, b: 2 * n * b,
        modes=("reverse",),
    )


def formatted(text: str) -> Callable[..., str]:
    return lambda n, T: text.format(T=T)


PROBLEMS = [
    *(net(activation, layer) for activation in ("relu", "tanh") for layer in (1, 5, 10)),
    Problem(
        row="C",
        name="recurrent",
        title="Recurrent net with shared weights",
        program=formatted(RECURRENT),
        wrt="W",
        data=recurrent_data,
        objective=recurrent,
        sizes={"hessian": ({"n": 10, "T": 5}, {"n": 20, "T": 5}, {"n": 20, "T": 10})},
        experts={"hessian": recurrent_hessian},
        widest=lambda n, T: n * T,
        modes=("reverse",),
    ),
    Problem(
        row="C",
        name="recurrent-long",
        title="Recurrent net over a series",
        program=formatted(RECURRENT),
        kept=lambda n, T: RECURRENT.format(T="T"),
        wrt="W",
        data=recurrent_data,
        objective=recurrent,
        special={"jax": scanned, "pytensor": scanned_by_pytensor},
        sizes={"value": SERIES, "gradient": SERIES},
        experts={"value": recurrent_value, "gradient": recurrent_gradient},
        widest=lambda n, T: n * T,
    ),
]
