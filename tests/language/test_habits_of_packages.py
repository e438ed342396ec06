"""What JAX, PyTorch, CasADi, PyTensor, SymPy and Mathematica write, and what the hint says."""

from __future__ import annotations

import numpy as np
import pytest
from language_cases import refused

import tcalc
from tcalc.errors import (
    DimensionError,
    IndexNotationError,
    OrientationError,
    ParseError,
    UnknownNameError,
)
from tcalc.language import elsewhere


@pytest.mark.parametrize(
    ("text", "column", "hint"),
    [
        ("grad(grad(tanh))(2.0)", 1, "itself: gradient(f, x)"),
        ("jacfwd(jacrev(f))(x)", 1, "itself: jacobian(f, x)"),
        ("vmap(grad(f))(X, y)", 1, "one more index"),
        ("jit(f)(x)", 1, "tcalc.compile"),
        ("value_and_grad(f)(x)", 1, "gradient(f, x)"),
        ("reshape(x, (2,3))", 14, "split(x, m, n)"),
        ("zeros((3,3))", 9, "zeros(m, n)"),
        ("transpose(A, (1,0,2))", 16, "T[i,j,k] = A[k,i,j]"),
        ("sum(X, (0,1))", 10, "sum[j](X[i,j])"),
        ("concat((x,y))", 10, "concat(x, y)"),
        ("softmax(Z, axis=1)", 16, "softmax[j](X[i,j])"),
        ("mean(X, dim=-2)", 12, "mean[i](X[i,j])"),
        ("lax.scan(f, x)", 4, "`for t = 1:T`"),
        ("x.detach()", 2, "hold a value fixed"),
        ("x.at[0].set(1)", 2, "cannot be replaced"),
        ("x.requires_grad_()", 2, "can be differentiated"),
        ("loss.grad", 5, "gradient(f, loss)"),
        ("T.permute(1,0,2)", 2, "T[i,j,k] = A[k,i,j]"),
        ("x.frobnicate()", 2, "no methods"),
    ],
)
def test_jax_and_pytorch(text, column, hint):
    refused(text, ParseError, (1, column), hint)


@pytest.mark.parametrize(
    ("text", "column", "hint"),
    [
        ("MX.sym('x', 2)", 3, "`tensor X[m,n], c`"),
        ("opti.minimize(x)", 5, "finds its minimum"),
        ("opti.subject_to(x > 0)", 5, "tcalc.problem"),
        ("pt.tanh(x)", 3, "`tanh(...)`"),
        ("T.nnet.sigmoid(x)", 2, "`sigmoid(...)`"),
        ("T.dmatrix('x')", 2, "`tensor X[m,n], c`"),
        ("Trace(A).doit()", 9, "leave it out"),
        ("A.applyfunc(sin)", 2, "sin(A)"),
        ("tensorcontraction(T, (0, 1))", 24, "`einsum`"),
        ("Piecewise((x, x > 0), (0, True))", 13, "where(x > 0, a, b)"),
    ],
)
def test_casadi_pytensor_and_sympy(text, column, hint):
    refused(text, ParseError, (1, column), hint)


@pytest.mark.parametrize(
    ("text", "column", "hint"),
    [
        ("Sum[x[i]^2, {i, 1, n}]", 9, "`sum(...)`"),
        ("Exp[-x^2]", 7, "`exp(...)`"),
        ("If[x > 0, x, 0]", 6, "where(x > 0, a, b)"),
        ('VectorSymbol["x", n]', 14, "`tensor X[m,n], c`"),
        ("D[f, {x, 2}]", 6, "gradient(f, x)"),
        ("Inverse[A].b", 11, "a product is `*`"),
        ("Gamma[i;j]", 8, "commas"),
    ],
)
def test_mathematica(text, column, hint):
    refused(text, ParseError, (1, column), hint)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("hvp(f, x, v)", "gradient(gradient(f, x)'*v, x)"),
        ("jtimes(A*x, x, v)", "jacobian(F, x)*v"),
        ("Lop(y, W, v)", "gradient(u'*F, x)"),
        ("stop_gradient(x)*y", "hold a value fixed"),
        ("one_hot(y, 10)", "`onehot`"),
        ("embedding(i, W)", "X[g[i],k]"),
        ("expand_dims(x, 0)", "x[i]*y[j]"),
        ("fori_loop(0, 3, f, x)", "`for t = 1:T`"),
        ("print(x)", "bare expression"),
        ("int(x)", "rounded"),
        ("norm_fro(A)", "`norm2`"),
        ("sq(x)", "`square`"),
        ("DiagMatrix(x)", "`diag`"),
        ("ZeroMatrix(n, n)", "`zeros`"),
        ("MatrixSymbol('A', 2, 2)", "`tensor X[m,n], c`"),
        ("KroneckerDelta(i, j)", "delta[i,j]"),
        ("Rational(1, 2)*x", "1/2"),
        ("symbols('x y')", "`tensor X[m,n], c`"),
        ("minimize(x)", "finds its minimum"),
        ("UnitStep[x]", "`step(x)`"),
        ("TensorProduct[x, y]", "`outer(x, y)`"),
    ],
)
def test_functions(text, hint):
    refused(text, UnknownNameError, (1, 1), hint)


