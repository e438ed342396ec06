"""Code of unrolled recurrences: that of all steps is the same but for names."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest

import tcalc
from tcalc.codegen.structure import Structure
from tcalc.expr import Node, build, shape
from tcalc.expr.traverse import postorder
from tcalc.runtime import plans

KALMAN = """
tensor Y[{T},p], A[n,n], C[p,n], q[n], r[p]
m{{0}} = zeros(n)
P{{0}} = eye(n)
f{{0}} = 0
for t = 1:{T}
    h{{t}} = A*m{{t-1}}
    U{{t}} = A*P{{t-1}}*A' + diag(exp(q))
    L{{t}} = chol(C*U{{t}}*C' + diag(exp(r)))
    G{{t}} = trisolve(L{{t}}, C*U{{t}})
    e{{t}}[i] = Y[t,i] - C[i,j]*h{{t}}[j]
    z{{t}} = trisolve(L{{t}}, e{{t}})
    m{{t}} = h{{t}} + G{{t}}'*z{{t}}
    P{{t}} = U{{t}} - G{{t}}'*G{{t}}
    f{{t}} = f{{t-1}} + norm2(z{{t}})^2/2 + sum(log(diag(L{{t}})))
end
f{{{T}}}
"""

RECURRENT = """
tensor W[n,n], U[n,m], X[{T},m], h[n]
s{{0}} = h
for t = 1:{T}
    s{{t}} = tanh(W*s{{t-1}} + U*X[t,:])
end
norm2(s{{{T}}})^2
"""


def kalman_data(T: int, n: int = 6, p: int = 3) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "Y": rng.standard_normal((T, p)),
        "A": 0.8 * np.linalg.qr(rng.standard_normal((n, n)))[0],
        "C": rng.standard_normal((p, n)),
        "q": np.full(n, -1.0),
        "r": np.full(p, -0.45),
    }


def steps(source: str, mark: str) -> list[tuple[str, ...]]:
    """The lines from mark to mark, one for each step."""
    body = source.split("def compute")[1].split("\ndef ")[0]
    lines = re.sub(r"\(\n\s+", "(", body).replace(",\n", ",").replace("\n    )", ")").splitlines()
    marks = [k for k, text in enumerate(lines) if mark in text]
    return [renamed("\n".join(lines[start:end])) for start, end in pairwise(marks)]


def renamed(text: str) -> tuple[str, ...]:
    """Lines with temporaries numbered as they appear, and places in arrays left out."""
    names: dict[str, str] = {}
    text = re.sub(r"\bt\d+\b", lambda x: names.setdefault(x[0], f"v{len(names)}"), text)
    return tuple(re.sub(r"\[\d+\]", "[k]", text).splitlines())


def emitted(text: str, wrt: str | None, data: dict[str, np.ndarray]) -> str:
    f = tcalc.parse(text)
    fun = tcalc.compile(f if wrt is None else [f, tcalc.gradient(f, wrt)])
    fun(**data)
    return fun.source


def test_steps_of_a_filter_are_written_alike() -> None:
    source = emitted(KALMAN.format(T=14), None, kalman_data(14))
    inner = steps(source, "factorise_spd(")[3:-1]
    assert len(inner) > 8
    assert len(set(inner)) == 1


def test_steps_of_the_adjoint_of_a_filter_are_of_few_kinds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The cotangent of a symmetric matrix is as good transposed, and which one a step has is
    # decided where the derivative is taken: two such choices make four kinds.
    monkeypatch.setattr(plans, "with_batches", lambda program, sizes: program)
    source = emitted(KALMAN.format(T=20), "A", kalman_data(20))
    inner = steps(source, "inverse_factored(")[4:-2]
    several = [step for step in inner if len(step) > 10]
    assert len(several) > 6
    assert len(set(several)) <= 6


@pytest.mark.parametrize("T", [7, 12])
def test_steps_of_a_recurrent_net_are_written_alike(T: int) -> None:
    rng = np.random.default_rng(0)
    data = {x: rng.standard_normal(s) for x, s in (("W", (4, 4)), ("U", (4, 3)), ("h", (4,)))}
    source = emitted(RECURRENT.format(T=T), "W", {**data, "X": rng.standard_normal((T, 3))})
    forward = steps(source, "np.tanh(")[1:-1]
    assert len(set(forward)) == 1
    backward = steps(source, "W.T.dot(")[1:-2]
    assert len(backward) >= T - 5
    assert len(set(backward)) == 1


def test_depth_counts_no_views() -> None:
    A, B = (build.var(x, shape("n", "n")) for x in "AB")
    product = build.einsum([A, B], "ij,jk->ik")
    turned = build.transpose(product)
    structure = Structure(postorder([product, turned]))
    assert structure.depth[turned] == structure.depth[product] == 2
    assert structure.depth[A] == 1


def test_factors_that_are_equal_are_told_apart_by_what_they_meet() -> None:
    # A' X A: the copy of A that meets the first axis of X comes first, however they are given.
    A, X = (build.var(x, shape("n", "n")) for x in "AX")
    Y = build.einsum([X, X], "ij,jk->ik")

    def arranged(rows: list[tuple[int, ...]], output: tuple[int, ...]) -> object:
        structure = Structure(postorder([A, Y]))
        return structure.arranged(build.einsum([A, A], "ij,jk->ik"), [A, A, Y], rows, output)

    first = arranged([(0, 1), (2, 3), (0, 2)], (1, 3))
    assert first == arranged([(2, 3), (0, 1), (0, 2)], (1, 3))


def test_the_order_does_not_depend_on_the_step() -> None:
    def step(x: Node) -> Node:
        return build.sum_of(build.einsum([A, x], "ij,j->i"), b)

    A, b = build.var("A", shape("n", "n")), build.var("b", shape("n"))
    x: Node = b
    kinds = []
    for _ in range(12):
        y = step(x)
        product = build.hadamard(x, y)
        structure = Structure(postorder([product]))
        kinds.append(structure.key(x) < structure.key(y))
        x = y
    assert all(kinds)
