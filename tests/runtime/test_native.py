"""Functions in C as their users call them: with which arrays, in what way, and what they raise."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from beside_numpy import agree, outcome, pair, same
from compilers import needs_compiler
from guarded import guarded, native_of
from scipy import sparse

import tcalc
from tcalc.errors import ArgumentError, LimitError
from tcalc.runtime import libraries

REGRESSION = "r = X*w - y; c*sum(log(1 + exp(r))) + norm2(w)^2 + mean(X)"
DECLARED = "X[m,n], w[n], y[m], c"
SIZES = {"m": 5, "n": 3}


def regression() -> tuple[Any, Any]:
    return pair(REGRESSION, DECLARED, "w X c")


def data(dtype: Any = float, m: int = 5, n: int = 3) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    arrays = {"X": rng.normal(size=(m, n)), "w": rng.normal(size=n), "y": rng.normal(size=m)}
    return {name: x.astype(dtype) for name, x in arrays.items()} | {"c": np.dtype(dtype).type(1.5)}


# arguments


@needs_compiler
def test_both_types_and_mixtures_of_them() -> None:
    c_code, numpy_code = regression()
    double, single = data(), data(np.float32)
    agree(c_code(**double), numpy_code(**double))
    agree(c_code(**single), numpy_code(**single), 1e-5)
    # The one does not stand for the other, whichever was first.
    agree(c_code(**double), numpy_code(**double))
    mixed = {**single, "X": double["X"]}
    agree(c_code(**mixed), numpy_code(**mixed), 1e-6)
    for kind in (np.float16, np.longdouble, ">f8", int, bool):
        given = {**double, "X": double["X"].astype(kind)}
        agree(c_code(**given), numpy_code(**given))
    half = {name: np.asarray(x, np.float16) for name, x in double.items()}
    agree(c_code(**half), numpy_code(**half), 1e-5)


@needs_compiler
def test_numbers_of_all_kinds() -> None:
    c_code, numpy_code = regression()
    for kind in (np.float64, np.float32):
        arrays = data(kind)
        for number in (2, 2.0, True, np.float32(2), np.float64(2), np.array(2.0), np.array(2)):
            given = {**arrays, "c": number}
            for _ in range(2):  # the second call knows the types at sight
                agree(c_code(**given), numpy_code(**given), 1e-5 if kind == np.float32 else 1e-12)


@needs_compiler
def test_numbers_alone() -> None:
    c_code, numpy_code = pair("sin(a)*b + a^3", "a, b", "a")
    for a, b in ((2, 3), (0.5, 1), (np.float32(0.5), np.float32(2)), (np.float32(2), 1.0)):
        agree(c_code(a=a, b=b), numpy_code(a=a, b=b), 1e-6)


class Other(np.ndarray):
    """Arrays of a class of their own."""


@needs_compiler
def test_lists_and_subclasses() -> None:
    c_code, numpy_code = regression()
    arrays = data()
    lists = {name: x.tolist() for name, x in arrays.items()}
    agree(c_code(**lists), numpy_code(**arrays))
    views = {**arrays, "X": arrays["X"].view(Other), "y": arrays["y"].view(np.recarray)}
    agree(c_code(**views), numpy_code(**arrays))
    with pytest.raises(ArgumentError, match="masked"):
        c_code(**{**arrays, "y": np.ma.masked_less(arrays["y"], 0)})


def scattered(x: Any) -> Iterator[Any]:
    """The same numbers elsewhere: in columns, apart, backwards, unaligned, not to be written to."""
    yield np.asfortranarray(x)
    wide = np.full((*x.shape[:-1], 2 * x.shape[-1]), np.nan, x.dtype)
    wide[..., ::2] = x
    yield wide[..., ::2]
    yield np.ascontiguousarray(x[::-1])[::-1]
    raw = np.zeros(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    raw[...] = x
    assert not raw.flags.aligned
    yield raw
    frozen = x.copy()
    frozen.flags.writeable = False
    yield frozen
    yield np.broadcast_to(x[:1], x.shape)


@needs_compiler
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_scattered_arrays(kind: Any) -> None:
    c_code, numpy_code = regression()
    arrays = data(kind)
    for name in ("X", "y"):
        for other in scattered(arrays[name]):
            given = {**arrays, name: other}
            before = other.copy()
            due = numpy_code(**{k: np.array(v)[()] for k, v in given.items()})
            agree(c_code(**given), due, 1e-5 if kind == np.float32 else 1e-12)
            np.testing.assert_array_equal(other, before)


@needs_compiler
def test_parts_of_one_array_and_the_same_array_twice() -> None:
    c_code, numpy_code = pair("x.*y + A*x + A'*y", "x[n], y[n], A[n,n]", "x A")
    block = np.random.default_rng(1).normal(size=(4, 3))
    for given in (
        {"x": block[0], "y": block[0], "A": block[:3]},
        {"x": block[1], "y": block[3], "A": block[1:]},
        {"x": block[:3, 1], "y": block[3], "A": block[:3].T},
    ):
        agree(c_code(**given), numpy_code(**given))


@needs_compiler
def test_sizes_one_and_none() -> None:
    c_code, numpy_code = regression()
    for m, n in ((1, 1), (1, 4), (4, 1), (0, 3), (3, 0), (5, 3)):
        given = data(m=m, n=n)
        with np.errstate(all="ignore"):
            outcomes = [outcome(x, given) for x in (c_code, numpy_code)]
        same(*outcomes)


@needs_compiler
def test_parts_without_elements_are_left_to_the_other_code() -> None:
    for text, wrong in (("sum(x[2:n])", False), ("max(x[2:n])", True), ("x[2:n]", False)):
        both = pair(text, "x[n]")
        given = {"x": np.ones(1)}
        found, due = (outcome(x, given) for x in both)
        same(found, due)
        assert isinstance(due, Exception) == wrong
        agree(both[0](x=np.ones(3)), both[1](x=np.ones(3)))


@needs_compiler
def test_arguments_that_do_not_fit_are_refused_as_ever() -> None:
    c_code, numpy_code = regression()
    arrays = data()
    for wrong in (
        {"w": np.ones(4)},
        {"X": np.ones(3)},
        {"c": np.ones(2)},
        {"y": "text"},
        {"z": 1},
    ):
        same(*(outcome(x, {**arrays, **wrong}) for x in (c_code, numpy_code)))


@needs_compiler
def test_sparse_and_complex_arguments_are_left_to_the_other_code() -> None:
    c_code, numpy_code = pair("X*w - y", "X[m,n], w[n], y[m]", "w")
    arrays = {k: x for k, x in data().items() if k != "c"}
    few = {**arrays, "X": sparse.csr_array(arrays["X"])}
    agree(c_code(**few), numpy_code(**few))
    step = {**arrays, "w": arrays["w"] + 1e-20j}
    agree(c_code(**step), numpy_code(**step))
    narrow = {name: x.astype(np.complex64) for name, x in arrays.items()}
    agree(c_code(**narrow), numpy_code(**narrow), 1e-5)
    agree(c_code(**arrays), numpy_code(**arrays))


# results


@needs_compiler
def test_results_have_their_outline_and_their_own_memory() -> None:
    f = tcalc.parse("X*w", "X[m,n], w[n]")
    arrays = {k: data()[k] for k in "Xw"}
    one = tcalc.compile(f, backend="c")(**arrays)
    assert isinstance(one, np.ndarray)
    named = tcalc.compile({"a": f, "b": tcalc.parse("sum(w)", "w[n]")}, backend="c")(**arrays)
    assert list(named) == ["a", "b"]
    assert type(named["b"]) is np.float64
    same, part, twice = tcalc.compile(
        [tcalc.parse(x, "X[m,n], w[n]") for x in ("X", "X[1,1:n]", "X'")], backend="c"
    )(**arrays)
    for result, due in ((same, arrays["X"]), (part, arrays["X"][0]), (twice, arrays["X"].T)):
        np.testing.assert_array_equal(result, due)
        assert not np.shares_memory(result, arrays["X"])
        assert result.flags.c_contiguous
        assert result.flags.writeable


@needs_compiler
def test_results_that_are_numbers_along_axes() -> None:
    texts = ("s*ones(n)", "ones(n)", "0*x", "s*ones(n)*ones(n)'", "s*eye(n)", "n*x + mean(x*x')*x")
    roots = [tcalc.parse(x, "s, x[n]") for x in texts]
    c_code, numpy_code = (tcalc.compile(roots, backend=x) for x in ("c", "numpy"))
    given = {"s": 2.5, "x": np.array([1.0, 2.0, 4.0])}
    agree(c_code(**given), numpy_code(**given))
    found = guarded(c_code, s=np.float64(2.5), x=given["x"])
    assert found is not None
    np.testing.assert_allclose(found[3], np.full((3, 3), 2.5))


@needs_compiler
def test_nothing_is_written_beyond_the_results_or_read_before_it_is_written() -> None:
    texts = (
        "chol(S)",
        "inv(S)",
        "A \\ B",
        "A' \\ B",
        "chol(W)[b,i,j]",
        "inv(W)[b,i,j]*x[j]",
        "logdet(W)[b]*x[i]",
        "B'*inv(S)",
        "exp(chol(S))*inv(chol(S))",
    )
    f = [tcalc.parse(x, "S[n,n] spd, A[n,n], B[n,k], W[k,n,n] spd, x[n]") for x in texts]
    c_code, numpy_code = (tcalc.compile(f, backend=x) for x in ("c", "numpy"))
    rng = np.random.default_rng(2)
    for n, k in ((1, 1), (3, 2), (5, 5), (7, 4)):
        arrays = {
            "A": rng.normal(size=(n, n)) + 3 * np.eye(n),
            "B": rng.normal(size=(n, k)),
            "W": np.array([p * np.eye(n) + 0.1 for p in range(1, k + 1)]),
            "x": rng.normal(size=n),
        }
        arrays["S"] = arrays["A"] @ arrays["A"].T
        found = guarded(c_code, **arrays)
        assert found is not None
        for mine, due in zip(found, numpy_code(**arrays), strict=True):
            np.testing.assert_allclose(mine, due, rtol=1e-8, atol=1e-10)


# options


@needs_compiler
def test_bound_arguments() -> None:
    c_code, numpy_code = regression()
    for kind, tolerance in ((np.float64, 1e-12), (np.float32, 1e-5)):
        arrays = data(kind)
        for names in ("X", "Xc", "wyc", "y", "Xwyc"):
            given = {k: x for k, x in arrays.items() if k in names}
            rest = {k: x for k, x in arrays.items() if k not in names}
            bound = c_code.bind(**given)
            for _ in range(2):
                agree(bound(**rest), numpy_code(**arrays), tolerance)
    scattered_x = {**data(), "X": np.asfortranarray(data()["X"])}
    bound = c_code.bind(X=scattered_x["X"])
    rest = {k: x for k, x in scattered_x.items() if k != "X"}
    agree(bound(**rest), numpy_code(**scattered_x))
    wide = {k: np.asarray(x, np.float32) for k, x in rest.items()}
    agree(bound(**wide), numpy_code(**wide, X=scattered_x["X"]), 1e-6)


@needs_compiler
@pytest.mark.parametrize(
    "options",
    [{"reuse": True}, {"contiguous": True}, {"memory_limit": None}, {"reorder": False}],
    ids=str,
)
def test_options_that_change_no_numbers(options: dict[str, Any]) -> None:
    c_code, numpy_code = pair("A'*B + B'*A", "A[n,n], B[n,n]", **options)
    rng = np.random.default_rng(3)
    for _ in range(2):
        arrays = {name: rng.normal(size=(4, 4)) for name in "AB"}
        agree(c_code(**arrays), numpy_code(**arrays))
        assert c_code(**arrays)[0].flags.c_contiguous


@needs_compiler
def test_what_is_not_finite_is_refused_where_asked() -> None:
    c_code, numpy_code = pair("log(x)", "x[n]", check_finite=True)
    for x in ([1.0, 2.0], [1.0, np.nan], [np.inf], [0.0], [-1.0]):
        with np.errstate(all="ignore"):
            same(*(outcome(f, {"x": np.array(x)}) for f in (c_code, numpy_code)))


@needs_compiler
def test_the_memory_limit_counts_the_room_to_work_in() -> None:
    f = tcalc.parse("exp(x*x')*exp(x*y')*y", "x[n], y[n]")
    fun = tcalc.compile(f, backend="c", memory_limit=1e5)
    assert fun(x=np.ones(3), y=np.ones(3)).shape == (3,)
    with pytest.raises(LimitError, match="above the limit"):
        fun(x=np.ones(200), y=np.ones(200))
    x = np.ones(3)
    module = native_of(fun, {"x": x, "y": x}).module
    assert fun.peak_memory(n=3) == 8 * (module.work + 3)


@needs_compiler
def test_declared_properties_are_looked_at() -> None:
    c_code, numpy_code = pair("log(x)'*inv(S)*x", "x[n] positive, S[n,n] spd")
    eye = np.eye(2)
    for x, S in ((np.ones(2), eye), (-np.ones(2), eye), (np.ones(2), eye + np.eye(2, k=1))):
        same(*(outcome(f, {"x": x, "S": S}) for f in (c_code, numpy_code)))


# manners


@needs_compiler
def test_many_threads_call_one_function() -> None:
    fun, numpy_code = pair("inv(X*X' + c*eye(m))*(X*w) + exp(-X*w)", "X[m,n], w[n], c", "c")
    rng = np.random.default_rng(4)
    given = [
        {"X": rng.normal(size=(m, 6)), "w": rng.normal(size=6), "c": 1.0 + m}
        for m in (3, 4, 5) * 40
    ]
    due = [numpy_code(**x) for x in given]
    with ThreadPoolExecutor(8) as pool:
        found = [*pool.map(lambda x: fun(**x), given)]  # plans for three sizes at once, too
    for mine, other in zip(found, due, strict=True):
        agree(mine, other, 1e-10)


@needs_compiler
def test_functions_are_copied_and_pickled() -> None:
    c_code, _ = regression()
    arrays = data()
    due = c_code(**arrays)
    for other in (copy.copy(c_code), copy.deepcopy(c_code), pickle.loads(pickle.dumps(c_code))):
        agree(other(**arrays), due, 0)
    bound = pickle.loads(pickle.dumps(c_code.bind(X=arrays["X"])))
    agree(bound(**{k: x for k, x in arrays.items() if k != "X"}), due)


@needs_compiler
def test_a_file_is_compiled_once() -> None:
    before = len(libraries._libraries)
    functions = [tcalc.compile(tcalc.parse("sum(x.^2) + 17", "x[n]"), backend="c") for _ in "ab"]
    for fun in functions:
        assert fun(x=np.ones(4)) == 21
        assert fun(x=2 * np.ones(4)) == 33
    assert len(libraries._libraries) == before + 1


# numbers that are not finite


@needs_compiler
def test_nan_and_infinity_in_arguments() -> None:
    texts = (
        "exp(x) + abs(x) + sign(x) + relu(x)",
        "where(x < 1, x, 2*x)",
        "max(x)*x",
        "min(x)",
        "logsumexp(x)",
        "softmax(x)",
        "gradient(max(x), x)",
        "gradient(norm2(x), x) + norm2(x)",
        "xlogx(abs(x)) + log(1 + exp(x))",
        "x'*x",
        "prod(x)",
        "tanh(x) + sqrt(abs(x)) + atan(x)",
        "lgamma(abs(x) + 1) + erf(x)",
    )
    roots = [tcalc.parse(text, "x[n]") for text in texts]
    both = [tcalc.compile(roots, backend=x) for x in ("c", "numpy")]
    for values in (
        [1.0, 2.0, 3.0],
        [np.nan, 1.0, 2.0],
        [1.0, np.nan, 2.0],
        [np.inf, 1.0, 2.0],
        [-np.inf, 1.0, 0.0],
        [np.inf, np.inf, 0.0],
        [np.inf, -np.inf, 0.0],
        [-np.inf, -np.inf, -np.inf],
        [0.0, -0.0, 0.0],
        [2.0, 2.0, 1.0],
        [800.0, -800.0, 1e300],
        [1e-320, -1e-320, 1e-200],
    ):
        for kind in (float, np.float32):
            with np.errstate(all="ignore"):
                x = np.array(values).astype(kind)
                mine, due = (f(x=x) for f in both)
            for text, a, b in zip(texts, mine, due, strict=True):
                np.testing.assert_allclose(
                    a, b, rtol=1e-12 if kind is float else 1e-5, atol=1e-300, err_msg=f"{text} {x}"
                )


@needs_compiler
def test_no_product_is_fused_with_a_sum() -> None:
    """A rounding less would make a square root of what is less than zero."""
    c_code, _ = pair("sqrt(x.*x - y.*y)", "x[n], y[n]")
    x = np.linspace(0.1, 1, 50)
    np.testing.assert_array_equal(c_code(x=x, y=x.copy())[0], 0)


@needs_compiler
def test_many_shares_of_single_precision_add_up_to_one() -> None:
    x = np.random.default_rng(0).uniform(0.1, 1, 10**6).astype(np.float32)
    shares = tcalc.compile(tcalc.parse("softmax(x)", "x[n]"), backend="c")(x=x)
    assert shares.dtype == np.float32
    assert abs(shares.sum(dtype=float) - 1) < 1e-6
