"""Products with derivatives: shapes, several directions, formulas, and Pearlmutter's cost."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import tcalc
from tcalc import calculus, gallery
from tcalc.codegen.lower import lower
from tcalc.codegen.work import flops
from tcalc.errors import ArgumentError, DimensionError
from tcalc.expr.nodes import Apply
from tcalc.expr.traverse import postorder
from tcalc.primitives.elementwise import Elementwise
from tcalc.primitives.reductions import Reduction
from tcalc.primitives.selection import LowerMask, UnitVector, Window

RANDOM = np.random.default_rng(0)
F = tcalc.parse("sum(exp(X*w + b)) + norm2(w)^4", "X[m,n], w[n], b")
DATA = {"X": RANDOM.standard_normal((4, 3)), "w": RANDOM.standard_normal(3), "b": 0.3}
R = tcalc.parse("exp(X*w + b)", "X[m,n], w[n], b")


def scalars():
    return [model for model in gallery.models() if not tcalc.parse(model.text).shape]


def test_directions_have_names_of_their_own():
    assert str(tcalc.hvp(tcalc.parse("x'*A*x/2", "A[n,n] symmetric, x[n]"), "x")) == "A*dx"
    taken = tcalc.parse("dx'*x + norm2(x)^2", "x[n], dx[n]")
    assert str(tcalc.hvp(taken, "x")) == "2*dx_"
    assert str(tcalc.vjp(tcalc.parse("A*x"), "x")) == "A'*F_bar"
    assert str(tcalc.jvp(tcalc.parse("A*x"), "x", "v")) == "A*v"


def test_several_directions_come_last_and_several_cotangents_first():
    V, U = RANDOM.standard_normal((3, 5)), RANDOM.standard_normal((6, 4))
    J = tcalc.evaluate(tcalc.jacobian(R, "w"), **DATA)
    H = tcalc.evaluate(tcalc.hessian(F, "w"), **DATA)
    forward = tcalc.jvp(R, "w", "V", several="k")
    backward = tcalc.vjp(R, "w", "U", several=6)
    curved = tcalc.hvp(F, "w", "V", several="k")
    assert (forward.shape, backward.shape, curved.shape) == (("m", "k"), ("6", "n"), ("n", "k"))
    close = {"rtol": 1e-12, "atol": 1e-12}
    np.testing.assert_allclose(tcalc.compile(forward)(**DATA, V=V), J @ V, **close)
    np.testing.assert_allclose(tcalc.compile(backward)(**DATA, U=U), U @ J, **close)
    np.testing.assert_allclose(tcalc.compile(curved)(**DATA, V=V), H @ V, **close)


def test_several_variables_move_together():
    dw, db = RANDOM.standard_normal(3), 0.7
    J = tcalc.jacobian(R, ["w", "b"])
    both = tcalc.evaluate([J["w"], J["b"]], **DATA)
    found = tcalc.evaluate(tcalc.jvp(R, ["w", "b"]), **DATA, dw=dw, db=db)
    np.testing.assert_allclose(found, both[0] @ dw + both[1] * db, rtol=1e-12)
    pulled = tcalc.vjp(R, ["w", "b"], "u")
    u = RANDOM.standard_normal(4)
    np.testing.assert_allclose(tcalc.evaluate(pulled["b"], **DATA, u=u), u @ both[1])
    products = tcalc.hvp(F, ["w", "b"])
    blocks = {(a, c): tcalc.evaluate(tcalc.derivative(F, a, c), **DATA) for a in "wb" for c in "wb"}
    for name in "wb":
        found = tcalc.evaluate(products[name], **DATA, dw=dw, db=db)
        expected = blocks[name, "w"] @ dw + blocks[name, "b"] * db
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_two_directions_never_share_a_name():
    f = tcalc.parse("sum(x.*x_.*dx)", "x[n], x_[n], dx[n]")
    # dx is an input, and so is dx_ for the direction of x: that of x_ takes the next one.
    assert list(tcalc.hvp(f, ["x", "x_"])["x"].variables) == ["x", "x_", "dx", "dx_", "dx__"]
    moved = tcalc.jvp(f, ["x", "x_"])
    values = {"x": [2.0], "x_": [3.0], "dx": [5.0], "dx_": [7.0], "dx__": [11.0]}
    assert tcalc.evaluate(moved, **values) == 5 * (3 * 7 + 2 * 11)


@pytest.mark.parametrize("word", ["for", "end", "tensor"])
def test_a_word_of_the_language_names_no_input(word):
    f = tcalc.parse("w'*w", "w[n]")
    for product in (tcalc.jvp, tcalc.vjp, tcalc.hvp):
        with pytest.raises(ArgumentError, match="choose another name"):
            product(f, "w", word)
    with pytest.raises(ArgumentError, match="not a name for a dimension"):
        tcalc.jvp(f, "w", several=word)


def test_wrong_names_and_shapes_say_what_they_should_be():
    with pytest.raises(DimensionError, match=r"X\[m,n\] is an input already.*\[n\]"):
        tcalc.hvp(F, "w", "X")
    with pytest.raises(ArgumentError, match="1 direction for 2 variables"):
        tcalc.hvp(F, ["w", "b"], ["v"])
    with pytest.raises(ArgumentError, match="two directions have one name"):
        tcalc.jvp(R, ["w", "b"], ["v", "v"])
    with pytest.raises(ArgumentError, match="'2x' is not a name"):
        tcalc.jvp(R, "w", "2x")
    with pytest.raises(ArgumentError, match="w is a variable"):
        tcalc.jvp(R, "w", several="w")
    with pytest.raises(ArgumentError, match="0 directions are none"):
        tcalc.jvp(R, "w", several=0)
    with pytest.raises(ArgumentError, match="at least one variable"):
        tcalc.jvp(R, [])
    with pytest.raises(DimensionError, match="hvp is that of a scalar"):
        tcalc.hvp(R, "w")
    fun = tcalc.compile(tcalc.hvp(F, "w"))
    with pytest.raises(ArgumentError, match="dw"):
        fun(**DATA, dw=np.zeros(4))


@pytest.mark.parametrize("name", [model.name for model in scalars()])
def test_a_product_equals_the_dense_hessian_times_the_direction(name):
    model, data = gallery.load(name), gallery.make_data(name)
    f = tcalc.parse(model.text)
    for wrt in model.wrt:
        shape = data[wrt].shape
        V = RANDOM.standard_normal((*shape, 2))
        hessian = tcalc.hessian(f, wrt)
        one, both = tcalc.hvp(f, wrt, "direction"), tcalc.hvp(f, wrt, "directions", several="p_")
        run = tcalc.compile([hessian, one, both])
        H, v, W = run(**data, direction=V[..., 0], directions=V)
        axes = len(shape)
        expected = np.tensordot(H, V, axes) if axes else H * V
        # Relative to the largest entry that the products are summed from.
        scale = max(1.0, np.abs(H).max(initial=0) * np.abs(V).max(initial=0))
        np.testing.assert_allclose(W / scale, expected / scale, rtol=0, atol=1e-12)
        np.testing.assert_allclose(v / scale, expected[..., 0] / scale, rtol=0, atol=1e-12)


@cache
def derived(name, wrt):
    """Value, gradient and a product with the Hessian, ready to be compiled."""
    f = tcalc.parse(gallery.load(name).text)
    roots = [f, tcalc.gradient(f, wrt), tcalc.hvp(f, wrt)]
    return calculus.prepare([x.node for x in roots])


STRUCTURAL = (Elementwise, Reduction, LowerMask, UnitVector, Window)


def factorises(f: tcalc.Expression) -> bool:
    """Whether a function has a matrix factorised, or inverted, on the way."""
    nodes = postorder(calculus.prepare([f.node]))
    return any(
        isinstance(node, Apply) and node.args and not isinstance(node.primitive, STRUCTURAL)
        for node in nodes
    )


@pytest.mark.parametrize("size", ["small", "medium"])
def test_pearlmutters_cost(size):
    """Value, gradient and a product with the Hessian cost a few gradients, in operations."""
    lines, dear = [], []
    for model in scalars():
        f = tcalc.parse(model.text)
        sizes = model.sizes[size]
        bound = 6 if factorises(f) else 4
        for wrt in model.wrt:
            nodes = derived(model.name, wrt)
            gradient, all_three = (
                int(flops(lower(part, sizes)).evaluate(sizes)) for part in (nodes[:2], nodes)
            )
            ratio = all_three / gradient
            lines.append(f"{model.name:22s}{wrt:8s}{gradient:14d}{all_three:14d}{ratio:7.2f}")
            if ratio > bound:
                dear.append(f"{model.name} by {wrt}: {ratio:.2f} > {bound}")
    # Shown where it fails: a table of all of them.
    print("gradient with value, with product, in flops, and their ratio", *lines, sep="\n")
    assert not dear
