"""The walkers: order, rewriting, and depth."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from tcalc.expr import Einsum, Var, build, shape
from tcalc.expr.traverse import dependents, postorder, rebuild, users, variables

(N,) = shape("n")
x = build.var("x", (N,))
y = build.var("y", (N,))


def chain(length: int):
    node = x
    for _ in range(length // 2):
        node = build.sum_of(node, build.hadamard(node, y))
    return node


def test_operands_come_before_users_and_each_node_once():
    order = postorder([chain(40)])
    place = {node: k for k, node in enumerate(order)}
    assert len(place) == len(order)
    assert all(place[o] < place[node] for node in order for o in node.operands)


def test_users_count_occurrences():
    square = build.hadamard(x, x)
    assert users([square])[x] == [square, square]


def test_dependents_and_variables():
    node = build.sum_of(build.hadamard(x, y), y)
    assert x in dependents([node], [x])
    assert y not in dependents([node], [x])
    assert {v.name for v in variables([node])} == {"x", "y"}


def test_rebuild_returns_untouched_nodes():
    node = chain(40)
    assert rebuild([node]) == [node]
    swapped = rebuild([node], lambda n: y if n is x else n)[0]
    assert {v.name for v in variables([swapped])} == {"y"}


def test_rebuild_takes_given_replacements():
    inner = build.hadamard(x, y)
    outer = build.sum_all(inner)
    (result,) = rebuild([outer], replacements={inner: x})
    assert result is build.sum_all(x)


def test_rebuild_shows_products_that_come_out_with_their_axes_in_another_order():
    # Of other operands a product is a view of one whenever these sort otherwise.
    seen = set()
    others = [build.var(name, (N, N)) for name in "ABCDEF"]
    first, last = build.var("X", (N, N)), build.var("Y", (N, N))
    node = build.einsum([first, last], "ij,jk->ik")
    for other in others:

        def note(made, other=other):
            if isinstance(made, Einsum) and not made.is_view:
                seen.add(made)
            return other if made is first else made

        (new,) = rebuild([node], note)
        core = new.factors[0] if new.is_view else new
        assert other in core.factors
        assert core in seen


def test_chains_are_deeper_than_the_stack():
    assert len(postorder([chain(50_000)])) > 50_000


@pytest.mark.slow
def test_walks_are_linear():
    def seconds(length: int) -> float:
        node = chain(length)
        best = float("inf")
        for _ in range(3):
            start = time.perf_counter()
            postorder([node])
            rebuild([node], lambda n: n)
            best = min(best, time.perf_counter() - start)
        return best

    assert seconds(50_000) < 40 * seconds(5_000)  # far from quadratic; timing noise allowed for


def test_digests_do_not_depend_on_the_process():
    code = (
        "from tcalc.expr import build, shape;"
        "x = build.var('x', shape('n')); A = build.var('A', shape('n', 'n'));"
        "print(build.einsum([A, x, A, x], 'ij,j,ik,k->').digest.hex())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(found) == 1


def test_var_is_hashable_by_identity():
    assert isinstance(x, Var)
    assert {x: 1}[build.var("x", (N,))] == 1
