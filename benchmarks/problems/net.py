"""C. A net of ten layers with ReLU and softmax cross-entropy, by the weights of its first layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.task import Problem

PROGRAM = """
tensor X[b,n], Y[b,n], W1[n,n], W[9,n,n]
H{1} = relu(X*W1')
for t = 1:8
    H{t+1}[s,i] = relu(H{t}[s,j] * W[t,i,j])
end
Z[s,i] = H{9}[s,j] * W[9,i,j]
-sum(Y .* logsoftmax(Z)) / b
"""
SIZES = tuple(
    {"n": n, "b": b}
    for n, b in ((10, 1), (20, 1), (50, 1), (20, 8), (50, 8), (10, 32), (20, 32), (50, 32))
)


def data(rng: np.random.Generator, n: int, b: int) -> dict[str, Any]:
    scale = np.sqrt(2 / n)
    return {
        "X": rng.standard_normal((b, n)),
        "Y": np.eye(n)[rng.integers(n, size=b)],
        "W1": scale * rng.standard_normal((n, n)),
        "W": scale * rng.standard_normal((9, n, n)),
    }


def objective(ops: Any, X: Any, Y: Any, W1: Any, W: Any) -> Any:
    H = ops.relu(X @ W1.T)
    for t in range(8):
        H = ops.relu(H @ W[t].T)
    Z = H @ W[8].T
    return ops.sum(Y * (ops.logsumexp_rows(Z) - Z)) / X.shape[0]


def forward(X: Any, W1: Any, W: Any) -> tuple[list[Any], Any]:
    layers = [np.maximum(X @ W1.T, 0.0)]
    for t in range(8):
        layers.append(np.maximum(layers[-1] @ W[t].T, 0.0))
    Z = layers[-1] @ W[8].T
    return layers, Z - Z.max(axis=1, keepdims=True)


def value(X: Any, Y: Any, W1: Any, W: Any) -> Any:
    _, Z = forward(X, W1, W)
    return (np.log(np.exp(Z).sum(axis=1)).sum() - np.vdot(Y, Z)) / len(X)


def gradient(X: Any, Y: Any, W1: Any, W: Any) -> Any:
    layers, Z = forward(X, W1, W)
    E = np.exp(Z)
    sums = E.sum(axis=1, keepdims=True)
    f = (np.log(sums).sum() - np.vdot(Y, Z)) / len(X)
    G = (E / sums - Y) @ W[8]
    for t in reversed(range(8)):
        G = (G * (layers[t + 1] > 0)) @ W[t]
    return f, (G * (layers[0] > 0)).T @ X / len(X)


def core(X: Any, Y: Any, W1: Any, W: Any) -> Any:
    """Of one input each: the Hessian by the first layer's activations."""
    layers, Z = forward(X, W1, W)
    p = np.exp(Z)
    p /= p.sum(axis=1, keepdims=True)
    J = W[8] * (layers[8] > 0)[:, None, :]
    for t in reversed(range(8)):
        J = (J @ W[t]) * (layers[t] > 0)[:, None, :]
    R = np.sqrt(p / len(X))[:, :, None] * (J - p[:, None, :] @ J)
    return R.swapaxes(1, 2) @ R


def hessian(X: Any, Y: Any, W1: Any, W: Any) -> Any:
    b, n = X.shape
    S = core(X, Y, W1, W)
    XX = (X[:, :, None] * X[:, None, :]).reshape(b, n * n)
    H = (S.reshape(b, n * n).T @ XX).reshape(n, n, n, n)
    return np.ascontiguousarray(H.transpose(0, 2, 1, 3))


PROBLEMS = [
    Problem(
        row="C",
        name="net",
        title="Ten-layer net",
        program=lambda n, b: PROGRAM,
        wrt="W1",
        data=data,
        objective=objective,
        sizes={"value": SIZES, "gradient": SIZES, "hessian": SIZES, "factored": SIZES},
        experts={"value": value, "gradient": gradient, "hessian": hessian, "factored": core},
        widest=lambda n, b: 2 * n * b,
    )
]
