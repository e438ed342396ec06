"""Derivatives of functions of Cholesky factors are solves with the matrix."""

from __future__ import annotations

import numpy as np
import pytest

import tcalc
from tcalc.errors import DomainError
from tcalc.expr.nodes import Apply
from tcalc.expr.traverse import postorder
from tcalc.primitives.cholesky import Cholesky
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
    assert without_factors([f.node]) == [f.node]


def test_the_value_is_an_error_where_there_is_no_factor():
    f = tcalc.parse("norm2(inv(chol(A))*y)^2", DECLARATIONS)
    both = tcalc.compile([f, tcalc.gradient(f, "A")])
    with pytest.raises(DomainError, match="not positive definite"):
        both(A=-np.eye(3), y=np.ones(3))
