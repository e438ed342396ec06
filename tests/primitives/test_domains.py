"""What users get where a function has no value, or no derivative: a table.

For each function and each kind of argument the value, the gradient, and the product of the Hessian
with a direction are either a message, which names the function, the argument and the fact that
failed, or finite numbers; the interpreter and compiled code agree.  Finite gradients are compared
with differences: no NaN, and nothing else that is wrong, where a function is smooth.
"""

from __future__ import annotations

import re

import numpy as np
import pytest

import tcalc

RNG = np.random.default_rng(0)
KINDS = {
    "singular": np.array([[1.0, 2.0], [2.0, 4.0]]),
    "zero": np.zeros((2, 2)),
    "indefinite": np.array([[1.0, 2.0], [2.0, 1.0]]),
    "negative": np.array([[-1.0, 0.5], [0.5, -2.0]]),
    "defective": np.array([[1.0, 1.0], [0.0, 1.0]]),
    "unit": np.eye(2),
    "nearly singular": np.array([[1.0, 1.0], [1.0, 1.0 + 1e-4]]),
    "wide": RNG.standard_normal((2, 3)),
    "tall": RNG.standard_normal((3, 2)),
    "complex": np.array([[2.0, 1j], [0.5j, 1.0]]),
}
B = np.array([[1.0, 2.0], [3.0, 5.0]])

SINGULAR = r"inv\(A\): the matrix is singular"
DEFINITE = r"\(A.*\): the matrix is not positive definite"
RANK = r"\(A\): .*full rank"
COMPLEX = r"\(A\): the matrix is complex, and should be real"
COMMON = r"A and -B have a common eigenvalue"
NEGATIVE = r"sqrtm\(A\): the matrix has (a negative eigenvalue|an .* negative real axis)"
EQUAL = r"\(A\): eigenvalues or singular values that are equal, in a higher derivative"

