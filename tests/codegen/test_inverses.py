"""Which inverses are applied, by solving with a factorisation, and which are formed."""

import numpy as np
import pytest

import tcalc

APPLIED = [
    ("A\\b", "A[n,n], b[n]", 10),
    ("A\\B", "A[n,n], B[n,n]", 10),
    ("A\\B", "A[n,n], B[n,n]", 200),
    ("B/A", "A[n,n], B[n,n]", 200),
    ("A\\B", "A[n,n] spd, B[n,n]", 200),
    ("norm2(A\\B)^2", "A[n,n], B[n,n]", 200),
    ("A\\B + (A\\C).^2", "A[n,n], B[n,n], C[n,n]", 200),  # 2 n columns in all
]
FORMED = [
    ("inv(A)", "A[n,n]", 10),
    ("A\\B + (A\\C).^2", "A[n,n], B[n,n], C[n,n]", 40),  # small matrices: products are quick
    ("A\\B + (A\\C).^2 + exp(A\\D)", "A[n,n], B[n,n], C[n,n], D[n,n]", 200),
    ("inv(A)*B + exp(inv(A))", "A[n,n], B[n,n]", 200),  # it is there: multiply
    ("inv(A)*B + inv(A)'", "A[n,n], B[n,n]", 200),
    ("tr(inv(A)*B)*inv(A)*C", "A[n,n], B[n,n], C[n,n]", 200),
]


@pytest.mark.parametrize(("text", "declarations", "n"), APPLIED)
def test_solves_stay_solves(text: str, declarations: str, n: int) -> None:
    steps = _steps(text, declarations, n)
    assert "solve" in steps
    assert "inverse_factored(" not in steps


@pytest.mark.parametrize(("text", "declarations", "n"), FORMED)
def test_inverses_are_formed_for_many_columns_and_where_they_are_needed(
    text: str, declarations: str, n: int
) -> None:
    steps = _steps(text, declarations, n)
    assert steps.count("inverse_factored(") == 1
    assert "solve" not in steps


def test_an_inverse_that_is_formed_anyway_still_solves_for_few_columns() -> None:
    steps = _steps("inv(A)*b + diag(inv(A))", "A[n,n], b[n]", 9)
    assert steps.count("inverse_factored(") == steps.count("solve_factored(") == 1


def _steps(text: str, declarations: str, n: int) -> str:
    """The steps that are generated for a size; with the right value at another one."""
    f = tcalc.parse(text, declarations)
    function = tcalc.compile(f)
    rng = np.random.default_rng(0)
    data = {name: rng.standard_normal((6,) * x.order) for name, x in f.variables.items()}
    data["A"] = data["A"] @ data["A"].T + np.eye(6)
    np.testing.assert_allclose(function(**data), tcalc.evaluate(f, **data), rtol=1e-9)
    return function.source_for(n=n).split("def compute")[1].split("\ndef ")[0]
