"""Products of matrices with one short axis in C, as steps of nests of loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compilers import needs_compiler
from guarded import guarded
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import law

import tcalc
from tcalc.codegen.c import narrow

DECLARED = "T[n,m], U[n,k], V[m,k], W[k,m], Y[m,n], O[n,m], A[n,k], B[m,k], c"
SIZES = {"n": 41, "m": 53, "k": 3}
JOINED = {
    "a factorisation": ("norm2(T - U*V')^2", "U"),
    "both of its factors": ("norm2(T - U*V')^2", "U", "V"),
    "a weighted one": ("sum(O.*(T - U*V').^2)", "U", "V"),
    "factors in columns": ("sum(O.*(T - U*W).^2)", "U", "W"),
    "turned": ("sum(O.*(T - U*V').^2) + norm2(Y - V*A')^2", "V"),
    "two products": ("sum(O.*(T - U*V' - A*B').^2)", "U", "V", "A", "B"),
    "a large result": ("T - c*(U*V')",),
    "products with what is made": ("R = O.*T; sum(R.*R)*R*V",),
    "the transpose of what is made": ("R = O.*T; sum(R.*R)*R'*U",),
    "sums with the axes in the other order": ("R = O.*T; sum(R.*R)*V'*R' + sum(R)*A'",),
}
APART = {
    "a product alone": ("U*V'",),
    "a sum alone": ("T*V",),
    "functions, which need the registers": ("sum(exp(U*V'))", "U"),
    "another order of the axes": ("sum(O.*tanh(Y'))*O*V",),
}


def compiled(parts: tuple[str, ...], backend: Any) -> Any:
    text, *wrt = parts
    f = tcalc.parse(text, DECLARED)
    return tcalc.compile([f, *(tcalc.gradient(f, name) for name in wrt)], backend)


def arrays_for(function: Any, sizes: dict[str, int], dtype: type = np.float64) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        x.name: rng.standard_normal([dim.evaluate(sizes) for dim in x.dims]).astype(dtype)
        for x in function.signature.arguments
    }


@needs_compiler
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("parts", (JOINED | APART).values(), ids=JOINED | APART)
def test_like_numpys_code(parts: tuple[str, ...], dtype: type) -> None:
    fun = compiled(parts, "c")
    arrays = arrays_for(fun, SIZES, dtype)
    due = compiled(parts, "numpy")(**{x: y.astype(np.float64) for x, y in arrays.items()})
    digits = 1e-12 if dtype is np.float64 else 2e-5
    inside = guarded(fun, **arrays)
    assert inside is not None
    for mine, part, value in zip(fun(**arrays), inside, due, strict=True):
        for found in (mine, part):
            size = np.abs(value).max()
            np.testing.assert_allclose(found[()], value, rtol=digits, atol=10 * digits * size)


@needs_compiler
@pytest.mark.parametrize("n", [3, 17, 200])
@pytest.mark.parametrize("m", [3, 7, 33])
@pytest.mark.parametrize("k", [1, 2])
def test_all_sizes(monkeypatch: pytest.MonkeyPatch, n: int, m: int, k: int) -> None:
    monkeypatch.setattr(narrow, "WIDE", 2)
    monkeypatch.setattr(narrow, "FOR_EACH", 1)
    parts = JOINED["two products"]
    fun = compiled(parts, "c")
    arrays = arrays_for(fun, {"n": n, "m": m, "k": k})
    assert "multiply(" not in fun.source_for(n=n, m=m, k=k)
    inside = guarded(fun, **arrays)
    assert inside is not None
    for found, value in zip(inside, compiled(parts, "numpy")(**arrays), strict=True):
        np.testing.assert_allclose(found[()], value, rtol=1e-11, atol=1e-11)


@needs_compiler
def test_what_is_no_number_stays_none() -> None:
    parts = JOINED["both of its factors"]
    fun = compiled(parts, "c")
    arrays = arrays_for(fun, SIZES)
    arrays["T"][1, 2] = np.nan
    value, of_rows, of_columns = fun(**arrays)
    assert np.isnan(value)
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(of_rows).all(axis=1)), [1])
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(of_columns).all(axis=1)), [2])
    assert np.isnan(of_rows).sum() == np.isnan(of_columns).sum() == SIZES["k"]


@pytest.mark.parametrize("parts", JOINED.values(), ids=JOINED)
def test_what_is_joined(parts: tuple[str, ...]) -> None:
    source = compiled(parts, "c").source_for(**SIZES)
    assert "multiply(" not in source
    # No large array but results is written to memory.
    assert "work_size" not in source or int(source.split("work_size = ")[1].split(" ")[0]) < 41 * 53


@pytest.mark.parametrize("parts", APART.values(), ids=APART)
def test_what_stands_apart(parts: tuple[str, ...]) -> None:
    source = compiled(parts, "c").source_for(**SIZES)
    assert "multiply(" in source
    assert "sum1" not in source


@pytest.mark.parametrize("sizes", [(31, 200, 2), (200, 31, 2), (200, 200, 13), (79, 200, 10)])
def test_other_sizes_stay_apart(sizes: tuple[int, ...]) -> None:
    fun = compiled(JOINED["a weighted one"], "c")
    assert "multiply(" in fun.source_for(**dict(zip("nmk", sizes, strict=True)))


def test_rows_that_fill_a_cache_stay_apart() -> None:
    fun = compiled(JOINED["a weighted one"], "c")
    assert "multiply(" not in fun.source_for(n=10_000, m=100, k=10)
    assert "multiply(" in fun.source_for(n=100, m=10_000, k=10)


LARGE = ("T", "O", "Y'", "(U*V')", "(U*W)", "(B*A')'", "(A*W)", "(c*O)")
ENDS = ("sum({})*A", "{}*V", "{}'*U", "V'*{}'", "W*{}'", "A'*{}", "T - {}", "{}'.*(V*U')", "{}*B*c")


@st.composite
def programs(draw: st.DrawFn) -> str:
    """Sums of products of large matrices, and what is made of these."""
    text = draw(st.sampled_from(LARGE))
    for _ in range(draw(st.integers(1, 3))):
        sign = draw(st.sampled_from(["+", "-", ".*"]))
        text = f"({text} {sign} {draw(st.sampled_from(LARGE))})"
    return text


@needs_compiler
@law(12)
@given(
    programs(),
    st.lists(st.sampled_from(ENDS), min_size=1, max_size=3, unique=True),
    st.lists(st.sampled_from("UVWABTc"), max_size=3, unique=True),
    st.sampled_from([(33, 41, 3), (200, 35, 1), (41, 33, 4)]),
)
def test_random_programs(
    text: str, ends: list[str], wrt: list[str], sizes: tuple[int, int, int]
) -> None:
    R = tcalc.parse(f"sum(({text}).^2)", DECLARED)
    roots = [R, *(tcalc.parse(end.format(text), DECLARED) for end in ends)]
    roots += [tcalc.gradient(R, name) for name in wrt if name in text]
    fun = tcalc.compile(roots, "c")
    arrays = arrays_for(fun, dict(zip("nmk", sizes, strict=True)))
    inside = guarded(fun, **arrays)
    assert inside is not None
    for found, value in zip(inside, tcalc.compile(roots)(**arrays), strict=True):
        np.testing.assert_allclose(found[()], value, rtol=1e-10, atol=1e-11 * np.abs(value).max())
