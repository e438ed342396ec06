"""Spectral functions where eigenvalues meet: exact derivatives at ties and next to them.

The truth is computed with 40 digits, from eigenvalues alone.
"""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest

import tcalc
from tcalc.calculus import derivative, hvp
from tcalc.errors import DomainError
from tcalc.expr import Fact, build, shape
from tcalc.expr.facts import holds
from tcalc.expr.nodes import Apply
from tcalc.expr.traverse import postorder
from tcalc.interpret import evaluate
from tcalc.primitives.divided_differences import (
    divided_differences,
    points_per_axis,
    simplex_points,
)
from tcalc.primitives.eigh import Eigh, eigh, eigvalsh
from tcalc.primitives.expm import expm
from tcalc.primitives.exponential import exp, log
from tcalc.primitives.matrices import product, trace
from tcalc.primitives.norms import norm2
from tcalc.primitives.piecewise import abs_
from tcalc.primitives.polar import normnuc
from tcalc.primitives.power import power
from tcalc.primitives.reductions import total
from tcalc.primitives.scalar import ARGUMENT
from tcalc.primitives.softmax import logsumexp
from tcalc.primitives.spectral import Spectral, logm, powm, spectral
from tcalc.primitives.sqrtm import sqrtm
from tcalc.primitives.svd import svd, svdvals
from tcalc.runtime.compiled import compile as compile_nodes
from tcalc.simplify.expand import expand

A = build.var("A", shape("n", "n"))
E = build.var("E", shape("n", "n"))
B = build.var("B", shape("b", "n", "n"))
t = build.var("t", ())


def eigenvalues(M):
    return mpmath.eigsy((M + M.T) / 2, eigvals_only=True)


def shifted(a):
    w = eigvalsh(a)
    return build.sum_of(w, build.einsum([t], [()], "i", {"i": w.dims[-1]}))


def synthesis(a):
    """An entry-wise sum of ``V exp(diag(w)) V'``, written out with eigenvectors."""
    w, V = eigh(a)
    return trace(product("ki,i,li->kl", V, exp(w), V))


FUNCTIONS = {
    "sum(exp(w))": (
        lambda a: total(exp(eigvalsh(a))),
        lambda M: sum(map(mpmath.exp, eigenvalues(M))),
    ),
    "sum(log(w + t))": (
        lambda a: total(log(shifted(a))),
        lambda M: sum(mpmath.log(w + 0.5) for w in eigenvalues(M)),
    ),
    "logsumexp(w)": (
        lambda a: logsumexp(eigvalsh(a)),
        lambda M: mpmath.log(sum(map(mpmath.exp, eigenvalues(M)))),
    ),
    "norm2(w)": (
        lambda a: norm2(eigvalsh(a)),
        lambda M: mpmath.sqrt(sum(w * w for w in eigenvalues(M))),
    ),
    "tr(V*exp(w)*V')": (synthesis, lambda M: sum(map(mpmath.exp, eigenvalues(M)))),
    "tr(logm(A))": (lambda a: trace(logm(a)), lambda M: sum(map(mpmath.log, eigenvalues(M)))),
    "tr(expm(A))": (
        lambda a: trace(expm(a)),
        lambda M: mpmath.re(sum(map(mpmath.exp, mpmath.eig(M)[0]))),
    ),
    "tr(sqrtm(A))": (
        lambda a: trace(sqrtm(a)),
        lambda M: mpmath.re(sum(map(mpmath.sqrt, mpmath.eig(M)[0]))),
    ),
    "normnuc(A)": (normnuc, lambda M: sum(mpmath.svd_r(M, compute_uv=False))),
    "sum(svdvals(A))": (
        lambda a: total(svdvals(a)),
        lambda M: sum(mpmath.svd_r(M, compute_uv=False)),
    ),
    **{
        f"sum({name}(svdvals(A)))": (
            lambda a, g=g: total(g(svdvals(a))),
            lambda M, exact=exact: sum(map(exact, mpmath.svd_r(M, compute_uv=False))),
        )
        for name, g, exact in (
            ("log", log, mpmath.log),
            ("exp", exp, mpmath.exp),
            ("x^3 of ", lambda s: power(s, 3), lambda s: s**3),
            ("x^(1/2) of ", lambda s: power(s, Fraction(1, 2)), mpmath.sqrt),
        )
    },
    "norm of order 3 of svdvals(A)": (
        lambda a: power(total(power(svdvals(a), 3)), Fraction(1, 3)),
        lambda M: mpmath.cbrt(sum(s**3 for s in mpmath.svd_r(M, compute_uv=False))),
    ),
    "logsumexp(svdvals(A))": (
        lambda a: logsumexp(svdvals(a)),
        lambda M: mpmath.log(sum(map(mpmath.exp, mpmath.svd_r(M, compute_uv=False)))),
    ),
}


