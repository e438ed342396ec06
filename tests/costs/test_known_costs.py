"""Costs against closed forms: what a person who multiplies with care needs for the same tensor."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from counting import operations
from problems import PROBLEMS, net, recurrence

import tcalc
from tcalc import gallery
from tcalc.calculus import MODES, derivative, prepare
from tcalc.calculus.cost import flops as estimate
from tcalc.codegen.lower import lower
from tcalc.codegen.work import flops
from tcalc.costing import Cost
from tcalc.expr.traverse import postorder


def costs(text, wrt, order=None, mode="cross-country", form="dense", **sizes) -> Cost:
    f = tcalc.parse(text)
    return tcalc.cost(f, wrt, order, sizes=sizes or None, modes=[mode]).row(mode, form)


class TestLogisticRegression:
    """``X' diag(d) X``, d ≥ 0: m n² with symmetry, 2 m n² without, and O(m n)."""

    TEXT = PROBLEMS["logistic regression"].text

    @pytest.mark.parametrize("n", [64, 256, 1024])
    def test_with_symmetry(self, n):
        row = costs(self.TEXT, "w", m=2 * n, n=n)
        assert str(row.flops.leading) == "m*n^2"
        rest = row.operations - 2 * n**3
        assert 0 < rest <= 5 * (2 * n) * n

    def test_without_symmetry(self):
        # Of sin'' nothing is known that would make it a square.
        row = costs("tensor X[m,n], w[n]; sum(sin(X*w))", "w")
        assert str(row.flops.leading) == "2*m*n^2"
        assert row.flops.coefficient("m", "n") <= 4

    def test_plain_reverse_mode_passes_over_the_data_twice_more(self):
        reverse = costs(self.TEXT, "w", mode="reverse").flops
        paper = costs(self.TEXT, "w", mode="tensor-order").flops
        assert str(reverse.leading) == str(paper.leading) == "2*m*n^2"
        assert reverse.coefficient("m", "n") - paper.coefficient("m", "n") == 2


class TestMatrixFactorisation:
    def test_the_core_costs_a_product_of_small_matrices(self):
        row = costs(PROBLEMS["matrix factorisation"].text, "U", form="factored")
        assert str(row.flops.leading) == "k^2*n"
        assert row.flops.names() == {"k", "n"}  # V'V, whatever the size of U
        assert str(row.memory) == "k^2"
        assert row.order == 2

    def test_masked_the_factors_are_the_data(self):
        row = costs(PROBLEMS["masked factorisation"].text, "U", form="factored")
        assert (row.order, str(row.flops)) == (2, "0")
        dense = costs(PROBLEMS["masked factorisation"].text, "U")
        assert str(dense.flops.leading) == "2*k^2*m*n"

    def test_a_newton_step_does_not_depend_on_the_size_of_the_hessian(self):
        f = tcalc.parse(
            "tensor U[m,k], V[n,k], T[m,n]; f = norm2(U*V' - T)^2\nhessian(f, U) \\ gradient(f, U)"
        )
        (node,) = prepare([f.node])
        count = flops(lower([node], {"m": 1000, "n": 1000, "k": 10}))
        assert all(monomial.count("m") <= 1 for monomial, _ in count.terms)
        assert count.evaluate({"m": 1000, "n": 1000, "k": 10}) < 6 * 1000 * 1000 * 10


def net_by_hand(activation: str, layer: int, n: int, b: int) -> int:
    """The Hessian of the ten-layer net by one layer's matrix, ``A[b,j] S[b,i,k] A[b,l]``.

    ReLU: S = J'diag(e)J for each sample, J the chain of the L layers above: L products of matrices.
    tanh: a term more from each layer above but the last, each one more product.  The last layer has
    S diagonal.  The forward pass is 20 b n², an adjoint 2 b n² for each layer, and what is scaled
    and added b n² or three times that.
    """
    above = 10 - layer
    if above == 0:
        return (2 * b - 1) * n**3 + 21 * b * n**2
    products = above if activation == "relu" else 2 * above - 1
    small = 22 if activation == "relu" else 20 + 5 * above
    return (2 * b - 1) * n**4 + 2 * b * n**3 * products + small * b * n**2


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("layer", [1, 5, 10])
def test_net_of_ten_layers(activation, layer):
    f = tcalc.parse(net(activation))
    sizes = [{"n": n, "b": b} for n in (10, 20, 50) for b in (1, 8, 32)]
    for planned in (sizes[0], sizes[4], sizes[-1]):
        row = tcalc.cost(f, f"W{layer}", sizes=planned, modes=["cross-country"]).row()
        assert math.isclose(row.operations, net_by_hand(activation, layer, **planned), rel_tol=0.05)
    # The last plan is the one for all sizes.
    for size in sizes:
        by_hand = net_by_hand(activation, layer, **size)
        assert math.isclose(row.flops.evaluate(size), by_hand, rel_tol=0.05), size


