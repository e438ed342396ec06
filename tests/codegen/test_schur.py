"""Sylvester equations by LAPACK are solved as they are by the formulas."""

import numpy as np
import pytest

import tcalc
from tcalc.codegen.schur import sylvester_by_lapack
from tcalc.primitives.sylvester import sylvester_kronecker, sylvester_solve

RANDOM = np.random.default_rng(0)


def stable(n: int) -> np.ndarray:
    return RANDOM.standard_normal((n, n)) + 2 * np.sqrt(n) * np.eye(n)


A, B = stable(5), stable(4)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-4), (np.float64, 1e-12)])
@pytest.mark.parametrize(
    ("A", "B"),
    [(A, B), (B, A), (A, A), (A, A.T), (A.T, A), (A[:1, :1], B), (stable(40), stable(40).T)],
)
@pytest.mark.parametrize("batch", [(), (3,), (2, 3), (100,)])
def test_the_solutions_are_those_of_the_linear_system(A, B, batch, dtype, tolerance):
    if len(A) > 9 and batch:
        batch = (2,)
    C = RANDOM.standard_normal((*batch, len(A), len(B))).astype(dtype)
    A, B = A.astype(dtype), B.astype(dtype)
    wide = [np.broadcast_to(X, (*batch, *X.shape)) for X in (A, B)]
    if len(batch) == 2:
        C = np.ascontiguousarray(C.transpose(3, 1, 0, 2)).transpose(2, 1, 3, 0)
    before = C.copy()
    X = sylvester_by_lapack(*wide, C, where="f")
    assert X.dtype == dtype
    np.testing.assert_allclose(A @ X + X @ B, C, atol=100 * tolerance)
    if C.size < 1000:
        expected = sylvester_kronecker(*wide, C, where="f")
        np.testing.assert_allclose(X, expected, atol=tolerance)
    np.testing.assert_array_equal(C, before)


def test_pairs_of_their_own_complex_numbers_and_empty_matrices():
    As, Bs, C = np.stack([A, 2 * A]), np.stack([B, B]), RANDOM.standard_normal((2, 5, 4))
    for arrays in ((As, Bs, C), (A, B, C[0] + 1j), (A[:0, :0], B, C[0, :0])):
        expected = sylvester_solve(*arrays, where="f")
        np.testing.assert_array_equal(sylvester_by_lapack(*arrays, where="f"), expected)


def test_what_has_no_solution_says_so_and_what_is_not_finite_gives_none():
    C = np.ones((5, 5))
    for other in (-A, -A.T):
        for function in (sylvester_by_lapack, sylvester_kronecker):
            with pytest.raises(np.linalg.LinAlgError, match="f: A and -B have a common eigenvalue"):
                function(A, other, C, where="f")
    for function in (sylvester_by_lapack, sylvester_solve):
        bad = A.copy()
        bad[1, 2] = np.nan
        assert np.isnan(function(bad, A, C, where="f")).all()
        assert np.isnan(function(A, bad, C, where="f")).all()


def test_generated_code_shares_the_form_of_a_matrix_and_its_transpose():
    f = tcalc.parse("tr(lyap(A, Q) * P)", "A[n,n], Q[n,n], P[n,n]")
    data = {name: stable(4) for name in "AQP"}
    function = tcalc.compile([f, tcalc.gradient(f, "A")])
    for found, expected in zip(
        function(**data), tcalc.evaluate([f, tcalc.gradient(f, "A")], **data), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-10)
    assert "sylvester_by_lapack(" in function.source
    assert tcalc.check(f, "A", order=2, data=data).passed
