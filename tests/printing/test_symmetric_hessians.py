"""Hessians as sums that look symmetric, though the sums inside them are not."""

from __future__ import annotations

import pytest

import tcalc
from tcalc.expr.facts import symmetric_axes
from tcalc.simplify import tidy

HESSIANS = {
    # Fisher's criterion
    ("(w'*d)^2/(w'*S*w)", "w[n], d[n], S[n,n] symmetric", "w"): (
        "2*(d*d' + 4*(w'*d)^2*S*w*w'*S/(w'*S*w)^2"
        " - ((w'*d)^2*S + 2*w'*d*(d*w'*S + S*w*d'))/(w'*S*w))/(w'*S*w)"
    ),
    # total least squares
    ("norm2(A*x - b)^2/(1 + x'*x)", "A[m,n], x[n], b[m]", "x"): (
        "t1 = 1 + x'*x\n"
        "t2 = A'*(b - A*x)*x'\n"
        "2*(A'*A + (2*t2 + 2*t2' - norm2(A*x - b)^2*eye(n))/t1"
        " + 4*norm2(A*x - b)^2*x*x'/t1^2)/t1"
    ),
    # a signal in noise
    ("(h'*w)^2/(s + w'*R*w)", "w[n], h[n], R[n,n] spd, s", "w"): (
        "t1 = s + w'*R*w\n"
        "2*(h*h' + 4*(h'*w)^2*R*w*w'*R/t1^2 - ((h'*w)^2*R + 2*h'*w*(h*w'*R + R*w*h'))/t1)/t1"
    ),
    # Tversky's index
    ("x'*y/(x'*y + a*(sum(x) - x'*y) + b*(sum(y) - x'*y))", "x[n], y[n], a, b", "x"): (
        "t1 = x'*y + a*(sum(x) - x'*y) + b*(sum(y) - x'*y)\n"
        "t2 = a*(y - 1) + (b - 1)*y\n"
        "(y*t2' + t2*y' + 2*x'*y*t2*t2'/t1)/t1^2"
    ),
    # Jaccard's index
    ("x'*y/(sum(x) + sum(y) - x'*y)", "x[n], y[n]", "x"): (
        "(2*y*y' + 2*x'*y*(y - 1)*(y - 1)'/(sum(x) + sum(y) - x'*y) - y*ones(n)' - ones(n)*y')"
        "/(sum(x) + sum(y) - x'*y)^2"
    ),
    # a weighted mean, by the weights
    ("w'*x/sum(w)", "w[n], x[n]", "w"): "(2*w'*x/sum(w) - x*ones(n)' - ones(n)*x')/sum(w)^2",
    # attention to values
    ("c'*softmax(x)", "x[n], c[n]", "x"): (
        "diag(softmax(x).*(c - c'*softmax(x))) + 2*c'*softmax(x)*softmax(x)*softmax(x)'"
        " - (c.*softmax(x))*softmax(x)' - softmax(x)*(c.*softmax(x))'"
    ),
    # a gate
    ("g'*h*sigmoid(h'*w)", "g[n], h[n], w[n]", "h"): (
        "sigmoid(h'*w)*(1 - sigmoid(h'*w))*(g*w' + w*g' + g'*h*(1 - 2*sigmoid(h'*w))*w*w')"
    ),
    # a net with one hidden layer
    ("norm2(y - V*tanh(W*x))^2/2", "y[k], V[k,m], W[m,n], x[n]", "x"): (
        "W'*(diag(1 - tanh(W*x).^2)*V'*V*diag(1 - tanh(W*x).^2)"
        " + 2*diag(tanh(W*x).*(1 - tanh(W*x).^2).*(V'*(y - V*tanh(W*x)))))*W"
    ),
    # normalisation of a layer
    ("g'*(x - mean(x))/sqrt(norm2(x - mean(x))^2/n + e)", "x[n], g[n], e", "x"): (
        "t1 = x - mean(x)\n"
        "t2 = e + t1'*t1/n\n"
        "t3 = (g - mean(g))*t1'\n"
        "-(t3 + t3' + g'*t1*eye(n) - (g'*t1 + 3*g'*t1*t1*t1'/t2)/n)/(n*t2^(3/2))"
    ),
}


@pytest.mark.parametrize(("source", "hessian"), HESSIANS.items(), ids=lambda x: x[0])
def test_hessians_of_quotients_look_symmetric(source: tuple[str, str, str], hessian: str) -> None:
    text, declared, variable = source
    found = tcalc.hessian(tcalc.parse(text, declared), variable)
    assert str(found) == hessian
    assert symmetric_axes(tidy(found.node))


def test_a_matrix_with_the_same_tensors_at_both_ends_may_be_without_symmetry() -> None:
    text, declared = "x*(A*x + y)' + (A*x - y)*x'", "x[n], y[n], A[n,n]"
    assert str(tcalc.parse(text, declared)) == "x*(A*x + y)' + (A*x - y)*x'"
