"""Filtering and smoothing of long series: right, and in time that is linear in their length."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest
from numerical import first

import tcalc
from tcalc import gallery
from tcalc.gallery import data

SIZES = {"n": 3, "p": 2}


def longer(name: str, length: int) -> str:
    """The program of a model for a series of that length."""
    return re.sub(r"\b3\b", str(length), gallery.load(name).program)


def series(name: str, length: int) -> dict[str, np.ndarray]:
    return data.MAKERS[name](np.random.default_rng(0), **SIZES, length=length)


def kalman_filter(Y, A, C, q, r):
    """The textbook recursions, as NumPy: value, filtered and predicted moments of the states."""
    m, P, value, steps = np.zeros(len(A)), np.eye(len(A)), 0.0, []
    for y in Y:
        h, U = A @ m, A @ P @ A.T + np.diag(np.exp(q))
        S = C @ U @ C.T + np.diag(np.exp(r))
        gain, e = U @ C.T @ np.linalg.inv(S), y - C @ h
        value += (e @ np.linalg.solve(S, e) + np.log(np.linalg.det(2 * np.pi * S))) / 2
        m, P = h + gain @ e, U - gain @ C @ U
        steps.append((h, U, m, P))
    return value, steps


def rts_smoother(Y, X, A, C, q, r):
    _, steps = kalman_filter(Y, A, C, q, r)
    value, ahead = 0.0, None
    for x, (h, U, m, P) in zip(X[::-1], steps[::-1], strict=True):
        s, S = m, P
        if ahead is not None:
            gain = P @ A.T @ np.linalg.inv(ahead[1])
            s, S = m + gain @ (ahead[2] - ahead[0]), P + gain @ (ahead[3] - ahead[1]) @ gain.T
        value += (s - x) @ (s - x) + np.trace(S)
        ahead = h, U, s, S
    return value


REFERENCES = {
    "kalman_filter": lambda **inputs: kalman_filter(**inputs)[0],
    "rts_smoother": rts_smoother,
}


@pytest.mark.parametrize(
    "name", ["kalman_filter", pytest.param("rts_smoother", marks=pytest.mark.slow)]
)
def test_two_hundred_steps(name):
    f = tcalc.parse(longer(name, 200))
    wrt = gallery.load(name).wrt
    inputs, reference = series(name, 200), REFERENCES[name]
    value, *gradients = tcalc.compile([f, *(tcalc.gradient(f, by) for by in wrt)])(**inputs)
    np.testing.assert_allclose(value, reference(**inputs), rtol=1e-12)
    rng = np.random.default_rng(1)
    for by, gradient in zip(wrt, gradients, strict=True):
        direction = rng.standard_normal(gradient.shape)

        def along(step, by=by, direction=direction):
            return reference(**{**inputs, by: inputs[by] + step * direction})

        np.testing.assert_allclose(np.sum(gradient * direction), first(along), rtol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("name", REFERENCES)
def test_the_time_to_derive_and_compile_is_linear_in_the_length(name):
    def seconds(length):
        start = time.process_time()
        f = tcalc.parse(longer(name, length))
        tcalc.compile([f, tcalc.gradient(f, "A")])(**series(name, length))
        return time.process_time() - start

    seconds(10)
    # Four times the length: a time that grows as the square would make it sixteen.
    assert seconds(200) < 8 * seconds(50)