@pytest.mark.parametrize(
    ("name", "product", "same"),
    [
        ("hvp", "gradient(gradient(f, x)'*v, x)", "hessian(f, x)*v"),
        ("vjp", "gradient(u'*F, x)", "jacobian(F, x)'*u"),
        ("jvp", "jacobian(F, x)*v", "A*v.*(1 - F.^2)"),
    ],
)
def test_directions_are_formulas(name, product, same):
    program = "F = tanh(A*x); f = sum(F.^3); "
    assert product in elsewhere.PHRASES[name]
    random = np.random.default_rng(0)
    data = {"A": random.standard_normal((4, 3))}
    data |= {
        letter: random.standard_normal(size) for letter, size in zip("xvu", (3, 3, 4), strict=True)
    }
    values = []
    for text in (product, same):
        formula = tcalc.parse(program + text)
        values.append(tcalc.evaluate(formula, **{x: data[x] for x in formula.variables}))
    np.testing.assert_allclose(*values, rtol=1e-12)


def test_blocks_on_the_diagonal():
    blocks = elsewhere.PHRASES["blockdiag"].partition(", with")[0]
    assert tcalc.parse(blocks, "A[m,n], B[p,q]").shape == ("m + p", "n + q")


def test_numbers_that_nothing_declares_are_told():
    for text, column in (("solve(A, b)", 10), ("outer(x, b)", 10), ("diag(b)", 6)):
        error = refused(text, DimensionError, (1, 1), "`tcalc functions`")
        assert [place.span.start + 1 for place in error.places] == [column]
        assert "`tensor b[n]` makes it a vector" in error.places[0].note
    error = refused("solve(A, 2*b)", DimensionError, (1, 1), "`tcalc functions`")
    assert "nothing declares `b`" in error.places[0].note


@pytest.mark.parametrize(
    ("text", "kind", "column", "hint"),
    [
        ("x'*A*x / x'*x", OrientationError, 1, "x'*A*x/(x'*x)"),
        ("K[i,j] = norm2(X[i,:] - X[j,:])", IndexNotationError, 16, "norm2[k](X[i,k] - X[j,k])"),
        ("D(sum(x), x)", UnknownNameError, 1, "gradient(f, x)"),
        ("gradient(sum(x), [x, y])", ParseError, 18, "tcalc.gradient(f, ['x', 'y'])"),
        ("gradient(sum(x), x, x)", ParseError, 1, "derivative(f, x, y)"),
        ("derivative(sum(x), x, 2)", ParseError, 23, "derivative(f, x, x)"),
        ("gradient(sum(x), 'x')", ParseError, 18, "without quotes"),
        ("gradient(sum(A*x), A*x)", ParseError, 20, "of its own"),
        ("Log[Det[A]]", UnknownNameError, 5, "`det(A)`"),
        ("x[2*perm[i]]", ParseError, 9, "X[g[i],k]"),
        ("sum(exp(X), axis=1)", ParseError, 17, "sum[j](X[i,j])"),
    ],
)
def test_what_comes_close(text, kind, column, hint):
    refused(text, kind, (1, column), hint)


def test_the_scalar_product_of_matrices():
    refused("dot(A, B)", DimensionError, (1, 1), "tr(A'*B)")