TABLE = {
    # program: kind -> value, gradient, product with the Hessian; None is a number
    "tr(inv(A)*B)": {
        "singular": (SINGULAR,) * 3,
        "zero": (SINGULAR,) * 3,
        "nearly singular": (None, None, None),
        "complex": (None,) * 3,
    },
    "sum(A\\B)": {"singular": (SINGULAR,) * 3, "zero": (SINGULAR,) * 3},
    "sum(trisolve(A, B))": {
        "singular": (None,) * 3,
        "zero": (r"inv\(.*\): the matrix is singular",) * 3,
    },
    "det(A)": {kind: (None,) * 3 for kind in KINDS if kind not in ("wide", "tall")},
    "sum(adj(A))": {kind: (None,) * 3 for kind in KINDS if kind not in ("wide", "tall")},
    "logdet(A)": {
        "singular": (r"logdet\(A\): the (determinant is not positive|matrix is singular)",)
        + (SINGULAR,) * 2,
        "indefinite": (r"logdet\(A\): the determinant is not positive", "", ""),
        "negative": (None,) * 3,
        "nearly singular": (None,) * 3,
    },
    "logabsdet(A)": {
        "singular": ("", SINGULAR, SINGULAR),
        "indefinite": (None,) * 3,
        "nearly singular": (None,) * 3,
        "complex": (r"logabsdet" + COMPLEX, "", ""),
    },
    "s, l = slogdet(A); l": {
        "singular": ("", SINGULAR, SINGULAR),
        "indefinite": (None,) * 3,
        "complex": (r"slogdet" + COMPLEX, "", ""),
    },
    "sum(chol(A))": {
        "singular": ("chol" + DEFINITE,) * 3,
        "indefinite": ("chol" + DEFINITE,) * 3,
        "zero": ("chol" + DEFINITE,) * 3,
        "defective": (None,) * 3,
        "unit": (None,) * 3,
        "nearly singular": (None,) * 3,
    },
    "Q, R = qr(A); sum(R) + Q[1,2]": {
        "singular": ("qr" + RANK,) * 3,
        "zero": ("qr" + RANK,) * 3,
        "unit": (None,) * 3,
        "tall": (None,) * 3,
        "wide": (r"qr\(A\): the matrix is wide, 2 by 3: use lq",) * 3,
        "complex": ("qr" + COMPLEX,) * 3,
    },
    "L, Q = lq(A); sum(L) + Q[2,1]": {
        "singular": ("lq" + RANK,) * 3,
        "wide": (None,) * 3,
        "tall": (r"lq\(A\): the matrix is tall, 3 by 2: use qr",) * 3,
        "complex": ("lq" + COMPLEX,) * 3,
    },
    "w, V = eigh(A); w[1]*V[1,1]^2": {
        "singular": (None,) * 3,
        "indefinite": (None,) * 3,
        "defective": (None,) * 3,
        "zero": ("", "", "eigh" + EQUAL),
        "unit": ("", "", "eigh" + EQUAL),
        "complex": ("eigh" + COMPLEX,) * 3,
    },
    "sum(eigvalsh(A).^3)": {
        **dict.fromkeys(("singular", "zero", "unit", "negative", "defective"), (None,) * 3),
        "complex": (r"(eig|powm).*\(A.*the matrix is complex, and should be real",) * 3,
    },
    "U, s, V = svd(A); U[1,1]^2*s[1]": {
        "singular": (None, "svd" + RANK, "svd" + RANK),
        "unit": ("", "", "svd" + EQUAL),
        "wide": (None,) * 3,
        "tall": (None,) * 3,
        "complex": ("svd" + COMPLEX,) * 3,
    },
    "normspec(A)": {
        "indefinite": ("", "", ""),
        "defective": (None,) * 3,
        "wide": (None,) * 3,
        "complex": (r"svd(vals)?" + COMPLEX,) * 3,
    },
    "normnuc(A)": {
        "singular": (None, "polar" + RANK, "polar" + RANK),
        "zero": ("", "polar" + RANK, "polar" + RANK),
        "unit": (None,) * 3,
        "nearly singular": (None,) * 3,
        "wide": (None,) * 3,
        "tall": (None,) * 3,
        "complex": (r"(normnuc|polar|svd)" + COMPLEX,) * 3,
    },
    "sum(pinv(A))": {
        "singular": ("", "", ""),
        "wide": (None,) * 3,
        "tall": (None,) * 3,
        "complex": ("pinv" + COMPLEX,) * 3,
    },
    "sum(expm(A))": dict.fromkeys(("zero", "singular", "defective", "complex"), (None,) * 3),
    "sum(sqrtm(A))": {
        "singular": ("", COMMON, COMMON),
        "indefinite": (NEGATIVE,) * 3,
        "defective": (None,) * 3,
        "unit": (None,) * 3,
        "complex": (None,) * 3,
    },
    "sum(logm(A))": {
        "singular": ("logm" + DEFINITE,) * 3,
        "indefinite": ("logm" + DEFINITE,) * 3,
        "unit": (None,) * 3,
    },
    "sum(log(eigvalsh(A)))": {
        "indefinite": ("logm" + DEFINITE, "", ""),
        "unit": (None,) * 3,
    },
    "sum(powm(1/2, A))": {"indefinite": ("powm" + DEFINITE,) * 3, "unit": (None,) * 3},
    "sum(powm(-2, A))": {"indefinite": (None,) * 3, "unit": (None,) * 3},
    "sum(lyap(A, B))": {
        "singular": (r"sylvester\(A'?, .*\): " + COMMON,) * 3,
        "unit": (None,) * 3,
        "complex": (None,) * 3,
    },
    "sum(A^-2)": {"singular": (SINGULAR,) * 3, "indefinite": (None,) * 3},
}
CASES = [(text, kind, *TABLE[text][kind]) for text in TABLE for kind in TABLE[text]]


