"""The routines that are chosen by what is known of a matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from running import run

from tcalc.expr import build, shape
from tcalc.primitives.cholesky import chol
from tcalc.primitives.inverse import inv
from tcalc.primitives.logdet import logdet


def _matrix(property_: str, *numbers: int) -> Any:
    M = np.random.default_rng(0).standard_normal((*numbers, 4, 4))
    M = {
        "spd": M @ M.swapaxes(-1, -2),
        "lower": np.tril(M),
        "upper": np.triu(M),
        "diagonal": np.where(np.eye(4), M, 0),
    }.get(property_, M)
    return M + 4 * np.eye(4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
@pytest.mark.parametrize("numbers", [(), (3,)])
@pytest.mark.parametrize("property_", ["", "spd", "lower", "upper", "diagonal"])
def test_formed_inverses_by_structure(property_, numbers, dtype):
    properties = [property_] if property_ else []
    M = build.var("M", shape(*"b"[: len(numbers)], "n", "n"), properties)
    node = inv(M)
    value = _matrix(property_, *numbers).astype(dtype)
    found = run(node, [value], {})
    assert found.dtype == dtype
    tolerance = 1e-4 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(found @ value - np.eye(4), 0, atol=tolerance)


@pytest.mark.parametrize("property_", ["", "spd", "lower", "upper", "diagonal"])
def test_routines_name_the_application(property_):
    M = build.var("M", shape("n", "n"), [property_] if property_ else [])
    with pytest.raises(np.linalg.LinAlgError, match=r"^it: the matrix is "):
        run(inv(M), [np.zeros((2, 2))], {})
    S = build.var("M", shape("n", "n"), ["spd"])
    for function in (logdet, chol):
        with pytest.raises(np.linalg.LinAlgError, match=r"^it: the matrix is not positive"):
            run(function(S), [np.array([[1.0, 2.0], [2.0, 1.0]])], {})


@pytest.mark.parametrize("numbers", [(), (3,)])
def test_logdet_of_a_definite_matrix(numbers: tuple[int, ...]) -> None:
    S = build.var("S", shape(*"b"[: len(numbers)], "n", "n"), ["spd"])
    value = _matrix("spd", *numbers)
    np.testing.assert_allclose(run(logdet(S), [value], {}), np.linalg.slogdet(value)[1])
