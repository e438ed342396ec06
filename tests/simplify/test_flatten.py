"""Nested products and sums are opened, once, within a budget, in linear time."""

from __future__ import annotations

import numpy as np
import pytest

from tcalc.expr import build, shape
from tcalc.expr.nodes import Add, Einsum, Node
from tcalc.expr.traverse import postorder
from tcalc.interpret import evaluate
from tcalc.simplify import flatten

A = build.var("A", shape("n", "n"))
B = build.var("B", shape("n", "n"))
x = build.var("x", shape("n"))
y = build.var("y", shape("n"))

RNG = np.random.default_rng(1)
VALUES = {"A": RNG.normal(size=(3, 3)), "B": RNG.normal(size=(3, 3))}
VALUES |= {"x": RNG.normal(size=3), "y": RNG.normal(size=3)}


def same(before: Node, after: Node) -> bool:
    left, right = evaluate([before, after], VALUES)
    return left.shape == right.shape and bool(np.allclose(left, right))


def test_a_product_used_once_is_opened() -> None:
    node = build.einsum([A, build.einsum([B, x], "ij,j->i")], "ij,j->i")
    (flat,) = flatten([node], inline="single")
    assert isinstance(flat, Einsum)
    assert set(flat.factors) == {A, B, x}
    assert same(node, flat)


def test_a_shared_product_is_opened_for_reading_only() -> None:
    shared = build.einsum([B, x], "ij,j->i")
    node = build.add([(1, build.einsum([A, shared], "ij,j->i")), (1, shared)])
    (kept,) = flatten([node], inline="single")
    assert kept is node
    (flat,) = flatten([node], inline="all")
    assert flat is not node
    assert same(node, flat)


def test_a_root_is_a_use() -> None:
    inner = build.einsum([B, x], "ij,j->i")
    outer = build.einsum([A, inner], "ij,j->i")
    assert flatten([outer, inner], inline="single") == [outer, inner]


def test_coefficients_come_to_the_front() -> None:
    scaled = build.scale(3, build.einsum([B, x], "ij,j->i"))
    node = build.einsum([A, build.add([(2, scaled), (1, y)])], "ij,j->i")
    (flat,) = flatten([node], inline="all")
    assert same(node, flat)


def test_sums_in_sums_are_opened_and_like_terms_meet() -> None:
    inner = build.add([(1, x), (2, y)])
    node = build.add([(1, x), (-1, inner)])
    assert flatten([node], inline="all") == [build.scale(-2, y)]


@pytest.mark.parametrize("inline", ["single", "all"])
def test_nothing_explodes(inline: str) -> None:
    node: Node = build.einsum([A, B], "ij,jk->ik")
    for _ in range(40):
        node = build.einsum([node, node], "ij,jk->ik")
    (flat,) = flatten([node], inline=inline)
    widths = [len(n.factors) for n in postorder([flat]) if isinstance(n, Einsum)]
    assert max(widths) <= 24


@pytest.mark.parametrize("inline", ["single", "all"])
def test_a_long_chain_is_linear(inline: str) -> None:
    node: Node = x
    for _ in range(5_000):
        node = build.add([(1, node), (1, build.einsum([A, node], "ij,j->i"))])
    (flat,) = flatten([node], inline=inline)
    assert len(postorder([flat])) <= len(postorder([node]))


def test_a_long_sum_is_one_sum() -> None:
    node: Node = x
    for k in range(3_000):
        node = build.add([(1, node), (1, build.var(f"v{k}", x.dims))])
    (flat,) = flatten([node], inline="single")
    assert isinstance(flat, Add)
    assert len(flat.terms) == 3_001