def outcomes(expression, given):
    """What the interpreter and the compiled code give: a message, or an array."""
    used = {name: given[name] for name in given if name in expression.variables}
    found = []
    for compute in (tcalc.evaluate, lambda e, **data: tcalc.compile(e)(**data)):
        try:
            with np.errstate(all="ignore"):
                found.append(np.asarray(compute(expression, **used)))
        except tcalc.TcalcError as error:
            found.append(str(error))
    return found


def parse(text, kind):
    declared = "A[n,n], B[n,n]" if "B" in text else "A[n,n]"
    return tcalc.parse(text, declared if kind not in ("wide", "tall") else "A[m,n]")


def slope(expression, given, move):
    """The derivative along a direction of A, by five-point differences in small steps."""
    used = {name: given[name] for name in given if name in expression.variables}
    h = 2e-7 if given["A"] is KINDS["nearly singular"] else 1e-3

    def at(step):
        return tcalc.evaluate(expression, **{**used, "A": given["A"] + step * h * move})

    return (at(-2) - 8 * at(-1) + 8 * at(1) - at(2)) / (12 * h)


@pytest.mark.parametrize(("text", "kind"), [case[:2] for case in CASES])
def test_every_function_has_a_value_or_a_message(text, kind):
    f = parse(text, kind)
    move = np.random.default_rng(1).standard_normal(KINDS[kind].shape)
    given = {"A": KINDS[kind], "B": B, "E": move}
    derivatives = [f, tcalc.gradient(f, "A"), tcalc.hvp(f, "A", "E")]
    for order, (expression, expected) in enumerate(
        zip(derivatives, TABLE[text][kind], strict=True)
    ):
        slow, fast = outcomes(expression, given)
        if expected:
            for message in (slow, fast):
                assert isinstance(message, str), message
                assert re.search(expected, message), message
            continue
        assert not isinstance(slow, str), slow
        assert not isinstance(fast, str), fast
        np.testing.assert_allclose(fast, slow, rtol=1e-7, atol=1e-9 * (1 + np.abs(slow).max()))
        if expected is None:
            assert np.isfinite(slow).all()
            if order and kind != "complex":
                found = np.sum(slow * move) if order == 1 else slow
                wanted = slope(derivatives[order - 1], given, move)
                scale = 1 + np.abs(wanted).max()
                np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6 * scale)


def test_a_zero_on_an_inverted_diagonal_is_named_with_its_place():
    gradient = tcalc.gradient(tcalc.parse("y'*inv(diag(x))*y"), "x")
    for message in outcomes(gradient, {"x": np.array([1.0, 0.0]), "y": np.ones(2)}):
        assert re.match(r"inv(\(x\))?: the matrix is singular, its diagonal is 0 at \[2\]", message)


OF_ANY_SHAPE = ("qr", "lq", "svd", "norm", "pinv")


@pytest.mark.parametrize(
    "text", [text for text in TABLE if not any(name in text for name in OF_ANY_SHAPE)]
)
def test_a_matrix_that_is_not_square_is_refused_where_one_must_be(text):
    with pytest.raises(tcalc.TcalcError, match=r"square|2 against 3"):
        tcalc.parse(text, "A[2,3], B[2,2]")


@pytest.mark.parametrize("text", TABLE)
def test_nan_gives_nan_or_a_message_never_numbers(text):
    f = parse(text, "unit")
    given = {"A": np.array([[1.0, np.nan], [np.nan, 2.0]]), "B": B, "E": np.eye(2)}
    for expression in (f, tcalc.gradient(f, "A")):
        for found in outcomes(expression, given):
            assert np.isnan(found).any()
    for compute in (tcalc.compile(f), tcalc.compile(tcalc.gradient(f, "A"))):
        with pytest.raises(tcalc.TcalcError, match="A"):
            compute(**{name: given[name] for name in f.variables}, check_finite=True)


