"""Cross-country derivatives: operation counts against the best by hand, and what they look like.

Counts by hand are those of the project's notes on the prototype, and closed forms.
"""

from __future__ import annotations

import numpy as np
import pytest

import tcalc
from tcalc import gallery
from tcalc.calculus import crosscountry, derivative, prepare
from tcalc.calculus.cost import flops
from tcalc.calculus.crosscountry import (
    Allowance,
    TooManyTermsError,
    factored_jacobian,
    hessian_by_cut,
)
from tcalc.expr import build, shape
from tcalc.expr.traverse import postorder, variables
from tcalc.expr.verify import verify
from tcalc.interpret import evaluate
from tcalc.primitives.exponential import exp
from tcalc.primitives.hyperbolic import tanh
from tcalc.primitives.inverse import inv
from tcalc.primitives.piecewise import relu

B, N, M, K = shape("b", "n", "m", "k")


def net(activation, layers=10):
    """Layers with activations, and the sum of the exponentials of what comes out."""
    weights = [build.var(f"W{k}", (N, N)) for k in range(layers)]
    signal = build.var("X", (B, N))
    for k, W in enumerate(weights):
        signal = build.einsum([signal, W], "bj,ij->bi")
        signal = activation(signal) if k < layers - 1 else exp(signal)
    return build.sum_all(signal), weights


def rnn(steps):
    W, state = build.var("W", (N, N)), build.var("h", (N,))
    for k in range(steps):
        drive = build.einsum([W, state], "ij,j->i")
        state = tanh(build.sum_of(drive, build.var(f"x{k}", (N,))))
    return build.einsum([state, state], "i,i->"), W


def routes(f, variable):
    (f,) = prepare([f])
    g = derivative(f, [variable])
    return {
        "reverse": derivative(g, [variable], "reverse"),
        "factored": factored_jacobian(g, variable),
        "cut": hessian_by_cut(g, f, variable),
        "chosen": derivative(f, [variable, variable]),
    }


@pytest.mark.parametrize("activation", [tanh, relu], ids=["tanh", "relu"])
@pytest.mark.parametrize("layer", [0, 2, 3])
def test_all_routes_to_the_hessian_of_a_net_agree(activation, layer):
    f, weights = net(activation, layers=4)
    found = routes(f, weights[layer])
    verify(list(found.values()))
    generator = np.random.default_rng(0)
    values = {
        v.name: generator.standard_normal((3, 5) if v.name == "X" else (5, 5)) / 2
        for v in variables([f])
    }
    reference, *others = evaluate(list(found.values()), values)
    assert abs(reference).max() > 1e-3
    for other in others:
        np.testing.assert_allclose(other, reference, rtol=1e-11, atol=1e-12 * abs(reference).max())


@pytest.mark.parametrize(
    ("activation", "sizes", "by_hand"),
    [
        (relu, {"n": 20, "b": 8}, 3.84e6),
        (tanh, {"n": 50, "b": 32}, 552e6),
    ],
)
def test_first_layer_hessian_costs_what_it_costs_by_hand(activation, sizes, by_hand):
    f, weights = net(activation)
    H = derivative(f, [weights[0], weights[0]])
    assert flops([H], sizes) <= 1.05 * by_hand


def test_reverse_mode_makes_nodes_of_order_four_and_cross_country_does_not():
    f, weights = net(tanh, layers=3)
    g = derivative(f, [weights[0]])
    reverse = derivative(g, [weights[0]], "reverse")
    chosen = derivative(f, [weights[0], weights[0]])
    assert sum(node.order >= 4 for node in postorder([reverse])) > 4
    assert sum(node.order >= 4 for node in postorder([chosen])) <= 2  # the result and its core


@pytest.mark.parametrize("steps", [2, 5, 10])
def test_shared_weights_do_not_blow_up(steps):
    f, W = rnn(steps)
    chosen = derivative(f, [W, W])
    reverse = derivative(derivative(f, [W]), [W], "reverse")
    assert flops([chosen]) <= flops([reverse])
    values = {
        v.name: np.random.default_rng(1).standard_normal((3,) * v.order) for v in variables([f])
    }
    a, b = evaluate([chosen, reverse], values)
    np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_of_long_graphs_the_nodes_count_beside_the_operations():
    f = prepare([tcalc.parse(gallery.load("kalman_filter").program).node])[0]
    A = next(x for x in variables([f]) if x.name == "A")
    found = routes(f, A)
    assert flops([found["factored"]]) < flops([found["reverse"]]) < 3 * flops([found["factored"]])
    assert len(postorder([found["reverse"]])) < len(postorder([found["factored"]])) / 2
    assert len(postorder([found["chosen"]])) == len(postorder([found["reverse"]]))


