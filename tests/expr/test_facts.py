"""Facts that are claimed are true of numbers, and nothing is claimed that is not known."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tcalc.checking import sample
from tcalc.expr import Fact, build, facts, shape
from tcalc.expr.facts import holds
from tcalc.expr.symmetry import parity
from tcalc.expr.traverse import variables
from tcalc.interpret import evaluate
from tcalc.primitives.elementwise import BY_NAME
from tcalc.primitives.exponential import exp
from tcalc.primitives.hyperbolic import tanh
from tcalc.primitives.norms import norm2
from tcalc.primitives.piecewise import abs_
from tcalc.primitives.power import power, reciprocal0
from tcalc.primitives.selection import LowerMask, unit
from tcalc.primitives.trigonometric import sin

M, N = shape("m", "n")
X = build.var("X", (M, N))
S = build.var("S", (N, N), ["symmetric"])
P = build.var("P", (N, N), ["psd"])
K = build.var("K", (N, N), ["spd"])
L = build.var("L", (N, N), ["lower"])
U = build.var("U", (N, N), ["upper"])
D = build.var("D", (N, N), ["diagonal"])
Q = build.var("Q", (N, N), ["orthogonal"])
p = build.var("p", (M,), ["nonnegative"])
q = build.var("q", (N,), ["positive"])
v = build.var("v", (N,))
Y = build.var("Y", (N, N))
T = build.var("T", (N, N, N), ["symmetric"])
R = build.var("R", (N, N, N), ["symmetric"])

NODES = {
    "gram": build.einsum([X, X], "ki,kj->ij"),
    "weighted gram": build.einsum([X, p, X], "ki,k,kj->ij"),
    "unsigned weights": build.einsum([X, build.einsum([X], "ij->i"), X], "ki,k,kj->ij"),
    "sandwich": build.einsum([X, P, X], "ij,jk,lk->il"),
    "outer": build.outer(v, v),
    "sum": build.sum_of(K, P, S),
    "spd sum": build.sum_of(K, P),
    "difference": build.subtract(K, P),
    "transposed lower": build.transpose(L),
    "diagonal of positive": build.einsum([q], "i->ii"),
    "diagonal of anything": build.einsum([v], "i->ii"),
    "symmetrised": build.sum_of(
        build.einsum([S, L], "ij,jk->ik"), build.einsum([S, L], "ij,jk->ki")
    ),
    "lower product": build.einsum([L, L], "ij,jk->ik"),
    "masked": build.hadamard(S, build.apply(LowerMask(N, N, 0))),
    "masked and transposed": build.transpose(build.hadamard(L, S)),
    "product with the transpose": build.hadamard(Y, build.transpose(Y)),
    "rows of symmetric matrices": build.einsum([T], "iij->ij"),
    "products of symmetric matrices": build.einsum([T, R], "ikl,jkl->ij"),
    "unit": build.delta(N),
    "positive numbers": build.const(3, (N, N)),
    **{str(node.name): node for node in (S, P, K, L, U, D, Q)},
}

TRUE = {
    Fact.SYMMETRIC: lambda a: np.allclose(a, a.T),
    Fact.PSD: lambda a: np.allclose(a, a.T) and np.linalg.eigvalsh(a).min() > -1e-10,
    Fact.SPD: lambda a: np.allclose(a, a.T) and np.linalg.eigvalsh(a).min() > 0,
    Fact.DIAGONAL: lambda a: np.allclose(a, np.diag(np.diag(a))),
    Fact.LOWER: lambda a: np.allclose(a, np.tril(a)),
    Fact.UPPER: lambda a: np.allclose(a, np.triu(a)),
    Fact.ORTHOGONAL: lambda a: np.allclose(a @ a.T, np.eye(len(a))),
    Fact.NONNEGATIVE: lambda a: (a >= 0).all(),
    Fact.POSITIVE: lambda a: (a > 0).all(),
    Fact.INTEGER: lambda a: np.allclose(a, np.round(a)),
}


@pytest.mark.parametrize("name", NODES)
def test_claimed_facts_are_true(name):
    node = NODES[name]
    sizes = {"m": 5, "n": 4}
    for seed in range(3):
        values = sample(variables([node]), sizes, np.random.default_rng(seed))
        (value,) = evaluate([node], values, sizes)
        for fact, test in TRUE.items():
            if holds(node, fact):
                assert test(value), (name, fact)
            elif holds(node, fact) is False:
                assert not test(value), (name, fact)


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        ("gram", Fact.PSD),
        ("weighted gram", Fact.PSD),
        ("unsigned weights", Fact.SYMMETRIC),
        ("sandwich", Fact.PSD),
        ("outer", Fact.PSD),
        ("spd sum", Fact.SPD),
        ("transposed lower", Fact.UPPER),
        ("diagonal of positive", Fact.SPD),
        ("symmetrised", Fact.SYMMETRIC),
        ("D", Fact.LOWER),
        ("masked", Fact.LOWER),
        ("masked and transposed", Fact.UPPER),
    ],
)
def test_facts_that_must_be_found(name, fact):
    assert holds(NODES[name], fact) is True


def test_batches_of_masked_matrices_are_triangular():
    stack = build.var("B", (M, N, N))
    node = build.einsum([stack, build.apply(LowerMask(N, N, 0))], "bij,ij->bij")
    assert holds(node, Fact.LOWER) is True
    assert holds(build.transpose(node, (0, 2, 1)), Fact.UPPER) is True


def test_most_matrices_of_a_unit_tensor_are_zero():
    assert holds(build.einsum([q], "i->aii", dims={"a": N}), Fact.SPD) is True
    assert holds(build.einsum([q, build.delta(M)], "i,ab->abii"), Fact.SPD) is None


def test_elements_of_what_is_positive_are_positive():
    first, last = unit(1, N), unit(N, N)
    element = build.einsum([q, first], "i,i->")
    assert holds(element, Fact.POSITIVE) is True
    assert holds(power(element, -2), Fact.POSITIVE) is True
    assert holds(build.einsum([q, first, q], "i,i,j->j"), Fact.POSITIVE) is True
    assert holds(build.einsum([v, first], "i,i->"), Fact.POSITIVE) is None
    assert holds(build.hadamard(q, first), Fact.POSITIVE) is None
    assert holds(build.einsum([q, first, last], "i,i,i->"), Fact.POSITIVE) is None
    assert holds(build.einsum([q, build.delta(N), first], "i,ij,j->ij"), Fact.POSITIVE) is None


def test_unknown_is_neither_yes_nor_no():
    assert holds(NODES["difference"], Fact.PSD) is None
    assert holds(X, Fact.NONNEGATIVE) is None
    assert holds(NODES["unsigned weights"], Fact.PSD) is None


def test_mirrored_products_keep_their_other_axes_in_place():
    # P[a,b] X[a,c] X[b,d] with all four labels free: swapping c and d alone changes it.
    X4 = build.var("Y", (N, N))
    node = build.einsum([S, X4, X4], "ab,ac,bd->abcd")
    assert holds(node, Fact.SYMMETRIC) is None
    assert holds(build.einsum([S, X4, X4], "ab,ac,bd->cd"), Fact.SYMMETRIC) is True


def test_facts_of_deep_chains():
    node = q
    for _ in range(20_000):
        node = build.sum_of(node, build.hadamard(node, q))
    assert holds(node, Fact.POSITIVE) is True


def test_rows_scaled_by_sums_of_a_symmetric_matrix_are_not_symmetric() -> None:
    """``diag(S*ones)*S``: exchanging its axes would put two labels in the place of one."""
    s = build.var("S", shape("n", "n"), ["symmetric"])
    assert holds(build.einsum([s, s], "ij,ik->ij"), Fact.SYMMETRIC) is not True


def test_an_interruption_leaves_no_fact_half_known(monkeypatch):
    inner = build.sum_of(build.var("A", (N, N), ["spd"]), build.var("B", (N, N), ["psd"]))
    whole = build.sum_of(build.transpose(inner, (1, 0)), build.var("C", (N, N), ["psd"]))

    def interrupted(node, fact):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(facts, "_infer", interrupted)
        with pytest.raises(KeyboardInterrupt):
            holds(whole, Fact.SPD)
    assert holds(whole, Fact.SPD) is True


def test_facts_are_those_of_one_thread_in_several():
    """A fact that another thread is about to find is not unknown meanwhile."""
    ready = threading.Barrier(2)
    node = build.var("C", (N, N), ["spd"])
    for k in range(50):
        node = build.sum_of(build.transpose(node, (1, 0)), build.var(f"C{k}", (N, N), ["psd"]))

    def ask(_):
        ready.wait()
        return holds(node, Fact.SPD)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(2) as pool:
            assert [*pool.map(ask, range(2))] == [True, True]
    finally:
        sys.setswitchinterval(interval)
    assert holds(node, Fact.SPD) is True


def test_even_functions_of_one_another_may_be_any_number():
    rows, columns = (build.einsum([X], [row], "ijk", {"i": M, "j": M}) for row in ("ik", "jk"))
    node = build.subtract(rows, columns)
    for _ in range(5000):
        node = abs_(node)
    assert holds(build.einsum([node], "ijk->ij"), Fact.SYMMETRIC) is True


def test_distances_are_symmetric():
    rows, columns = (build.einsum([X], [row], "ijk", {"i": M, "j": M}) for row in ("ik", "jk"))
    distances = norm2(build.subtract(rows, columns), 1)
    known = build.var("D", (M, M), ["symmetric"])
    for node in (
        distances,
        reciprocal0(distances),
        abs_(distances),
        build.subtract(distances, known),
    ):
        assert holds(node, Fact.SYMMETRIC) is True
    assert holds(norm2(build.sum_of(rows, columns), 1), Fact.SYMMETRIC) is True
    one_way = build.add([(1, rows), (-2, columns)])
    assert holds(norm2(one_way, 1), Fact.SYMMETRIC) is None


def test_odd_functions_of_differences_change_their_signs():
    rows, columns = (build.einsum([X], [row], "ijk", {"i": M, "j": M}) for row in ("ik", "jk"))
    wave = sin(build.subtract(rows, columns))
    assert (parity(wave, 0, 1), parity(tanh(wave), 0, 1), parity(exp(wave), 0, 1)) == (-1, -1, 0)
    distances = build.einsum([power(wave, 2)], "ijk->ij")
    assert holds(distances, Fact.SYMMETRIC) is True
    assert holds(build.einsum([wave], "ijk->ij"), Fact.SYMMETRIC) is None


def test_functions_are_even_or_odd_as_they_say():
    numbers = np.array([0.25, 0.5, 0.75])
    found = {True: set(), False: set()}
    for name, function in BY_NAME.items():
        if function.arity == 1 and (function.even or function.odd):
            found[function.even].add(name)
            sign = 1 if function.even else -1
            np.testing.assert_array_equal(
                function.evaluate(-numbers), sign * function.evaluate(numbers)
            )
    assert {"abs", "cos", "normpdf"} <= found[True]
    assert {"sign", "sin", "erf"} <= found[False]
