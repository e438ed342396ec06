"""Derivatives against closed forms, against each other in all modes, and against numbers."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcalc.calculus import MODES, derivative, derivatives, prepare
from tcalc.calculus.cost import flops
from tcalc.checking import check_derivative
from tcalc.errors import ArgumentError
from tcalc.expr import Einsum, build, shape
from tcalc.expr.traverse import postorder
from tcalc.expr.verify import verify
from tcalc.interpret import evaluate
from tcalc.primitives.determinant import Cofactors
from tcalc.primitives.exponential import exp, log
from tcalc.primitives.hyperbolic import tanh
from tcalc.primitives.inverse import Inverse
from tcalc.primitives.norms import norm2
from tcalc.primitives.piecewise import Where, relu
from tcalc.primitives.power import power

M, N, K = shape("m", "n", "k")
A = build.var("A", (N, N))
X = build.var("X", (M, N))
S = build.var("S", (N, N), ["symmetric"])
x = build.var("x", (N,))
y = build.var("y", (N,))
c = build.var("c", ())

every_mode = pytest.mark.parametrize("mode", MODES)


@every_mode
def test_quadratic_form(mode):
    f = build.einsum([x, A, x], "i,ij,j->")
    assert derivative(f, [x, x], mode) is build.sum_of(A, build.transpose(A))
    g = build.einsum([x, S, x], "i,ij,j->")
    assert derivative(g, [x, x], mode) is build.scale(2, S)


@every_mode
def test_hessian_of_matrix_factorisation_is_a_small_core(mode):
    U, V = build.var("U", (N, K)), build.var("V", (M, K))
    residual = build.subtract(build.einsum([U, V], "ik,jk->ij"), build.var("T", (N, M)))
    f = build.einsum([residual, residual], "ij,ij->")
    H = derivative(f, [U, U], mode)
    # 2 δ[i,k] (V'V)[j,l]
    core = build.einsum([V, V], "aj,al->jl")
    assert H is build.scale(2, build.einsum([build.delta(N), core], "ik,jl->ijkl"))
    assert max(node.order for node in postorder([core])) == 2


@every_mode
def test_axes_are_those_of_the_output_then_of_each_variable(mode):
    F = build.einsum([X, x], "ij,j->i")
    J = derivative(F, [X, x], mode)
    assert J.dims == (M, M, N, N)
    assert derivative(F, [x], mode) is X
    expected = np.einsum("ia,bc->iabc", np.eye(2), np.eye(3))
    np.testing.assert_array_equal(evaluate([J], {}, {"m": 2, "n": 3})[0], expected)


@every_mode
def test_what_does_not_depend_has_a_zero_derivative(mode):
    assert derivative(build.sum_all(x), [y], mode) is build.zeros((N,))
    assert derivative(x, [c], mode) is build.zeros((N,))


@every_mode
def test_what_cancels_has_a_zero_derivative(mode):
    near, far = (build.subtract(x, other) for other in (y, build.var("z", (N,))))
    margin = build.subtract(*(build.einsum([v, v], "i,i->") for v in (near, far)))
    f = relu(margin)
    assert derivative(f, [x, x], mode) is build.zeros((N, N))


@every_mode
def test_several_variables_at_once(mode):
    f = build.einsum([x, A, y], "i,ij,j->")
    by_x, by_A, by_y = derivatives(f, [x, A, y], mode)
    assert by_x is build.einsum([A, y], "ij,j->i")
    assert by_A is build.outer(x, y)
    assert by_y is build.einsum([A, x], "ij,i->j")


@every_mode
def test_structured_variables(mode):
    half = build.einsum([x, y], "i,j->ij")
    sizes = {"n": 3}
    values = {"x": np.arange(1.0, 4.0), "y": np.array([2.0, -1.0, 5.0])}
    G = np.outer(values["x"], values["y"])
    expected = {
        "symmetric": (G + G.T) / 2,
        "diagonal": np.diag(np.diag(G)),
        "lower": np.tril(G),
        "upper": np.triu(G),
        "orthogonal": G,
    }
    for structure, gradient in expected.items():
        T = build.var("T", (N, N), [structure])
        f = build.einsum([T, half], "ij,ij->")
        (found,) = evaluate([derivative(f, [T], mode)], values, sizes)
        np.testing.assert_allclose(found, gradient)


@every_mode
def test_second_derivative_by_a_symmetric_variable_is_symmetrised_in_both_pairs(mode):
    f = build.einsum([S, A, S], "ij,jk,ki->")
    H = derivative(f, [S, S], mode)
    (value,) = evaluate([H], {"S": np.eye(3), "A": np.arange(9.0).reshape(3, 3)})
    np.testing.assert_allclose(value, value.transpose(1, 0, 2, 3))
    np.testing.assert_allclose(value, value.transpose(0, 1, 3, 2))
    np.testing.assert_allclose(value, value.transpose(2, 3, 0, 1))


def leaves():
    return st.sampled_from([A, S, build.outer(x, y), build.einsum([x], "i->ii")])


def combine(children):
    pair = st.tuples(children, children)
    return st.one_of(
        pair.map(lambda p: build.einsum(list(p), "ij,jk->ik")),
        pair.map(lambda p: build.einsum(list(p), "ij,kj->ki")),
        pair.map(lambda p: build.hadamard(*p)),
        pair.map(lambda p: build.add([(2, p[0]), (-1, p[1])])),
        children.map(lambda a: build.apply(tanh, a)),
        children.map(build.transpose),
        pair.map(lambda p: build.einsum([*p, c], "ii,jk,->jk")),
    )


@given(st.recursive(leaves(), combine, max_leaves=6), st.sampled_from([A, S, x, c]))
@settings(max_examples=40, deadline=None)
def test_random_graphs_in_every_mode_and_against_numbers(F, variable):
    f = build.sum_all(build.hadamard(F, F))
    sizes = {"n": 3}
    found = {mode: derivative(f, [variable, variable], mode) for mode in MODES}
    verify(list(found.values()))
    assert flops([found["cross-country"]]) <= flops([found["reverse"]])
    report = check_derivative(f, derivative(f, [variable]), variable, sizes=sizes, directions=2)
    assert report.error < 1e-9
    gradient = derivative(f, [variable])
    for mode in MODES:
        report = check_derivative(gradient, found[mode], variable, sizes=sizes, directions=2)
        assert report.error < 1e-8, mode


def test_squared_norm_has_a_derivative_at_zero():
    f = power(norm2(x, 1), 2)
    assert derivative(f, [x]) is build.scale(2, x)
    fourth = derivative(power(norm2(x, 1), 4), [x])
    values = {"x": np.array([1.0, -2.0])}
    np.testing.assert_allclose(evaluate([fourth], values)[0], [20.0, -40.0])
    np.testing.assert_allclose(evaluate([fourth], {"x": np.zeros(2)})[0], [0.0, 0.0])


def test_branches_not_taken_do_no_harm():
    zero = build.zeros((N,))
    f = build.apply(Where("<"), zero, x, build.apply(log, x), zero)
    values = {"x": np.array([2.0, 0.0, -1.0])}
    first, second = derivative(f, [x]), derivative(f, [x, x])
    with np.errstate(all="raise"):
        got = evaluate([*prepare([f]), first, second], values)
    np.testing.assert_allclose(got[0], [np.log(2), 0, 0])
    np.testing.assert_allclose(np.diag(got[1]), [0.5, 0, 0])
    np.testing.assert_allclose(np.einsum("iii->i", got[2]), [-0.25, 0, 0])
    assert prepare([f]) == prepare(prepare([f]))


def test_long_products_are_split_and_stay_linear():
    factors = [build.var(f"v{k}", (N,)) for k in range(30)]
    f = build.einsum(factors, ["i"] * 30, "")
    (split,) = prepare([f])
    assert max(len(n.factors) for n in postorder([split]) if isinstance(n, Einsum)) <= 4
    found = derivatives(f, factors)
    assert len(postorder(found)) < 8 * 30
    values = {f"v{k}": np.random.default_rng(k).standard_normal(3) for k in range(30)}
    np.testing.assert_allclose(
        evaluate([found[7]], values)[0],
        np.prod([v for name, v in values.items() if name != "v7"], axis=0),
    )


def test_inverse_to_third_order():
    f = build.einsum([build.apply(Inverse(), A)], "ii->")
    report = check_derivative(
        derivative(f, [A, A]), derivative(f, [A, A, A]), A, sizes={"n": 3}, directions=2
    )
    assert report.passed


def test_unknown_modes_are_refused():
    with pytest.raises(ArgumentError, match="no mode"):
        derivative(build.sum_all(x), [x], "sideways")


@pytest.mark.slow
def test_deep_chains_differentiate_in_linear_time():
    def seconds(length: int) -> tuple[float, int]:
        node = x
        for _ in range(length // 2):
            node = build.sum_of(node, build.hadamard(node, y))
        start = time.perf_counter()
        gradient = derivative(build.sum_all(build.apply(exp, node)), [y])
        return time.perf_counter() - start, len(postorder([gradient]))

    short, few = seconds(2_000)
    long, many = seconds(20_000)
    assert many < 11 * few
    assert long < 40 * short  # linear is 10; a wide margin for a busy machine


@every_mode
def test_large_arguments_do_no_harm(mode):
    one = build.ones((N,))
    f = build.sum_all(log(build.sum_of(one, exp(x))))
    values = {"x": np.array([1000.0, 0.0, -1000.0])}
    with np.errstate(all="raise", under="ignore"):
        value, first, second = evaluate(
            [*prepare([f]), derivative(f, [x], mode), derivative(f, [x, x], mode)], values
        )
    np.testing.assert_allclose(value, 1000 + np.log(2))
    np.testing.assert_allclose(first, [1, 0.5, 0])
    np.testing.assert_allclose(np.diag(second), [0, 0.25, 0], atol=1e-300)


def test_a_branch_that_is_not_taken_raises_nothing():
    determinant = build.apply(Cofactors(0), A)
    zero = build.const(0)
    f = build.apply(Where("<"), zero, determinant, log(determinant), zero)
    with np.errstate(invalid="ignore"):
        (value,) = evaluate(prepare([f]), {"A": np.array([[0.0, 1.0], [1.0, 0.0]])})
    assert value == 0