def test_net_of_ten_layers_in_numbers():
    assert costs(net("relu"), "W1", n=20, b=8).operations <= 3.84e6
    assert costs(net("tanh"), "W1", n=50, b=32).operations <= 552e6


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_weights_that_are_slices_of_a_stack(activation):
    # Softmax cross-entropy by the fifth of ten layers, the weights of the others in one tensor.
    lines = ["tensor X[b,n], Y[b,n], W[n,n], V[9,n,n]", "H0 = X"]
    for k in range(1, 10):
        weights = "W" if k == 5 else f"V[{k - (k > 5)},:,:]"
        lines.append(f"H{k} = {activation}(H{k - 1}*{weights}')")
    text = "\n".join([*lines, "Z = H9*V[9,:,:]'", "-sum(Y .* logsoftmax(Z)) / b"])
    products = 5 if activation == "relu" else 2 * 5
    for n, b in ((10, 32), (20, 8), (50, 32)):
        by_hand = 2 * b * n**4 + 2 * b * n**3 * products + 30 * b * n**2
        assert costs(text, "W", n=n, b=b).operations <= 1.05 * by_hand


def test_two_sided_product():
    d = 80
    text = PROBLEMS["two-sided product"].text
    row = costs(text, "X", p=d, q=d, m=d, n=d)
    # B'B and A'A, symmetric, and their outer product.
    assert row.operations <= d**4 + 2 * d**3 + 2 * d**2
    plain = costs(text, "X", mode="reverse", p=d, q=d, m=d, n=d)
    assert plain.operations > 100 * row.operations
    assert costs(text, "X", form="factored").order == 2


def test_pairwise_distances_fit_into_memory():
    text = PROBLEMS["pairwise distances"].text
    sizes = {"n": 500, "d": 10}
    row = costs(text, "X", **sizes)
    result = 8 * (500 * 10) ** 2
    assert result == 200e6
    assert row.bytes <= 3 * result
    assert row.order == 4
    # Each entry of the four blocks of a pair takes a few operations.
    assert row.operations <= 8 * (500 * 10) ** 2
    assert costs(text, "X", mode="forward", **sizes).bytes > 5e14