def matrix_with(*values):
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((len(values), len(values))))[0]
    M = Q @ np.diag(values) @ Q.T
    return (M + M.T) / 2


def truth(function, M, first, second):
    """The first and the mixed second derivative in two directions, by central differences."""
    with mpmath.workdps(40):
        h = mpmath.mpf(10) ** -9
        M, first, second = (mpmath.matrix(x.tolist()) for x in (M, first, second))

        def at(i, j):
            return function(M + i * h * first + j * h * second)

        one = (at(1, 0) - at(-1, 0)) / (2 * h)
        two = (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / (4 * h * h)
        return float(one), float(two)


@pytest.mark.parametrize("mode", ["reverse", "forward", "cross-country"])
@pytest.mark.parametrize("separation", [0.0, 1e-13, 1e-8, 1e-4, 0.3])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_are_exact_where_eigenvalues_meet(name, separation, mode):
    build_it, exact = FUNCTIONS[name]
    D = derivative(build_it(A), [A], mode=mode)
    H = derivative(build_it(A), [A, A], mode=mode)
    M = matrix_with(1.0, 1 + separation, 1 + 2 * separation, 2.5)
    first, second = np.random.default_rng(1).standard_normal((2, 4, 4))
    one, two = truth(exact, M, first, second)
    values = {"A": M, "t": np.array(0.5)}
    for roots in ([D, H], expand([D, H])):
        d, h = evaluate(roots, values)
        np.testing.assert_allclose(np.sum(d * first), one, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(np.einsum("abcd,ab,cd", h, first, second), two, 1e-12, 1e-12)


def test_third_derivatives_are_exact_at_ties():
    """``Σ w^4 = tr(S^4)``, whose derivatives are polynomials."""
    w = eigvalsh(A)
    F = total(build.hadamard(exp(build.scale(4, log(w)))))
    D = derivative(F, [A, A, A])
    d = np.random.default_rng(2).standard_normal((3, 3))
    d = d + d.T
    (value,) = evaluate([D], {"A": np.eye(3)})
    found = np.einsum("abcdef,ab,cd,ef", value, d, d, d)
    # At the unit matrix the third derivative of tr(S^4) in the direction d is 24 tr(d^3).
    np.testing.assert_allclose(found, 24 * np.trace(d @ d @ d), rtol=1e-11)


def test_compiled_products_with_a_hessian_are_exact_at_ties():
    F = total(exp(eigvalsh(A)))
    product_with_hessian = compile_nodes(hvp(F, A, E))
    d = np.random.default_rng(3).standard_normal((5, 5))
    found = product_with_hessian(A=2 * np.eye(5), E=d)
    np.testing.assert_allclose(found, np.exp(2) * (d + d.T) / 2, rtol=1e-13)


def test_sums_over_eigenvalues_need_no_eigenvectors_differentiated():
    for F in (total(exp(eigvalsh(A))), logsumexp(eigvalsh(A)), total(log(shifted(A)))):
        H = derivative(F, [A, A])
        applied = [node for node in postorder([H]) if isinstance(node, Apply)]
        assert any(isinstance(node.primitive, Spectral) for node in applied)
        assert not any(node.primitive.name == "gap" for node in applied)


@pytest.mark.parametrize("numbers", [(5, 3), (3, 5), (2, 4, 3)])
@pytest.mark.parametrize("separation", [0.0, 1e-13, 1e-6])
def test_functions_of_singular_values_of_rectangular_matrices(numbers, separation):
    *batch, m, n = numbers
    X = build.var("X", shape(*"b"[: len(batch)], "m", "n"))
    D = build.var("D", X.dims)
    rng = np.random.default_rng(4)
    U, V = (np.linalg.qr(rng.standard_normal((*batch, size, 3)))[0] for size in (m, n))
    M = U * (1 + separation * np.arange(3)) @ V.swapaxes(-1, -2)
    first, second = rng.standard_normal((2, *numbers))
    F = total(log(svdvals(X)), 1)
    G = total(F) if batch else F
    H = derivative(G, [X, X])
    products = [hvp(G, X, D), *expand([hvp(G, X, D)])]

    def exact(x):
        return sum(map(mpmath.log, mpmath.svd_r(x, compute_uv=False)))

    cells = list(np.ndindex(*batch)) if batch else [()]
    one, two = np.sum([truth(exact, M[c], first[c], second[c]) for c in cells], axis=0)
    values = {"X": M, "D": second}
    for found in evaluate(products, values):
        np.testing.assert_allclose(np.sum(found * first), two, rtol=1e-12)
    for root in (derivative(G, [X]), *expand([derivative(G, [X])])):
        (gradient,) = evaluate([root], values)
        np.testing.assert_allclose(np.sum(gradient * first), one, rtol=1e-12)
    (hessian,) = evaluate(expand([H]), values)
    found = np.tensordot(np.tensordot(first, hessian, len(numbers)), second, len(numbers))
    np.testing.assert_allclose(found, two, rtol=1e-12)


def test_compiled_functions_of_singular_values_are_exact_at_ties():
    rng = np.random.default_rng(6)
    M = np.linalg.qr(rng.standard_normal((5, 3)))[0] * 2
    move = rng.standard_normal((5, 3))
    for text in ("normnuc(A)", "sum(log(svdvals(A)))", "sum(svdvals(A).^(3/2))"):
        products_of = tcalc.hvp(tcalc.parse(text, "A[m,n]"), "A", "E")
        found = tcalc.compile(products_of)(A=M, E=move)
        np.testing.assert_allclose(found, tcalc.evaluate(products_of, A=M, E=move), atol=1e-13)


def test_third_derivatives_by_singular_values_apart():
    F = total(exp(svdvals(A)))
    G, H = derivative(F, [A]), derivative(F, [A, A])
    T = derivative(H, [A])
    M, d, e, f = np.random.default_rng(5).standard_normal((4, 3, 3))
    h = 1e-3
    wanted = sum(
        c * np.einsum("ijkl,ij,kl", evaluate([H], {"A": M + k * h * f})[0], d, e)
        for k, c in ((-2, 1), (-1, -8), (1, 8), (2, -1))
    ) / (12 * h)
    (third,) = evaluate([T], {"A": M})
    np.testing.assert_allclose(np.einsum("ijklmn,ij,kl,mn", third, d, e, f), wanted, rtol=1e-8)
    with pytest.raises(np.linalg.LinAlgError, match=r"svd\(A\): .* equal, in a higher derivative"):
        evaluate([T], {"A": np.eye(3)})
    assert derivative(G, [A]) is H


def test_a_function_of_singular_values_with_their_vectors():
    """``U diag(s^3) V' = A A' A``, a polynomial; and ``U diag(s) V' = A``."""
    U, s, V = svd(A)
    F = product("ir,r,jr->ij", U, power(s, 3), V)
    P = product("ij,kj,kl->il", A, A, A)
    M = matrix_with(1.0, 1.0, 1 + 1e-13, 2.0)
    for root in (F, derivative(F, [A])):
        other = P if root is F else derivative(P, [A])
        left, right = evaluate([root, other], {"A": M})
        np.testing.assert_allclose(left, right, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    ("function", "gradient"),
    [
        ("sum(exp(eigvalsh(A)))", "V*diag(exp(w))*V'"),
        ("sum(log(eigvalsh(A) + 3))", "V*diag(1./(3 + w))*V'"),
        ("sum(eigvalsh(A).^3 .* exp(eigvalsh(A)))", None),
        ("sum(sqrt(eigvalsh(A)))", "powm(-1/2, A)/2"),
        ("sum(log2(eigvalsh(A)))", None),
        ("sum(svdvals(A).^3)", "3*U*diag(s.^2)*V'"),
        ("log(sum(exp(svdvals(A))))", None),
    ],
)
def test_derivatives_read_back(function, gradient):
    f = tcalc.parse(function, "A[n,n]")
    G, P, H = tcalc.gradient(f, "A"), tcalc.hvp(f, "A", "E"), tcalc.hessian(f, "A")
    if gradient is not None:
        assert str(G).splitlines()[-1] == gradient
    values = {"A": matrix_with(1.0, 1.0, 2.5), "E": np.arange(9.0).reshape(3, 3)}
    for D in (G, P, H):
        assert "spectral" not in str(D)
        assert "singular" not in str(D)
        read = tcalc.parse(str(D), "A[n,n], E[n,n]")
        used = {name: values[name] for name in D.variables}
        np.testing.assert_allclose(
            tcalc.evaluate(read, **used), tcalc.evaluate(D, **used), rtol=1e-12, atol=1e-12
        )


def test_a_whole_hessian_takes_one_decomposition():
    H = derivative(total(exp(eigvalsh(A))), [A, A])
    applied = [node for node in postorder(expand([H])) if isinstance(node, Apply)]
    (argument,) = {node.args[0] for node in applied if isinstance(node.primitive, Eigh)}
    assert argument is A


def test_unit_directions_commute():
    assert expm(A, build.delta(A.dims[0])) is expm(A)
    assert logm(A, build.scale(3, build.delta(A.dims[0]))) is build.scale(3, powm(Fraction(-1), A))
    assert derivative(trace(expm(A)), [A]) is build.transpose(expm(A))


def test_polynomials_end():
    square = build.hadamard(ARGUMENT, ARGUMENT)
    assert spectral(square, A, (), (E, E, E)) is build.zeros(A.dims)
    assert spectral(build.const(2), A) is build.scale(2, build.delta(A.dims[0]))


def test_facts_of_spectral_functions():
    S = build.var("S", shape("n", "n"), ["spd"])
    assert holds(spectral(exp(ARGUMENT), A), Fact.SPD)
    assert holds(powm(Fraction(-1, 2), S), Fact.SPD)
    assert holds(logm(S), Fact.SPD) is None
    assert holds(logm(A), Fact.SYMMETRIC)


@pytest.mark.parametrize("function", [logm, lambda a: powm(Fraction(1, 2), a)])
def test_an_indefinite_matrix_is_refused(function):
    for root in (function(A), *expand([function(A)]), derivative(function(A), [A])):
        with pytest.raises(
            np.linalg.LinAlgError, match=r"m\(A\): the matrix is not positive definite"
        ):
            evaluate([root], {"A": np.diag([1.0, -1.0])})


def differences(g, w, *derivatives):
    values = [g(w)]
    for k, d in enumerate(derivatives, 1):
        values.append(d(simplex_points(w, k, points_per_axis(k))))
    return divided_differences(w, *values)


@pytest.mark.parametrize(
    "spread", [0.0, 1e-15, 1e-13, 1e-10, 1e-7, 1e-5, 1e-3, 0.03, 0.1, 1.0, 9.0]
)
def test_divided_differences_keep_their_digits(spread):
    w = 1.0 + spread * np.array([0.0, 0.3, 1.0])
    found = differences(np.log, w, lambda x: 1 / x, lambda x: -1 / x**2)
    with mpmath.workdps(60):
        points = [mpmath.mpf(float(x)) for x in w]
        points = [x + k * mpmath.mpf(10) ** -15 for k, x in enumerate(points)]
        one = [mpmath.log(points[k + 1] / points[k]) / (points[k + 1] - points[k]) for k in (0, 1)]
        two = float((one[1] - one[0]) / (points[2] - points[0]))
    np.testing.assert_allclose(found[0, 1, 2], two, rtol=1e-12)
    np.testing.assert_array_equal(found, found.transpose(2, 0, 1))


def test_divided_differences_across_a_kink_are_quotients():
    w = np.array([-1e-4, 2e-4, 2e-4])
    found = differences(np.sign, w, np.zeros_like)
    np.testing.assert_allclose(found[0, 1], 2 / 3e-4)
    assert found[1, 2] == 0
    np.testing.assert_allclose(differences(np.abs, w, np.sign)[0, 1], 1e-4 / 3e-4)
    D = derivative(total(abs_(eigvalsh(A))), [A])
    (value,) = evaluate([D], {"A": np.diag([-2.0, 3.0])})
    np.testing.assert_allclose(value, np.diag([-1.0, 1.0]))


def test_a_matrix_with_nan_spoils_no_other():
    G = derivative(total(exp(eigvalsh(A))), [A])
    gradients = spectral(exp(ARGUMENT), B)
    stack = np.stack([np.eye(3), np.full((3, 3), np.nan), matrix_with(1.0, 2.0, 2.0)])
    for root in (gradients, *expand([gradients])):
        (value,) = evaluate([root], {"B": stack})
        assert np.isnan(value[1]).all()
        for k in (0, 2):
            (alone,) = evaluate([G], {"A": stack[k]})
            np.testing.assert_allclose(value[k], alone, rtol=1e-14, atol=1e-14)


def test_eigenvalues_and_vectors_are_computed_once():
    w, V = eigh(A)
    roots = expand([eigvalsh(A), V, w])
    assert {type(node.primitive) for node in postorder(roots) if isinstance(node, Apply)} == {Eigh}


@pytest.mark.parametrize("text", ["logm(A)", "powm(0.3, A)"])
def test_derivatives_of_no_matrices_at_all(text):
    F = tcalc.parse(text, "A[b,n,n]")
    first = tcalc.jacobian(F, "A")
    second = tcalc.jacobian(first, "A")
    results = tcalc.compile([F, first, second])(A=np.zeros((0, 3, 3)))
    assert [result.shape for result in results] == [(0, 3, 3) * k for k in (1, 2, 3)]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("sum(log(eigvalsh(A)))", r"log\(eigvalsh\(A\)\) or logm\(A\): "),
        ("sum(eigvalsh(A).^(-1/2))", r"eigvalsh\(A\)\.\^p or powm\(A\): "),
    ],
)
def test_messages_name_functions_of_eigenvalues_as_they_are_written(text, written):
    run = tcalc.compile(tcalc.parse(text, "A[n,n] symmetric"))
    with pytest.raises(tcalc.TcalcError, match=written + "the matrix is not positive definite"):
        run(A=np.array([[1.0, 2.0], [2.0, 1.0]]))


