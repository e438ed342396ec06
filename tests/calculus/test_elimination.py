"""Orders by name: elimination by least degree, and products in order of tensor order."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcalc.calculus import derivative
from tcalc.calculus.cost import flops
from tcalc.calculus.elimination import least_degree_jacobian
from tcalc.calculus.ordering import by_tensor_order
from tcalc.expr import Einsum, build, shape
from tcalc.expr.traverse import postorder
from tcalc.expr.verify import verify
from tcalc.interpret import evaluate
from tcalc.primitives.expm import expm
from tcalc.primitives.exponential import exp
from tcalc.primitives.hyperbolic import tanh
from tcalc.primitives.sylvester import sylvester
from tcalc.primitives.trigonometric import sin

M, N = shape("m", "n")
A, B, C = (build.var(name, (N, N)) for name in "ABC")
X, x = build.var("X", (M, N)), build.var("x", (N,))
u, v = build.var("u", (M,)), build.var("v", (M,))


def matrix_times(a, b):
    return build.einsum([a, b], "ij,jk->ik")


def values(*names, n=3):
    generator = np.random.default_rng(0)
    return {name: generator.standard_normal((n, n)) / 2 + n * np.eye(n) / 4 for name in names}


def assert_agrees(F, variable, data):
    found, expected = (derivative(F, [variable], mode) for mode in ("least-degree", "reverse"))
    verify([found])
    a, b = evaluate([found, expected], data)
    np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12 * (1 + abs(b).max()))


class TestLeastDegree:
    def test_what_does_not_depend_is_zero(self):
        assert least_degree_jacobian(tanh(A), B) is build.zeros((N, N, N, N))

    def test_a_variable_by_itself(self):
        found = least_degree_jacobian(x, x)
        assert found is build.delta(N)

    def test_chains_and_diamonds(self):
        y = tanh(matrix_times(A, B))
        assert_agrees(build.sum_of(matrix_times(y, y), sin(y)), A, values("A", "B"))

    def test_a_variable_that_is_used_all_over(self):
        y = A
        for _ in range(4):
            y = tanh(build.sum_of(matrix_times(A, y), B))
        assert_agrees(y, A, values("A", "B"))

    @pytest.mark.parametrize("position", [0, 1, 2])
    def test_operators_are_applied(self, position):
        arguments = [A, matrix_times(A, B), C]
        arguments[position] = build.sum_of(arguments[position], sin(C))
        y = sylvester(*arguments)
        for variable in (A, C):
            assert_agrees(tanh(y), variable, values("A", "B", "C"))

    def test_two_operators_in_a_row(self):
        assert_agrees(expm(expm(A)), A, {"A": np.array([[0.1, 0.4], [-0.3, 0.2]])})
        assert_agrees(expm(A), A, {"A": np.array([[0.1, 0.4], [-0.3, 0.2]])})

    def test_operators_side_by_side(self):
        F = build.sum_of(expm(A), matrix_times(A, A), sylvester(A, A, B))
        assert_agrees(F, A, values("A", "B"))

    def test_the_order_goes_by_degree(self):
        # z has two users and three operands, y one of each: y goes first, whatever comes first.
        graph = tanh(build.sum_of(exp(x), sin(x)))
        assert_agrees(graph, x, {"x": np.array([0.1, 0.2])})

    def test_a_long_chain_takes_linear_space(self):
        y = x
        for _ in range(300):
            y = build.sum_of(tanh(y), x)
        found = least_degree_jacobian(y, x)
        assert len(postorder([found])) < 300 * 8

    def test_networkx_is_imported_for_it_alone(self):
        code = (
            "import sys, tcalc; f = tcalc.parse('sum(tanh(A*x))');"
            "tcalc.hessian(f, 'x'); print('networkx' in sys.modules, end=' ');"
            "tcalc.hessian(f, 'x', mode='least-degree'); print('networkx' in sys.modules)"
        )
        found = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert found.stdout.split() == ["False", "True"]


class TestTensorOrder:
    def test_vectors_meet_before_matrices(self):
        product = build.einsum([X, u, v, X], ["ai", "a", "a", "aj"], "ij")
        tree = by_tensor_order(product)
        assert build.hadamard(u, v) in postorder([tree])
        # X' diag(u∘v) once, and the product with X: 2 m n² and m n.
        assert flops([tree], {"m": 40, "n": 30}) <= 2 * 40 * 30**2 + 40 * 30 + 40

    def test_every_product_has_two_factors(self):
        f = build.sum_all(exp(build.einsum([X, x], "ij,j->i")))
        H = derivative(f, [x, x], "tensor-order")
        products = [
            node for node in postorder([H]) if isinstance(node, Einsum) and not node.is_view
        ]
        assert products
        assert max(len(node.factors) for node in products) == 2

    def test_factors_that_nothing_joins(self):
        product = build.einsum([u, x, v, u], ["a", "i", "b", "b"], "ai")
        data = {"u": np.arange(3.0), "x": np.arange(2.0), "v": np.ones(3)}
        a, b = evaluate([product, by_tensor_order(product)], data)
        np.testing.assert_allclose(a, b)

    @given(st.data())
    @settings(max_examples=60, deadline=None)
    def test_random_products_keep_their_value(self, data):
        tensors = [x, A, B, build.var("S", (N, N, N)), build.var("c", ())]
        factors = data.draw(st.lists(st.sampled_from(tensors), min_size=3, max_size=6))
        rows = [
            "".join(data.draw(st.sampled_from("ijkl")) for _ in range(factor.order))
            for factor in factors
        ]
        used = sorted(set("".join(rows)))
        output = (
            "".join(data.draw(st.lists(st.sampled_from(used), max_size=2, unique=True)))
            if (used)
            else ""
        )
        product = build.einsum(factors, rows, output)
        generator = np.random.default_rng(0)
        given_values = {t.name: generator.standard_normal((2,) * t.order) for t in tensors}
        a, b = evaluate([product, by_tensor_order(product)], given_values, {"n": 2})
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
