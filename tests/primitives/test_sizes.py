"""Matrices without rows, matrices whose determinants are beyond all numbers, and work saved."""

from __future__ import annotations

import numpy as np
import pytest

import tcalc

SQUARE = (
    "inv(A)", "det(A)", "logdet(A)", "logabsdet(A)", "s, l = slogdet(A); s*l", "chol(A)", "A\\A'",
    "trisolve(A, A')", "w, V = eigh(A); V*diag(w)", "sum(exp(eigvalsh(A)))", "eigvalsh(A)",
    "expm(A)", "sqrtm(A)", "lyap(A, A')", "logm(A)", "powm(1/2, A)", "A^-2", "kron(A, A)", "vec(A)",
    "logdet(A*A' + eye(n))",
)  # fmt: skip
SPD = ("inv(K)", "logdet(K)", "chol(K)", "K\\K", "inv(chol(K))", "trisolve(chol(K), K)")
ANY = (
    "pinv(A)", "U, s, V = svd(A); U*diag(s.^2)*V'", "svdvals(A)", "sum(log(svdvals(A)))",
    "normnuc(A)", "polar(A)", "norm2(A)", "norm1(A)", "A*A'",
)  # fmt: skip
THIN = (("Q, R = qr(A); Q*R*R'", (3, 0)), ("L, Q = lq(A); L'*L*Q", (0, 3)))
CASES = [
    *((text, "A[n,n]", (0, 0)) for text in SQUARE),
    *((text, "K[n,n] spd", (0, 0)) for text in SPD),
    *((text, "A[m,n]", shape) for text in ANY for shape in ((0, 0), (0, 3), (3, 0))),
    *((text, "A[m,n]", shape) for text, shape in THIN),
    *((text, "A[b,n,n]", (2, 0, 0)) for text in ("sqrtm(A)", "lyap(A, A)", "expm(A)")),
]


@pytest.mark.parametrize(("text", "declared", "shape"), CASES)
def test_matrices_without_rows(text, declared, shape, capfd):
    """Value, gradient and product with the Hessian agree, and LAPACK says nothing of them."""
    value = tcalc.parse(text, declared)
    scalar = tcalc.combine("sum(sin(value))", value=value)
    name = declared[0]
    for expression in (value, tcalc.gradient(scalar, name), tcalc.hvp(scalar, name, "E")):
        data = {x: np.zeros(shape) for x in expression.variables}
        wanted = tcalc.evaluate(expression, **data)
        found = tcalc.compile(expression)(**data)
        np.testing.assert_array_equal(found, wanted)
    captured = capfd.readouterr()
    assert not captured.out
    assert not captured.err


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e200, 1e-200])
def test_a_square_root_needs_no_determinant(scale):
    """The determinants of these are beyond 1e308, or below 1e-308."""
    n = 3 if scale in (1e200, 1e-200) else 300
    A = scale * (30 * np.eye(n) + np.random.default_rng(0).standard_normal((n, n)))
    X = tcalc.compile(tcalc.parse("sqrtm(A)", "A[n,n]"))(A=A)
    root = np.sqrt(scale)
    np.testing.assert_allclose((X / root) @ (X / root), A / scale, atol=1e-11)


@pytest.mark.parametrize("text", ["logdet(A)", "logabsdet(A)", "tr(sqrtm(A))", "tr(logm(A*A'))"])
def test_large_matrices_have_derivatives(text):
    n, generator = 200, np.random.default_rng(1)
    A = 60 * np.eye(n) + generator.standard_normal((n, n))
    E = generator.standard_normal((n, n))
    f = tcalc.parse(text, "A[n,n]")
    run = tcalc.compile([f, tcalc.gradient(f, "A")])
    high, low = (run(A=A + step * E)[0] for step in (1e-4, -1e-4))
    np.testing.assert_allclose(np.sum(run(A=A)[1] * E), (high - low) / 2e-4, rtol=1e-5)


def test_a_product_of_inverse_factors_is_one_inverse():
    f = tcalc.parse("L = chol(K); inv(L)'*inv(L)", "K[n,n] spd")
    run = tcalc.compile(f)
    K = np.cov(np.random.default_rng(2).standard_normal((4, 20)))
    np.testing.assert_allclose(run(K=K), np.linalg.inv(K), rtol=1e-12)
    assert "factorise_spd(K" in run.source
    assert "_triangle(" not in run.source


@pytest.mark.parametrize("text", ["sum(exp(eigvalsh(A)))", "tr(logm(A))", "c*tr(powm(1/3, A))"])
def test_traces_of_functions_of_matrices_need_no_eigenvectors(text):
    f = tcalc.parse(text, "A[n,n], c")
    run = tcalc.compile(f)
    A = np.cov(np.random.default_rng(3).standard_normal((4, 20)))
    data = {name: {"A": A, "c": 2.0}[name] for name in f.variables}
    np.testing.assert_allclose(run(**data), tcalc.evaluate(f, **data), rtol=1e-13)
    assert "symmetric_eigenvalues(A" in run.source
    assert "symmetric_eigen(" not in run.source
    both = tcalc.compile([f, tcalc.gradient(f, "A")])
    both(**data)
    assert "symmetric_eigenvalues(" not in both.source


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("prod(atan(u[1:end-1]))", 0),
        ("u[2:end]'*u[2:end]", 0),
        ("exp(eye(n)[1:end-1,:])*u", 0),
        ("exp(eye(n)[2:4,:])*u", 3),
        ("max(u[2:end])", 1),
        ("sum(u) + min(u[1:end-1])", 1),
        ("max(u)", 0),
        ("sum(((u + u)./(1.5 + v.^2))[2:end])", 0),
    ],
)
def test_what_is_not_there_is_refused_however_it_is_computed(text, n):
    f = tcalc.parse(text, "u[n], v[n]")
    data = {name: np.ones(n) for name in "uv"}
    jacobian = tcalc.jacobian(f, "u")
    ways = [
        lambda: tcalc.evaluate(f, **data),
        lambda: tcalc.compile(f)(**data),
        lambda: tcalc.compile(f).bind(**data)(),
        lambda: tcalc.compile([f, jacobian])(**data),
        lambda: tcalc.compile(jacobian, form="factored")(**data),
    ]
    for way in ways:
        with pytest.raises(tcalc.TcalcError):
            way()