ELEMENTWISE = [
    # program, point, first derivative, second derivative (on the diagonal)
    ("sum(x.^2)", [0.0, -1.0], [0.0, -2.0], [2.0, 2.0]),
    ("sum(x.^0)", [0.0, -1.0], [0.0, 0.0], [0.0, 0.0]),
    ("sum(x.^1)", [0.0, -1.0], [1.0, 1.0], [0.0, 0.0]),
    ("sum(x.^3)", [0.0, -2.0], [0.0, 12.0], [0.0, -12.0]),
    ("sum(x.^(5/2))", [0.0, 1.0], [0.0, 2.5], [0.0, 3.75]),
    ("sum(abs(x))", [0.0, -2.0], [0.0, -1.0], [0.0, 0.0]),
    ("sum(abs(x).^3)", [0.0, -1.0], [0.0, -3.0], [0.0, 6.0]),
    ("sum(abs(x).^(3/2))", [0.0, -1.0], [0.0, -1.5], [np.inf, 0.75]),
    ("sum(abs(x).^(1/2))", [0.0, -1.0], [0.0, -0.5], [-np.inf, -0.25]),
    ("sum(abs(x).^(5/2))", [0.0, -1.0], [0.0, -2.5], [0.0, 3.75]),
    ("sum(pow(abs(x), 2 + 0*x))", [0.0, -1.0], [0.0, -2.0], [2.0, 2.0]),
    ("sum(xlogy(x, 1 + x))", [0.0, 1.0], [0.0, np.log(2) + 0.5], [2.0, 0.75]),
    ("sum(sqrt(x))", [0.0, 1.0], [np.inf, 0.5], [-np.inf, -0.25]),
    ("sum(xlogx(x))", [0.0, 1.0], [-np.inf, 1.0], [np.inf, 1.0]),
    ("sum(2.^x)", [0.0, 1.0], np.log(2) * np.array([1, 2]), np.log(2) ** 2 * np.array([1, 2])),
    ("sum(pow(0, x))", [1.0, 2.5], [0.0, 0.0], [0.0, 0.0]),
    ("sum(tanh(x))", [0.0, 1000.0], [1.0, 0.0], [0.0, 0.0]),
    ("sum(softplus(x))", [1000.0, -1000.0], [1.0, 0.0], [0.0, 0.0]),
    ("sum(atan2(x, 0*x - 1))", [0.0, 1.0], [-1.0, -0.5], [0.0, 0.5]),
    ("sum(sqrt(x.^2))", [0.0, -1.0], [0.0, -1.0], [0.0, 0.0]),
    ("sum(sqrt(x.^4))", [0.0, -1.0], [0.0, -2.0], [2.0, 2.0]),
    ("sum((x.^2).^(3/4))", [0.0, -1.0], [0.0, -1.5], [np.inf, 0.75]),
    ("sum(sqrt(x.^2 + 3*x.^4))", [0.0, 1.0], [0.0, 3.5], [0.0, 19 / 2 - 49 / 8]),
    ("sqrt(mean(x.^2))", [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]),
    ("sqrt(mean((x - mean(x)).^2))", [2.0, 2.0], [0.0, 0.0], [0.0, 0.0]),
    ("r[i,j] = sqrt((x[i] - x[j])^2); sum(r)", [1.0, 1.0], [0.0, 0.0], [0.0, 0.0]),
    ("y = 2*x; sqrt(x'*x + y'*y)", [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]),
    ("norm2(x)^2", [0.0, 0.0], [0.0, 0.0], [2.0, 2.0]),
    ("norm2(x)^3", [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]),
    ("norm2(x)", [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]),
    ("norm2(x)", [3.0, 4.0], [0.6, 0.8], [0.128, 0.072]),
    ("prod(x)", [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]),
    ("logsumexp(x)", [-np.inf, 0.0], [0.0, 1.0], [0.0, 0.0]),
]


