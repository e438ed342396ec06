"""Every way of writing a product is one node, and never two different products are."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tcalc.expr import Dim, build, shape
from tcalc.expr.verify import verify
from tcalc.interpret import evaluate

N = Dim.of("n")
POOL = (
    build.var("A", shape("n", "n")),
    build.var("B", shape("n", "n")),
    build.var("S", shape("n", "n"), ["symmetric"]),
    build.var("R", shape("n", "n"), ["symmetric"]),
    build.var("x", shape("n")),
    build.var("y", shape("n")),
    build.var("c", ()),
    build.delta(N),
    build.ones((N,)),
    build.einsum([build.var("x", shape("n"))], "i->ii"),
)


def data(seed: int = 0) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    S = generator.standard_normal((3, 3))
    R = generator.standard_normal((3, 3))
    return {
        "R": R + R.T,
        "A": generator.standard_normal((3, 3)),
        "B": generator.standard_normal((3, 3)),
        "S": S + S.T,
        "x": generator.standard_normal(3),
        "y": generator.standard_normal(3),
        "c": np.asarray(1.7),
    }


@st.composite
def products(draw):
    factors = draw(st.lists(st.sampled_from(POOL), min_size=1, max_size=5))
    letters = "ijkl"
    subscripts = ["".join(draw(st.sampled_from(letters)) for _ in f.dims) for f in factors]
    used = sorted({x for s in subscripts for x in s})
    output = draw(st.lists(st.sampled_from(used), max_size=4)) if used else []
    return factors, subscripts, "".join(output)


def reference(factors, subscripts, output):
    values = evaluate(factors, data(), {"n": 3})
    # np.einsum refuses repeated output labels: give each copy a label of its own.
    operands, fresh = list(values), "mnopqr"
    rows, out = list(subscripts), ""
    for k, label in enumerate(output):
        if label in output[:k]:
            operands.append(np.eye(3))
            rows.append(label + fresh[k])
            out += fresh[k]
        else:
            out += label
    return np.einsum(",".join(rows) + "->" + out, *operands)


@given(products(), st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_shuffled_and_renamed_products_are_one_node(product, random):
    factors, subscripts, output = product
    node = build.einsum(factors, subscripts, output)
    verify([node])
    order = list(range(len(factors)))
    random.shuffle(order)
    names = list("abcd")
    random.shuffle(names)
    renamed = dict(zip("ijkl", names, strict=True))
    again = build.einsum(
        [factors[k] for k in order],
        ["".join(renamed[x] for x in subscripts[k]) for k in order],
        "".join(renamed[x] for x in output),
    )
    assert again is node
    np.testing.assert_allclose(
        evaluate([node], data(), {"n": 3})[0], reference(*product), rtol=1e-12, atol=1e-12
    )


@given(products())
@settings(max_examples=200, deadline=None)
def test_every_order_of_the_output_is_a_view_of_one_contraction(product):
    factors, subscripts, output = product
    labels = sorted(set(output))
    straight = build.einsum(factors, subscripts, "".join(labels))
    turned = build.einsum(factors, subscripts, "".join(reversed(labels)))
    assert build.transpose(straight) is turned


def test_scalar_products_commute():
    x, y = POOL[4], POOL[5]
    assert build.einsum([x, y], "i,i->") is build.einsum([y, x], "k,k->")


def test_different_products_stay_apart():
    A, x = POOL[0], POOL[4]
    left = build.einsum([A, A, x], "ij,jk,k->i")
    right = build.einsum([A, A, x], "ij,kj,k->i")
    assert left is not right
    trace = build.einsum([A, A], "ij,ji->")
    squares = build.einsum([A, A], "ij,ij->")
    assert trace is not squares


def test_many_equal_factors_are_ordered_quickly():
    x = POOL[4]
    cube = build.einsum([x] * 40, ["i"] * 40, "i")
    assert cube is build.einsum([x] * 40, ["z"] * 40, "z")


def test_two_symmetric_factors_face_either_way():
    S = POOL[2]
    T = build.var("T", shape("n", "n"), ["symmetric"])
    assert build.einsum([S, T], "ij,ij->") is build.einsum([S, T], "ij,ji->")
    assert build.einsum([S, T, S], "ij,jk,kl->il") is build.einsum([S, T, S], "ji,kj,lk->il")
