"""Matrices that are singular up to rounding are refused on every route, badly scaled ones not."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

import tcalc
from tcalc.errors import DomainError

RANDOM = np.random.default_rng(3)
DEFICIENT = "f = (a'*x)^4 + (b'*x)^4"
VECTORS = "a[n], b[n], x[n]"
SINGULAR_AT = r"singular(, up to rounding,)? at \[{}\]"
"""The last pivot of a matrix of lower rank is rounding, or zero: that depends on the machine."""


def test_a_hessian_without_full_rank_is_refused_dense_factored_and_interpreted() -> None:
    f = tcalc.parse(DEFICIENT, VECTORS)
    step = tcalc.parse(f"{DEFICIENT}; hessian(f, x) \\ gradient(f, x)", VECTORS)
    data = {name: RANDOM.standard_normal(5) for name in "abx"}
    with pytest.raises(DomainError, match="singular"):
        tcalc.compile(step)(**data)
    with pytest.raises(DomainError, match="singular"):
        tcalc.evaluate(step, **data)
    H = tcalc.compile(tcalc.hessian(f, "x"), form="factored")(**data)
    with pytest.raises(DomainError, match="singular"):
        H.solve(tcalc.compile(tcalc.gradient(f, "x"))(**data))


@pytest.mark.parametrize("declared", ["b[n]", "A[n,n] symmetric, b[n]", "A[n,n] spd, b[n]"])
@pytest.mark.parametrize("text", ["A \\ b", "inv(A)"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rank_one_less(declared: str, text: str, dtype: type) -> None:
    run = tcalc.compile(tcalc.parse(text, declared if "b" in text else declared[:-6]))
    for n in 10 * (2, 5, 30):
        half = RANDOM.standard_normal((n, n - 1))
        A = half @ (half.T if "," in declared else RANDOM.standard_normal((n - 1, n)))
        units = 2.0 ** RANDOM.integers(-10, 10, n)
        A = units[:, None] * ((A + A.T) / 2 if "," in declared else A) * units
        given = {"A": A.astype(dtype), "b": np.ones(n, dtype)}
        with pytest.raises(DomainError, match=r"singular|not positive definite"):
            run(**(given if "b" in text else {"A": given["A"]}))


@pytest.mark.parametrize("declared", ["b[n]", "A[n,n] symmetric, b[n]", "A[n,n] spd, b[n]"])
def test_units_are_no_reason_to_refuse(declared: str) -> None:
    core = np.array([[4.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 5.0]])
    units = np.array([1.0, 2.0**-70, 2.0**40])
    A = units[:, None] * core * units
    b = np.array([1.0, 2.0, 3.0])
    due = np.linalg.solve(core, b / units) / units
    f = tcalc.parse("A \\ b", declared)
    for found in (tcalc.compile(f)(A=A, b=b), tcalc.evaluate(f, A=A, b=b)):
        np.testing.assert_allclose(found, due, rtol=1e-14)


def test_units_are_no_reason_to_refuse_a_factored_hessian() -> None:
    f = tcalc.parse("x'*S*x/2 + y'*S*y/2", "S[n,n] symmetric, x[n], y[n]")
    units = np.array([1.0, 2.0**-70])
    S = units[:, None] * np.array([[2.0, 1.0], [1.0, 3.0]]) * units
    H = tcalc.compile(tcalc.hessian(f, "x"), form="factored")(S=S)
    due = np.linalg.solve([[2.0, 1.0], [1.0, 3.0]], 1 / units) / units
    np.testing.assert_allclose(H.solve(np.ones(2)), due, rtol=1e-14)


def test_units_hide_what_is_singular_from_few() -> None:
    """They may choose pivots by which rounding grows far beyond that of the matrix in other units.

    Where rounding comes to the condition number at which matrices are refused, chance decides.
    """
    f = tcalc.parse("A \\ b", "A[n,n], b[n]")
    many = tcalc.parse("Y[b,i] = inv(A)[b,i,j]*B[b,j]; Y", "A[b,n,n], B[b,n]")
    single, stack = tcalc.compile(f), tcalc.compile(many)
    n, b, taken = 30, np.ones(30), 0
    for _ in range(60):
        left, right = 2.0 ** RANDOM.integers(-40, 40, (2, n))
        A = RANDOM.standard_normal((n, n - 1)) @ RANDOM.standard_normal((n - 1, n))
        A = left[:, None] * A * right
        for run in (
            lambda A: single(A=A, b=b),
            lambda A: tcalc.evaluate(f, A=A, b=b),
            lambda A: stack(A=A[None], B=b[None]),
        ):
            try:
                run(A)
            except DomainError as error:
                assert "singular" in error.message
            else:
                taken += 1
    assert taken <= 0.05 * 180


@pytest.mark.parametrize("declared", ["b[n]", "A[n,n] spd, b[n]"])
def test_a_kernel_with_a_little_noise_is_solved(declared: str) -> None:
    t = np.linspace(0, 1, 200)[:, None]
    A = np.exp(-50 * (t - t.T) ** 2) + 1e-12 * np.eye(200)
    run = tcalc.compile(tcalc.parse("A \\ b", declared))
    np.testing.assert_allclose(A @ run(A=A, b=np.ones(200)), 1, atol=1e-6)


@pytest.mark.parametrize("columns", [True, False])
@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_stacks_are_judged_as_single_matrices_are(columns: bool, left: bool, dtype: type) -> None:
    """One matrix of many that is singular up to rounding is named; bad units are none."""
    other = "B[b,j,k]" if columns else "B[b,j]"
    row = "b,i,k" if columns else "b,i"
    inverse = "inv(A)[b,i,j]" if left else "inv(A)[b,j,i]"
    text = f"Y[{row}] = {inverse}*{other}; Y"
    run = tcalc.compile(tcalc.parse(text, f"A[n,p,p], B[n,p{',k' * columns}]"))
    random = np.random.default_rng(7)
    for size in (1, 2, 6, 20):
        A = random.standard_normal((4, size, size)) + 2 * np.eye(size)
        B = random.standard_normal((4, size, 3) if columns else (4, size))
        units = 2.0 ** random.integers(-30, 30, (4, size))
        scaled = (units[:, :, None] * A * units[:, None]).astype(dtype)
        got = run(A=scaled, B=B.astype(dtype))
        turned = scaled if left else scaled.swapaxes(1, 2)
        due = [
            np.linalg.solve(a.astype(float) / u[:, None] / u, (b.T / u).T).T / u
            for a, b, u in zip(turned, B.astype(dtype).astype(float), units, strict=True)
        ]
        want = np.stack([x.T for x in due])
        assert got.shape == want.shape
        for x, y in zip(got, want, strict=True):
            rounding = 1e4 * np.finfo(dtype).eps
            np.testing.assert_allclose(x, y, rtol=rounding * 100, atol=rounding * np.abs(y).max())
        if size > 1:
            half = random.standard_normal((size, size - 1))
            A[2] = half @ random.standard_normal((size - 1, size))
            # Of an inverse that is formed, for more columns than rows, no place is told.
            place = SINGULAR_AT.format(3) if not columns or size == 20 else "singular"
            with pytest.raises(DomainError, match=place):
                run(A=A.astype(dtype), B=B.astype(dtype))
        A[1, 0, 0] = np.nan
        A[2] = np.eye(size)
        found = run(A=A.astype(dtype), B=B.astype(dtype))
        assert np.isnan(found[1]).any()
        assert np.isfinite(found[[0, 2, 3]]).all()


def test_one_right_hand_side_for_a_stack() -> None:
    run = tcalc.compile(tcalc.parse("Y[b,i] = inv(A)[b,i,j]*x[j]; Y", "A[n,p,p], x[p]"))
    random = np.random.default_rng(8)
    A, x = random.standard_normal((5, 6, 6)), random.standard_normal(6)
    np.testing.assert_allclose(run(A=A, x=x), [np.linalg.solve(a, x) for a in A], rtol=1e-9)
    A[3, :, 0] = A[3, :, 1:].sum(axis=1)
    with pytest.raises(DomainError, match=SINGULAR_AT.format(4)):
        run(A=A, x=x)
    A[3, :, 0] = 0
    with pytest.raises(DomainError, match=r"the matrix is singular at \[4\]"):
        run(A=A, x=x)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_large_stacks_whose_diagonals_dominate(dtype: type) -> None:
    """They are solved without a second column, until one of them is not dominated."""
    run = tcalc.compile(tcalc.parse("Y[b,i] = inv(A)[b,i,j]*B[b,j]; Y", "A[b,n,n], B[b,n]"))
    random = np.random.default_rng(9)
    units = 2.0 ** random.integers(-20, 20, (200, 5))
    core = 0.1 * random.standard_normal((200, 5, 5)) + np.eye(5)
    B = random.standard_normal((200, 5))
    A = units[:, :, None] * core * units[:, None]
    due = np.linalg.solve(core, (B / units)[..., None])[..., 0] / units
    found = run(A=A.astype(dtype), B=B.astype(dtype))
    # Higham, "Accuracy and stability of numerical algorithms", 9.4: |A⁻¹| |L| |U| |x| in 3n units
    # of rounding.  The units decide which rows are pivots: |L| |U| may be much larger than |A|.
    inverses = np.abs(np.linalg.inv(core)) / units[:, :, None] / units[:, None]
    factors = [np.abs(P @ L) @ np.abs(U) for P, L, U in map(scipy.linalg.lu, A.astype(dtype))]
    allowed = inverses @ np.stack(factors) @ np.abs(due)[..., None]
    assert (np.abs(found - due) <= 2 * 5 * np.finfo(dtype).eps * allowed[..., 0]).all()
    half = random.standard_normal((5, 4))
    A[17] = half @ half.T
    B[17] = A[17] @ random.standard_normal(5)
    with pytest.raises(DomainError, match=SINGULAR_AT.format(18)):
        run(A=A.astype(dtype), B=B.astype(dtype))
    A[17] = np.nan
    assert np.isnan(run(A=A.astype(dtype), B=B.astype(dtype))[17]).all()
    A[17] = 0
    with pytest.raises(DomainError, match=r"the matrix is singular at \[18\]"):
        run(A=A.astype(dtype), B=B.astype(dtype))


@pytest.mark.parametrize("declared", ["", "symmetric", "spd"])
@pytest.mark.parametrize("axes", ["", "b,"])
@pytest.mark.parametrize("text", ["logdet(A)", "chol(A)", "log(det(A))"])
def test_what_has_no_value_at_singular_matrices_has_none_near_them(
    declared: str, axes: str, text: str
) -> None:
    """Whether rounding makes the determinant positive or not, of one matrix or of many."""
    f = tcalc.parse(text, f"A[{axes}n,n] {declared}")
    run = tcalc.compile(f)
    random = np.random.default_rng(11)
    for n in (2, 5, 9, 25):
        regular = random.standard_normal((n, n + 3))
        for _ in range(8):
            half = random.standard_normal((n, n - 1))
            A = half @ (half.T if declared else random.standard_normal((n - 1, n)))
            A = (A + A.T) / 2 if declared else A
            data = np.stack([regular @ regular.T, A]) if axes else A
            for call in (run, lambda A: tcalc.evaluate(f, A=A)):
                with pytest.raises(DomainError, match=r"singular|not positive"):
                    call(A=data)
        good = regular @ regular.T
        units = 2.0 ** random.integers(-100, 100, n)
        scaled = units[:, None] * good * units
        np.testing.assert_allclose(
            run(A=np.stack([scaled, good]) if axes else scaled),
            tcalc.evaluate(f, A=np.stack([scaled, good]) if axes else scaled),
            rtol=1e-9,
        )


@pytest.mark.parametrize("text", ["det(A)", "logabsdet(A)", "adj(A)", "s, l = slogdet(A); s"])
def test_what_has_a_value_at_singular_matrices_has_one_near_them(text: str) -> None:
    half = np.random.default_rng(12).standard_normal((5, 4))
    A = half @ half.T
    for axes, data in (("", A), ("b,", np.stack([A, np.eye(5)]))):
        f = tcalc.parse(text, f"A[{axes}n,n]")
        for found in (tcalc.evaluate(f, A=data), tcalc.compile(f)(A=data)):
            # The last pivot is rounding, or zero, of which the logarithm is -inf.
            assert np.isfinite(np.exp(found) if "log" in text else found).all()