@pytest.mark.parametrize(("text", "point", "first", "second"), ELEMENTWISE)
def test_points_where_formulas_meet_zero_or_infinity(text, point, first, second):
    f = tcalc.parse(text, "x[n]")
    g, H = tcalc.gradient(f, "x"), tcalc.hessian(f, "x")
    for gradient in outcomes(g, {"x": point}):
        np.testing.assert_allclose(gradient, first, rtol=1e-14, atol=1e-300)
    for hessian in outcomes(H, {"x": point}):
        np.testing.assert_allclose(np.diag(hessian), second, rtol=1e-13, atol=1e-300)
        if text.startswith("sum"):
            assert not hessian[~np.eye(2, dtype=bool)].any()


def test_roots_of_quadratic_forms_at_zero_and_of_what_has_a_slope_there():
    form = tcalc.parse("sqrt(x'*S*x)", "S[n,n] spd, x[n]")
    data = {"S": np.array([[2.0, 1.0], [1.0, 3.0]]), "x": np.zeros(2)}
    for wanted in (tcalc.gradient(form, "x"), tcalc.hessian(form, "x")):
        assert not tcalc.compile(wanted)(**data).any()
        assert not tcalc.evaluate(wanted, **data).any()
    for text in ("sqrt(c*x'*x)", "sqrt(c)", "sqrt(norm2(x)^2 + c)"):
        slope = tcalc.gradient(tcalc.parse(text, "c nonnegative, x[n]"), "c")
        with np.errstate(divide="ignore"):
            found = tcalc.compile(slope)(c=0.0, x=np.zeros(2) if "+" in text else np.ones(2))
        assert found == np.inf