@pytest.mark.parametrize("steps", [10, 20])
def test_factored_routes_are_left_where_their_terms_multiply(steps):
    f, W = rnn(steps)
    found = routes(f, W)
    assert found["chosen"] is found["reverse"]
    (f,) = prepare([f])
    g = derivative(f, [W])
    for route in (factored_jacobian, lambda g, W, a: hessian_by_cut(g, f, W, a)):
        with pytest.raises(TooManyTermsError):
            route(g, W, Allowance(len(postorder([found["reverse"]]))))


def test_products_across_the_cut_of_a_recurrence_grow_with_the_square_of_its_steps(monkeypatch):
    made = []
    single = crosscountry.joined
    monkeypatch.setattr(crosscountry, "joined", lambda *x: made.append(x) or single(*x))

    def products(steps):
        made.clear()
        f, W = rnn(steps)
        (f,) = prepare([f])
        hessian_by_cut(derivative(f, [W]), f, W)
        return len(made)

    assert products(20) < 5 * products(10)


def test_logistic_regression_costs_two_products():
    X, w = build.var("X", (M, N)), build.var("w", (N,))
    f = build.sum_all(exp(build.einsum([X, w], "ij,j->i")))
    H = derivative(f, [w, w])
    m, n = 200, 100
    assert flops([H], {"m": m, "n": n}) <= 2 * m * n * n + 6 * m * n


@pytest.mark.parametrize("masked", [False, True])
def test_matrix_factorisation_is_compressed(masked):
    U, V = build.var("U", (N, K)), build.var("V", (M, K))
    difference = build.subtract(build.einsum([U, V], "ik,jk->ij"), build.var("T", (N, M)))
    mask = [build.var("O", (N, M))] if masked else []
    f = build.einsum([difference, difference, *mask], ["ij"] * (2 + masked), "")
    H = derivative(f, [U, U])
    core = build.einsum([V, V, *mask], ["aj", "al", *["ba"] * masked], "bjl" if masked else "jl")
    rows = "ijl" if masked else "jl"
    assert H is build.scale(2, build.einsum([build.delta(N), core], ["ik", rows], "ijkl"))


def test_a_narrow_waist_is_not_multiplied_out():
    P, Q, x = build.var("P", (M, K)), build.var("Q", (K, N)), build.var("x", (N,))
    y = tanh(build.einsum([P, build.einsum([Q, x], "ij,j->i")], "ij,j->i"))
    z = tanh(build.einsum([build.var("R", (M, M)), y], "ij,j->i"))
    sizes = {"m": 400, "n": 300, "k": 5}
    chosen, reverse = derivative(z, [x]), derivative(z, [x], "reverse")
    assert flops([chosen], sizes) <= flops([reverse], sizes)


def test_few_inputs_are_differentiated_from_their_end():
    x = build.var("x", ())
    A = build.var("A", (N, N))
    F = build.einsum([A, x], "ij,->ij")
    for _ in range(4):
        F = tanh(build.einsum([F, A], "ij,jk->ik"))
    chosen = derivative(F, [x])
    assert flops([chosen]) <= 1.01 * flops([derivative(F, [x], "forward")])


def test_recursions_of_matrices_grow_linearly():
    F, C, R = build.var("F", (N, N)), build.var("C", (K, N)), build.var("R", (K, K))

    def nodes(steps: int) -> int:
        P = build.var("P", (N, N))
        for _ in range(steps):
            U = build.einsum([F, P, F], "ij,jk,lk->il")
            S = build.sum_of(build.einsum([C, U, C], "ij,jk,lk->il"), R)
            gain = build.einsum([U, C, inv(S)], "ij,kj,kl->il")
            P = build.subtract(U, build.einsum([gain, C, U], "ij,jk,kl->il"))
        f = build.sum_all(P)
        return len(postorder([derivative(f, [F, F])]))

    few, more, most = nodes(4), nodes(6), nodes(8)
    assert most - more < 3 * (more - few)  # a doubling per step would be 4 times


@pytest.mark.parametrize("mode", ["forward", "reverse", "cross-country"])
def test_what_is_constant_along_a_joined_axis_counts_as_often_as_it_is_long(mode: str) -> None:
    variance = tcalc.parse("sum((x - mean(x)).^2)/n", "x[n]")
    assert tcalc.check(variance, "x", order=2, mode=mode)
