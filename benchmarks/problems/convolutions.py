"""C. A layer of a convolutional net by its weights; a signal from what a filter leaves of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from benchmarks.task import Problem

LAYER = """
tensor X[s,c,h,w], W[o,c,p,p], b[o]
Y[s,o,i,j] = tanh(X[s,c,i+k-1,j+l-1]*W[o,c,k,l] + b[o])
sum(Y.^2) / s
"""
LAYERS = (
    {"s": 1, "c": 3, "o": 8, "h": 16, "w": 16, "p": 3},
    {"s": 8, "c": 3, "o": 16, "h": 32, "w": 32, "p": 5},
    {"s": 16, "c": 16, "o": 32, "h": 32, "w": 32, "p": 3},
)

SIGNAL = """
tensor x[n], w[m], y[n-m+1]
r[i] = x[i+k-1]*w[k] - y[i]
norm2(r)^2 + 0.1*norm2(x[2:n] - x[1:n-1])^2
"""
SIGNALS = ({"n": 1000, "m": 10}, {"n": 20_000, "m": 64}, {"n": 200_000, "m": 64})


def layer_data(
    rng: np.random.Generator, s: int, c: int, o: int, h: int, w: int, p: int
) -> dict[str, Any]:
    return {
        "X": rng.standard_normal((s, c, h, w)),
        "W": rng.standard_normal((o, c, p, p)) / (p * np.sqrt(c)),
        "b": rng.standard_normal(o),
    }


def layer(ops: Any, X: Any, W: Any, b: Any) -> Any:
    Y = ops.tanh(ops.layer(X, W) + b[None, :, None, None])
    return ops.sum(Y * Y) / X.shape[0]


def patches(X: Any, p: int) -> Any:
    """The windows of all images in columns, rows of pixels running last."""
    windows = sliding_window_view(X, (p, p), axis=(2, 3)).transpose(1, 4, 5, 0, 2, 3)
    return windows.reshape(p * p * X.shape[1], -1)


def layer_value(X: Any, W: Any, b: Any) -> Any:
    Y = np.tanh(W.reshape(len(W), -1) @ patches(X, W.shape[-1]) + b[:, None])
    return np.vdot(Y, Y) / len(X)


def layer_gradient(X: Any, W: Any, b: Any) -> Any:
    seen = patches(X, W.shape[-1])
    Y = np.tanh(W.reshape(len(W), -1) @ seen + b[:, None])
    f = np.vdot(Y, Y) / len(X)
    Y *= 1 - Y * Y
    return f, (2 / len(X) * (Y @ seen.T)).reshape(W.shape)


def signal_data(rng: np.random.Generator, n: int, m: int) -> dict[str, Any]:
    x, w = np.cumsum(rng.standard_normal(n)), rng.random(m) / m
    return {"x": x, "w": w, "y": np.correlate(x, w) + rng.standard_normal(n - m + 1)}


def signal(ops: Any, x: Any, w: Any, y: Any) -> Any:
    r, d = ops.filtered(x, w) - y, x[1:] - x[:-1]
    return ops.sum(r * r) + 0.1 * ops.sum(d * d)


def signal_value(x: Any, w: Any, y: Any) -> Any:
    r, d = np.correlate(x, w) - y, np.diff(x)
    return r @ r + 0.1 * (d @ d)


def signal_gradient(x: Any, w: Any, y: Any) -> Any:
    r, d = np.correlate(x, w) - y, np.diff(x)
    g = np.convolve(r, w)
    d *= 0.1
    f = r @ r + 10 * (d @ d)
    g[1:] += d
    g[:-1] -= d
    g *= 2
    return f, g


PROBLEMS = [
    Problem(
        row="C",
        name="layer",
        title="Convolutional layer",
        program=lambda **sizes: LAYER,
        wrt="W",
        data=layer_data,
        objective=layer,
        sizes={"value": LAYERS, "gradient": LAYERS},
        experts={"value": layer_value, "gradient": layer_gradient},
        widest=lambda s, c, o, h, w, p: s * max(c * p * p, o) * h * w,
    ),
    Problem(
        row="C",
        name="deconvolution",
        title="Deconvolution of a signal",
        program=lambda **sizes: SIGNAL,
        wrt="x",
        data=signal_data,
        objective=signal,
        sizes={"value": SIGNALS, "gradient": SIGNALS},
        experts={"value": signal_value, "gradient": signal_gradient},
        widest=lambda n, m: n,
    ),
]
