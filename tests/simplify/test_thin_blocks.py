"""Laws for the thin factor of blocks side by side: equal values, and a factor that is gone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

import tcalc
from tcalc import interpret
from tcalc.expr import Node, build, shape
from tcalc.expr.dims import Dim
from tcalc.expr.traverse import postorder
from tcalc.primitives.inverse import inv
from tcalc.primitives.qr import lq, qr
from tcalc.primitives.selection import window
from tcalc.simplify.blocks import thin_factors
from tcalc.simplify.expand import expand
from tcalc.simplify.thin_elimination import without_thin_factors

N, D = Dim.of("n"), Dim.of("d")
FIRST, LAST = window(1, N, N + D), window(N + 1, N + D, N + D)
B = build.var("B", shape("d", "n"))
S = build.var("s", (), ("positive",))
X = build.var("x", shape("d"))
SIZES = {"n": 7, "d": 4}

LQ = """
L, Q = lq(concat[2](sqrt(beta)*X', sqrt(alpha)*eye(d)))
z = concat(sqrt(beta)*y, zeros(d))
norm2(z - Q'*(Q*z))^2 + 2*sum(log(diag(L)))
"""
QR = """
Q, R = qr(concat[1](sqrt(beta)*X, sqrt(alpha)*eye(d)))
z = concat(sqrt(beta)*y, zeros(d))
norm2(z - Q*(Q'*z))^2 + 2*sum(log(diag(R)))
"""
INPUTS = "X[n,d], y[n], alpha positive, beta positive"


def side_by_side(scaled: Node, diagonal: Node) -> Node:
    return build.sum_of(build.einsum([scaled, FIRST], "ij,jk->ik"), diagonal)


def values() -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    return {
        "B": random.standard_normal((4, 7)),
        "s": np.asarray(1.7),
        "x": random.uniform(0.5, 2, 4),
    }


def is_formed(roots: Sequence[Node]) -> bool:
    """Whether a thin factor meets anything but vectors."""
    factors = set(thin_factors(roots))
    return any(
        len(x.operands) != 2 or x.order != 1
        for x in postorder(roots)
        if not factors.isdisjoint(x.operands)
    )


UNIT = side_by_side(build.hadamard(B, build.broadcast(S, B.dims)), LAST)
DIAGONAL = side_by_side(B, build.einsum([X, LAST, S], "i,ij,->ij"))
L, Q = lq(UNIT)
M, P = lq(DIAGONAL)
PRODUCTS = {
    "trace": build.einsum([inv(L), Q, FIRST, B], "ki,kj,lj,il->"),
    "gram": build.einsum([Q, FIRST, FIRST, Q], "ij,kj,kl,ml->im"),
    "solved": build.einsum([inv(L), B, FIRST, Q], "ij,jk,kl,ml->im"),
    "last": build.einsum([Q, LAST], "ij,kj->ik"),
    "whole": build.einsum([Q, Q], "ij,kj->ik"),
    "apart": build.einsum([Q, FIRST, FIRST, LAST], "ij,kj,kl,ml->im"),
    "diagonal of gram": build.einsum([Q, FIRST, FIRST, Q], "ij,kj,kl,il->i"),
    "sum": build.einsum(
        [build.sum_of(Q, build.einsum([X, FIRST, FIRST, LAST, X], "i,kj,kl,ml,m->ij")), LAST],
        "ij,kj->ik",
    ),
    "vectors": build.einsum([X, Q, FIRST, B, X], "i,ij,kj,lk,l->"),
    "other diagonal": build.einsum([inv(M), P, FIRST, B], "ki,mj,lj,il->km"),
    "last of other": build.einsum([P, LAST, X], "ij,kj,k->ik"),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_values_stay_and_the_factor_is_not_formed(name: str) -> None:
    root = PRODUCTS[name]
    found = without_thin_factors([root])
    assert not is_formed(found)
    (want,) = interpret.evaluate([root], values(), SIZES)
    (got,) = interpret.evaluate(found, values(), SIZES)
    np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-12)
    assert found[0].dims == root.dims


def test_what_needs_the_factor_stays() -> None:
    C = build.var("C", shape("d", "n"))
    two = build.sum_of(
        build.einsum([B, FIRST], "ij,jk->ik"),
        build.einsum([build.var("E", shape("d", "d")), LAST], "ij,jk->ik"),
    )
    signed = side_by_side(build.einsum([B, build.var("c", ())], "ij,->ij"), LAST)
    roots = [
        Q,
        build.einsum([inv(L), Q], "ki,kj->ij"),
        build.einsum([Q, FIRST, C], "ij,kj,ik->"),
        build.einsum([lq(two)[1], LAST], "ij,kj->ik"),
        build.einsum([inv(lq(signed)[0]), B, FIRST, lq(signed)[1]], "ij,jk,kl,ml->im"),
    ]
    for root in roots:
        assert without_thin_factors([root]) == [root]
    # One use that needs it is enough.
    assert without_thin_factors([PRODUCTS["trace"], Q]) == [PRODUCTS["trace"], Q]


def test_rows_as_columns() -> None:
    tall = build.transpose(UNIT)
    other, R = qr(tall)
    root = build.einsum([inv(R), other, FIRST, B], "ik,jk,lj,il->")
    (want,) = interpret.evaluate([PRODUCTS["trace"]], values(), SIZES)
    found = without_thin_factors([root])
    assert not thin_factors(found)
    np.testing.assert_allclose(interpret.evaluate(found, values(), SIZES)[0], want, rtol=1e-11)


@pytest.mark.parametrize("text", [LQ, QR], ids=["lq", "qr"])
@pytest.mark.parametrize("mode", ["forward", "reverse", "cross-country"])
@pytest.mark.parametrize("wrt", ["alpha", "beta"])
def test_derivatives_of_evidence(text: str, mode: str, wrt: str) -> None:
    f = tcalc.parse(text, INPUTS)
    random = np.random.default_rng(5)
    data = {"X": random.standard_normal((9, 4)), "y": random.standard_normal(9)}
    data |= {"alpha": np.asarray(0.7), "beta": np.asarray(1.4)}
    gradient = tcalc.gradient(f, wrt, mode=mode)
    assert not is_formed(without_thin_factors(expand([gradient.node])))
    second = tcalc.hessian(f, wrt, mode="cross-country")
    for expression in (gradient, second):
        roots = expand([expression.node])
        found = without_thin_factors(roots)
        assert not is_formed(found)
        (want,) = interpret.evaluate(roots, data)
        (got,) = interpret.evaluate(found, data)
        np.testing.assert_allclose(got, want, rtol=1e-10)