@pytest.mark.parametrize("a", [0.0, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("base", ["x", "abs(x)"])
def test_derivatives_of_powers_given_as_data_at_zero(base, a):
    """Those of ``x^k`` for k = 0, …, 3 and of ``|x|^k``, which has a kink for odd k."""
    f = tcalc.parse(f"sum({base}.^a)", "x[n], a")
    size = [1.0, a, a * (a - 1), a * (a - 1) * (a - 2)]
    for order in (1, 2, 3):
        whole = a == order if base == "x" else a == order and order % 2 == 0
        due = size[order] if whole else 0.0
        for found in outcomes(tcalc.derivative(f, *["x"] * order), {"x": [0.0], "a": a}):
            assert found.item() == due


@pytest.mark.parametrize("scale", [1e-200, 1e-160, 1.0, 1e160, 1e200, 3e307])
def test_a_norm_is_right_wherever_it_is_representable(scale):
    f = tcalc.parse("norm2(x)", "x[n]")
    x = scale * np.array([3.0, 0.0, -4.0])
    for found in outcomes(f, {"x": x}):
        np.testing.assert_allclose(found, 5 * scale, rtol=1e-15)
    for found in outcomes(tcalc.gradient(f, "x"), {"x": x}):
        np.testing.assert_allclose(found, [0.6, 0, -0.8], rtol=1e-15)


def test_norms_of_rows_and_other_types():
    f = tcalc.parse("r[i] = norm2[j](X[i,j])", "X[m,n]")
    X = np.array([[3e200, 4e200], [3e-200, 4e-200], [0, 0], [3, 4], [np.inf, 1], [np.nan, 1]])
    wanted = [5e200, 5e-200, 0, 5, np.inf, np.nan]
    for found in outcomes(f, {"X": X}):
        np.testing.assert_allclose(found, wanted, rtol=1e-15)
    single = np.array([[3e30, 4e30], [3e-30, 4e-30]], np.float32)
    result = tcalc.compile(f)(X=single)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, [5e30, 5e-30], rtol=1e-6)
    assert tcalc.compile(f)(X=np.zeros((2, 0))).tolist() == [0, 0]
    np.testing.assert_allclose(tcalc.compile(f)(X=1e200 * np.array([[3, 4j]])), [7**0.5 * 1e200j])


def test_whole_exponents_of_negative_numbers():
    f = tcalc.parse("a^b", "a, b")
    for found in outcomes(tcalc.gradient(f, "a"), {"a": -2.0, "b": 3.0}):
        assert found == pytest.approx(12, rel=1e-14)
    for found in outcomes(tcalc.hessian(f, "a"), {"a": -2.0, "b": 3.0}):
        assert found == pytest.approx(-12, rel=1e-14)


def test_data_declared_orthogonal_are_looked_at():
    f = tcalc.parse("sum(inv(Q))", "Q[n,n] orthogonal")
    Q = np.linalg.qr(RNG.standard_normal((5, 5)))[0]
    run = tcalc.compile([f, tcalc.gradient(f, "Q")])
    for dtype in (np.float64, np.float32):
        run(Q=Q.astype(dtype))
        for wrong in (Q + 1e-2, 2 * Q, np.diag([1.0, 1, 1, 1, 2])):
            with pytest.raises(tcalc.TcalcError, match="Q was declared orthogonal, and is not"):
                run(Q=wrong.astype(dtype))
    assert np.isnan(run(Q=np.full((5, 5), np.nan))[0])


@pytest.mark.parametrize("properties", ["symmetric lower", "spd upper", "lower upper"])
def test_properties_that_make_a_matrix_diagonal_are_refused(properties):
    with pytest.raises(tcalc.TcalcError, match="is diagonal"):
        tcalc.parse("tr(A)", f"A[n,n] {properties}")


@pytest.mark.parametrize("text", ["det(A)", "logdet(A)", "logabsdet(A)"])
@pytest.mark.parametrize("entry", [np.nan, np.inf])
def test_determinants_of_what_is_not_finite_are_not_finite_and_no_warnings(text, entry):
    for shape in ((1, 1), (3, 3), (2, 3, 3)):
        A = np.broadcast_to(2 * np.eye(shape[-1]), shape).copy()
        A[(0,) * len(shape)] = entry
        declared = "A[n,n]" if len(shape) == 2 else "A[b,n,n]"
        f = tcalc.parse(text, declared)
        for found in (tcalc.compile(f)(A=A), tcalc.evaluate(f, A=A)):
            assert not np.isfinite(found.flat[0])
            assert len(shape) == 2 or np.isfinite(found[1])


@pytest.mark.parametrize("wrt", ["A", "B"])
def test_determinants_of_kronecker_products_with_singular_factors(wrt):
    """Powers of zero whose exponents are sizes: det(A)^(m - 2) is multiplied by zero at m = 1."""
    f = tcalc.parse("det(kron(A, B))", "A[n,n], B[m,m]")
    written_out = tcalc.parse("det(K)", "K[k,k]")
    K_second = tcalc.compile(tcalc.hessian(written_out, "K"))
    K_first = tcalc.compile(tcalc.gradient(written_out, "K"))
    D = [tcalc.gradient(f, wrt), tcalc.hessian(f, wrt)]
    compiled = tcalc.compile(D)
    for A in (np.array([[1.0, 2.0], [2.0, 4.0]]), np.zeros((2, 2)), np.zeros((1, 1))):
        for B_ in (np.array([[3.0]]), np.array([[3.0, 1.0], [1.0, 2.0]])):
            data, K = {"A": A, "B": B_}, np.kron(A, B_)
            # d kron(A, B) = kron(dA, B), entry by entry
            size = data[wrt].size
            units = np.eye(size).reshape(size, *data[wrt].shape)
            dK = np.array([np.kron(E, B_) if wrt == "A" else np.kron(A, E) for E in units])
            first = np.einsum("kl,akl->a", K_first(K=K), dK)
            second = np.einsum("ijkl,aij,bkl->ab", K_second(K=K), dK, dK)
            for found in (compiled(**data), tcalc.evaluate(D, **data)):
                np.testing.assert_allclose(found[0].ravel(), first, atol=1e-10)
                np.testing.assert_allclose(found[1].reshape(size, size), second, atol=1e-9)
