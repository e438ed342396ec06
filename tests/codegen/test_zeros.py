"""Several rectifiers of one shape are comparisons with one array of zeros."""

import numpy as np
import pytest
from generated import body

import tcalc

LAYERS = """
tensor X[b,n], A[n,n], B[n,n], C[n,n]
H = relu(X*A')
G = relu(H*B')
norm2(relu(G*C'))^2
"""


def layers(dtype: type = float, b: int = 4, n: int = 5) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(9)
    data = {"X": rng.standard_normal((b, n))} | {x: rng.standard_normal((n, n)) for x in "ABC"}
    return {name: array.astype(dtype) for name, array in data.items()}


@pytest.mark.parametrize(("dtype", "tolerance"), [(float, 1e-13), (np.float32, 1e-4)])
@pytest.mark.parametrize(("reuse", "reorder"), [(False, True), (True, True), (False, False)])
def test_the_layers_of_a_net(dtype: type, tolerance: float, reuse: bool, reorder: bool) -> None:
    f = tcalc.parse(LAYERS)
    results = [f, tcalc.gradient(f, "B"), tcalc.hessian(f, "X")]
    function = tcalc.compile(results, reuse=reuse, reorder=reorder)
    data = layers(dtype)
    for _ in range(2):
        for found, expected in zip(function(**data), tcalc.evaluate(results, **data), strict=True):
            assert found.dtype == dtype
            atol = tolerance * abs(expected).max()
            np.testing.assert_allclose(found, expected, rtol=0, atol=atol)
    assert body(function).count("np.zeros((") >= 1
    assert "np.maximum(" in body(function)
    assert ", 0.0" not in body(function)


@pytest.mark.parametrize("given", ["X", "A"])
def test_zeros_beside_bound_arguments(given: str) -> None:
    """The sizes of the zeros may be those of an argument that is not bound."""
    f = tcalc.parse(LAYERS)
    data = layers()
    function = tcalc.compile([f, tcalc.gradient(f, "B")])
    bound = function.bind(**{given: data.pop(given)})
    for _ in range(2):
        for found, expected in zip(bound(**data), function(**layers()), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_one_rectifier_and_large_arrays_are_compared_with_a_number() -> None:
    function = tcalc.compile(tcalc.parse(LAYERS))
    assert "np.maximum(" in function.source_for(b=1000, n=1000)
    assert "np.zeros" not in function.source_for(b=1000, n=1000)
    assert "np.zeros" in function.source_for(b=10, n=1000)
    once = tcalc.compile(tcalc.parse("tensor X[b,n]\nsum(relu(X))"))
    assert "np.zeros" not in once.source_for(b=10, n=10)


def test_complex_numbers_and_empty_arrays() -> None:
    f = tcalc.parse(LAYERS)
    function = tcalc.compile(f)
    data = layers(complex)
    data["X"] += 1e-20j * np.ones_like(data["X"])
    real = tcalc.evaluate(f, **layers())
    assert function(**data).real == pytest.approx(real, rel=1e-12)
    assert function(**layers(b=0)) == 0