@pytest.mark.parametrize("gap", [1.0, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-9, 1e-12, 0.0])
@pytest.mark.parametrize(
    ("text", "smooth"),
    [
        ("sum(svdvals(A).^4)", "sum((A'*A).^2)"),
        ("U, s, V = svd(A); sum(B.*(U*diag(s.^3)*V'))", "sum(B.*(A*A'*A))"),
    ],
)
def test_third_derivatives_near_ties_of_singular_values_are_right_or_refused(text, smooth, gap):
    generator = np.random.default_rng(5)
    Q = np.linalg.qr(generator.standard_normal((4, 4)))[0]
    data = {"A": (Q * [1.0, 1.0 + gap, 3.0, 4.0]) @ Q.T}
    data |= {name: generator.standard_normal((4, 4)) for name in "BE"}
    found = []
    for formula in (text, smooth):
        f = tcalc.parse(formula, "A[n,n], B[n,n]")
        second = tcalc.hvp(f, "A", "E")
        third = tcalc.jvp(second, "A", "E")
        names = {name: data[name] for name in third.variables}
        try:
            found.append(tcalc.compile([second, third])(**names))
        except DomainError as error:
            assert "equal" in str(error)
            assert gap < 1e-3
            return
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-4 * np.abs(other).max())


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("logm(A, A)", "eye(n)"),
        ("logm(A, 2*A, B)", "-2*logm(A, B)"),
        ("powm(1.5, A, B, A)", "powm(3/2, A, B)/2"),
    ],
)
def test_the_direction_of_the_matrix_itself_is_no_direction(text: str, written: str) -> None:
    assert str(tcalc.parse(text, "A[n,n] spd, B[n,n]")) == written


def test_a_function_of_a_matrix_times_itself_is_differentiated_as_one() -> None:
    f = tcalc.parse("tr(A*logm(A) - A)", "A[n,n] spd")
    assert str(tcalc.gradient(f, "A")) == "logm(A)"
    assert tcalc.check(f, "A", order=3)


@pytest.mark.parametrize(
    "text",
    [
        "w = eigvalsh(A); F[i,j] = sin(w[i] + 0*d[j]); sum(F)",
        "w = eigvalsh(B); v = eigvalsh(A); F[i,j] = sin(w[i,j]*v[i]); sum(F)",
        "s = svdvals(A); F[i,j] = sin(s[i]*d[j]); sum(F)",
    ],
)
def test_eigenvalues_along_another_axis_than_the_last_are_parameters(text: str) -> None:
    f = tcalc.parse(text, "A[n,n] symmetric, B[n,m,m] symmetric, d[k]")
    assert tcalc.check(f, "A", order=2)
