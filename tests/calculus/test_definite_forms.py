"""Derivatives of functions of Cholesky factors are solves with the matrix."""

from __future__ import annotations

import numpy as np
import pytest

import tcalc
from tcalc.errors import DomainError
from tcalc.expr.nodes import Apply
from tcalc.expr.traverse import postorder
from tcalc.primitives.cholesky import Cholesky
from tcalc.primitives.selection import LowerMask
from tcalc.simplify.definite import without_factors

DECLARATIONS = "A[n,n] symmetric, y[n], B[n,k], s"


def has_factor(expression):
    return any(
        isinstance(node, Apply) and isinstance(node.primitive, Cholesky)
        for node in postorder([expression.node])
    )


@pytest.mark.parametrize(
    "text",
    [
        "norm2(trisolve(chol(A + s*eye(n)), y))^2",
        "norm2(inv(chol(A + s*eye(n)))*B)^4",
        "sum((inv(chol(A))*y).^2)/2 + sum(log(diag(chol(A))))",
        "(inv(chol(A))*y)'*(inv(chol(A))*y) + logdet(chol(A))",
        "sum(log(diag(chol(A + s*eye(n)))))*y'*y",
        "norm2(chol(A)'*y)^2 + norm2(chol(A))^2",
    ],
)
def test_no_factor_is_differentiated(text):
    f = tcalc.parse(text, DECLARATIONS)
    gradient = tcalc.gradient(f, "A")
    assert has_factor(f)
    assert not has_factor(gradient)
    assert not has_factor(tcalc.derivative(gradient, "A"))
    assert tcalc.check(f, "A").passed


@pytest.mark.parametrize(
    "text",
    [
        "sum(chol(A))",
        "norm2(inv(chol(A))*y)^2 + sum(inv(chol(A))*y)",
        "norm2(inv(chol(A))*y)",
    ],
)
def test_a_factor_that_is_used_otherwise_stays(text):
    f = tcalc.parse(text, DECLARATIONS)
    assert without_factors([f.node]) == ([f.node], {})


def test_the_value_is_an_error_where_there_is_no_factor():
    f = tcalc.parse("norm2(inv(chol(A))*y)^2", DECLARATIONS)
    both = tcalc.compile([f, tcalc.gradient(f, "A")])
    with pytest.raises(DomainError, match="not positive definite"):
        both(A=-np.eye(3), y=np.ones(3))


FILTER = """
tensor A[n,n], C[p,n], Y[3,p], q[n], r[p]
P{0} = eye(n)
m{0} = zeros(n)
f{0} = 0
for t = 1:3
    U{t} = A*P{t-1}*A' + diag(exp(q))
    L{t} = chol(C*U{t}*C' + diag(exp(r)))
    G{t} = trisolve(L{t}, C*U{t})
    z{t} = trisolve(L{t}, Y[t,:] - C*A*m{t-1})
    m{t} = A*m{t-1} + G{t}'*z{t}
    P{t} = U{t} - G{t}'*G{t}
    f{t} = f{t-1} + norm2(z{t})^2/2 + sum(log(diag(L{t})))
end
f{3}
"""


def masks(expression):
    """How many constants there are that only the derivative of a factor has."""
    return sum(
        isinstance(node, Apply) and isinstance(node.primitive, LowerMask)
        for node in postorder([expression.node])
    )


@pytest.mark.parametrize("name", ["A", "q", "r"])
def test_factors_on_the_way_to_other_factors_are_not_differentiated(name):
    f = tcalc.parse(FILTER)
    gradient = tcalc.gradient(f, name)
    assert not masks(gradient)
    assert tcalc.check(f, name, order=2).passed


def test_value_and_derivatives_share_the_arrays_on_the_way():
    f = tcalc.parse(FILTER)
    rng = np.random.default_rng(0)
    sizes = {"n": 3, "p": 2}
    data = {
        name: 0.3 * rng.standard_normal([sizes.get(str(x), 3) for x in shape])
        for name, shape in {"A": "nn", "C": "pn", "Y": "3p", "q": "n", "r": "p"}.items()
    }
    value = tcalc.compile(f)
    both = tcalc.compile([f, tcalc.gradient(f, "A")])
    forward = tcalc.compile([f, tcalc.jvp(f, "A", "dA")])
    expected = value(**data)
    np.testing.assert_allclose(both(**data)[0], expected, rtol=1e-12)
    forward(**data, dA=np.eye(3))
    factorised = value.source.count("= factorise_spd(")
    assert factorised == 3
    assert both.source.count("= factorise_spd(") == factorised
    assert forward.source.count("= factorise_spd(") == factorised