def test_pairwise_distances_take_the_memory_that_is_told():
    problem, sizes = PROBLEMS["pairwise distances"], {"n": 200, "d": 5}
    f, data = problem.function, problem.data(sizes)
    hessian = tcalc.compile(tcalc.hessian(f, "X"))
    hessian(**data)
    tracemalloc.start()
    result = hessian(**data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    told = costs(problem.text, "X", **sizes).bytes
    assert result.nbytes <= told <= 3 * result.nbytes
    assert peak == pytest.approx(told, rel=0.25)


@pytest.mark.parametrize("steps", [2, 6])
def test_recurrent_net_does_not_blow_up(steps):
    default, reverse = (
        costs(recurrence(steps), "W", mode=mode, n=50) for mode in ("cross-country", "reverse")
    )
    assert default.operations <= reverse.operations
    assert default.order == 4


class TestDefaultNeverCostsMoreThanReverse:
    """The law: cross-country takes the cheaper of its routes and reverse mode."""

    @pytest.mark.parametrize("name", gallery.names())
    def test_in_the_gallery(self, name):
        model = gallery.load(name)
        f = tcalc.parse(model.text)
        sizes = {x: 100 for v in f.variables.values() for d in v.dims for x in d.names()}
        long = name in ("kalman_filter", "rts_smoother")
        for wrt in model.wrt[:1] if long else model.wrt:
            variable = f.variable(wrt)
            for order in (1, 2):
                found, plain = (
                    derivative(f.node, [variable] * order, mode)
                    for mode in ("cross-country", "reverse")
                )
                assert estimate([found]) <= estimate([plain]), (wrt, order)
                ours, theirs = (
                    flops(lower(prepare([node]), sizes)).evaluate(sizes) for node in (found, plain)
                )
                assert ours <= 1.02 * theirs, (wrt, order)

    @pytest.mark.parametrize("steps", [2, 5])
    def test_with_shared_weights(self, steps):
        f = tcalc.parse(recurrence(steps))
        W = f.variable("W")
        found, plain = (derivative(f.node, [W, W], mode) for mode in ("cross-country", "reverse"))
        assert estimate([found]) <= estimate([plain])


class TestSymmetry:
    """The two chains of a Hessian are one set of nodes, and symmetric products take half."""

    def test_the_chains_of_a_hessian_are_one_set_of_nodes(self):
        def count(layers: int, mode: str = "cross-country") -> int:
            f = tcalc.parse(net("relu", layers))
            W = f.variable("W1")
            return len(postorder([derivative(f.node, [W, W], mode)]))

        # Each layer adds its matrix, product, value and slope, and one product to the chain;
        # reverse mode has the chain in both directions.
        assert count(12) - count(10) == count(10) - count(8) == 2 * 5
        assert count(12, "reverse") - count(10, "reverse") >= 2 * 8

    @pytest.mark.parametrize("layer", [1, 5])
    def test_half_of_the_chain_is_multiplied_once(self, layer):
        f = tcalc.parse(net("relu"))
        sizes = {"n": 12, "b": 3}
        H = tcalc.hessian(f, f"W{layer}")
        data = {
            name: np.full([dim.evaluate(sizes) for dim in v.dims], 0.1)
            for name, v in f.variables.items()
        }
        found, result = operations(tcalc.compile(H).source_for(**sizes), data)
        products = (2 * 3 - 1) * 12**4 + 2 * 3 * 12**3 * (10 - layer)
        assert products < found < 1.2 * products
        np.testing.assert_allclose(result, result.transpose(2, 3, 0, 1), rtol=1e-12)

    def test_a_gram_product_takes_half(self):
        m, n = 40, 12
        f = tcalc.parse("tensor X[m,n], w[n]; norm2(X*w)^2")
        found, result = operations(
            tcalc.compile(tcalc.hessian(f, "w")).source_for(m=m, n=n),
            {"X": np.random.default_rng(0).standard_normal((m, n))},
        )
        assert found == n * (n + 1) / 2 * (2 * m - 1) + n**2
        assert np.array_equal(result, result.T)


def test_outer_products_in_a_sum_are_multiplied_one_by_one():
    # Terms as inv(A)[i,k] (inv(A)' x)[l] x[j], after some products of matrices with vectors.
    row = costs("tensor A[n,n], b[n]; norm2(A\\b)^2", "A", n=60)
    assert row.flops.coefficient(*"nnnnn") == 0
    assert row.operations <= 12 * 60**4


class TestRunningSums:
    """A product with a triangle of ones is one addition for each element, in any order."""

    @pytest.mark.parametrize("sums", ["cumsum(h)", "triu(ones(n,n))*h"])
    def test_partial_likelihood(self, sums):
        # Cox: X' diag(a) X and Y' diag(b) Y with Y the running sums of diag(h) X; no n by n matrix.
        text = f"tensor X[n,p], b[p], d[n]; h = exp(X*b); d'*(X*b - log({sums}))"
        row = costs(text, "b", n=2000, p=20)
        assert str(row.flops.leading) == "2*n*p^2"
        assert row.flops.coefficient("n", "p") <= 9
        assert row.flops.coefficient("n", "n") == 0
        assert row.bytes <= 8 * 5 * 2000 * 20

    @pytest.mark.parametrize(
        "x", ["cumsum(x)", "cumsum(cumsum(x))", "tril(ones(n,n),-1)*cumsum(x)"]
    )
    @pytest.mark.parametrize("loss", ["norm2(w.*({}))^2", "sum(exp(w.*({})))"])
    def test_hessian_of_a_loss_of_sums(self, x, loss):
        row = costs(f"tensor w[n], x[n]; {loss.format(x)}", "x", n=500)
        assert row.flops.names() == {"n"}
        assert row.flops.leading.coefficient("n", "n", "n") == 0
        assert row.flops.coefficient("n", "n") <= 5

    def test_attention_to_what_was_before(self):
        # Running sums of k v' instead of a matrix of all pairs of places.
        text = "tensor Q[n,d], K[n,d], V[n,p], Y[n,p]; norm2(tril(Q*K')*V - Y)^2"
        for wrt in "QKV":
            row = costs(text, wrt, 1, n=4000, d=10, p=12)
            assert row.flops.coefficient("n", "d", "p") <= 8
            assert row.flops.names() == {"n", "d", "p"}
            assert row.flops.coefficient("n", "n", "d") == row.flops.coefficient("n", "n") == 0
        # Few places: the matrix is smaller.
        row = costs(text, "K", 1, n=20, d=20, p=20)
        assert row.flops.coefficient("n", "d", "p") == 0

    @pytest.mark.parametrize("p", [5, 300])
    def test_operations_are_those_of_the_model(self, p):
        f = tcalc.parse("d'*(X*b - log(cumsum(exp(X*b))))", "X[n,p], b[p], d[n]")
        hessian = tcalc.hessian(f, "b")
        n = 400
        random = np.random.default_rng(0)
        data = {"X": random.random((n, p)), "b": random.random(p) / p, "d": random.random(n)}
        found, result = operations(tcalc.compile(hessian).source_for(n=n, p=p), data)
        table = tcalc.cost(f, "b", sizes={"n": n, "p": p}, modes=["cross-country"])
        assert found == pytest.approx(table.row().operations, rel=0.01)
        np.testing.assert_allclose(result, tcalc.evaluate(hessian, **data), rtol=1e-9)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_has_its_costs(mode):
    f = tcalc.parse("tensor A[n,n], x[n]; sum(tanh(A*tanh(A*x)))")
    table = tcalc.cost(f, "x", modes=[mode])
    assert {row.form for row in table} == {"dense", "factored"}
    assert all(row.nodes > 0 and row.flops.evaluate({"n": 10}) > 0 for row in table)


@pytest.mark.parametrize(
    "text", ["tr(powm(3/2, S))", "sum(pinv(B))", "logm(S)", "polar(B)", "normnuc(B)"]
)
def test_the_estimate_for_what_is_written_out_is_near_the_count(text):
    sizes = {"m": 60, "n": 50}
    node = tcalc.parse(text, "S[n,n] spd, B[m,n]").node
    counted = flops(lower(prepare([node]), sizes)).evaluate(sizes)
    assert estimate([node], sizes) == pytest.approx(counted, rel=0.1)
