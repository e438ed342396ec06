"""The compiled function: its arguments, its errors, its plans, its manners in threads."""

from __future__ import annotations

import inspect
import threading
import time
import traceback
from typing import Any

import numpy as np
import pytest

import tcalc
from tcalc import runtime
from tcalc.errors import ArgumentError, DomainError, LimitError, TcalcError, UnsupportedError
from tcalc.expr import Dim, build, shape
from tcalc.expr.nodes import Node
from tcalc.primitives.cholesky import chol
from tcalc.primitives.exponential import exp, log
from tcalc.primitives.inverse import inv
from tcalc.primitives.piecewise import step
from tcalc.primitives.selection import unit, window
from tcalc.primitives.trigonometric import sin
from tcalc.runtime import Options

X = build.var("X", shape("m", "n"))
K = build.var("K", shape("n", "n"), ("spd",))
A = build.var("A", shape("n", "n"))
w, y = build.var("w", shape("n")), build.var("y", shape("m"))
c = build.var("c", ())
RESIDUAL = build.subtract(build.einsum([X, w], "ij,j->i"), y)
GRADIENT = build.einsum([X, RESIDUAL], "ij,i->j")
DATA = {"X": np.arange(6.0).reshape(3, 2), "w": np.ones(2), "y": np.ones(3)}


def message(call: Any, kind: type[TcalcError] = ArgumentError) -> str:
    with pytest.raises(kind) as caught:
        call()
    return str(caught.value)


def test_one_result_for_one_expression_and_a_tuple_for_a_list() -> None:
    assert runtime.compile(RESIDUAL)(**DATA).tolist() == [0, 4, 8]
    several = runtime.compile([RESIDUAL])(**DATA)
    assert isinstance(several, tuple)
    assert len(several) == 1


def test_a_scalar_is_a_number_of_the_type_of_the_arguments() -> None:
    total = runtime.compile(build.sum_all(RESIDUAL))
    assert type(total(**DATA)) is np.float64
    single = {name: array.astype(np.float32) for name, array in DATA.items()}
    assert type(total(**single)) is np.float32


def test_lists_integers_and_small_floats_are_promoted() -> None:
    fun = runtime.compile(build.einsum([X, w], "ij,j->i"))
    assert fun(X=[[1, 2]], w=[3, 4]).dtype == np.float64
    half = fun(X=np.ones((1, 2), np.float16), w=np.ones(2, np.float16))
    assert half.dtype == np.float32
    assert fun(X=np.ones((1, 2), bool), w=np.ones(2, np.int8)).dtype == np.float64
    assert fun(X=np.ones((1, 2), np.longdouble), w=np.ones(2)).dtype == np.float64
    assert fun(X=np.ones((1, 2), ">f8"), w=np.ones(2)).tolist() == [2]
    mixed = fun(X=np.ones((1, 2), np.float32), w=np.ones(2))
    assert mixed.dtype == np.float64
    assert fun(X=np.ones((1, 2), complex), w=np.ones(2)).dtype == np.complex128


def test_plain_numbers_do_not_widen_arrays() -> None:
    fun = runtime.compile(build.hadamard(build.broadcast(c, w.dims), w))
    assert fun(c=2, w=np.ones(2, np.float32)).dtype == np.float32
    assert fun(c=2.5, w=[1, 2]).tolist() == [2.5, 5.0]
    assert fun(c=1j, w=np.ones(2, np.float32)).dtype == np.complex64
    assert runtime.compile(exp(c))(c=1j).dtype == np.complex128
    assert runtime.compile(exp(c))(c=0) == 1.0


def test_whole_numbers_of_any_length_after_short_ones() -> None:
    fun = tcalc.compile(tcalc.parse("c*x", "c, x[n]"))
    for c in (2, 10**30, 2**64, -(10**30)):
        assert fun(c=c, x=np.ones(1)) == float(c)
    with pytest.raises(ArgumentError, match="beyond the range of doubles"):
        fun(c=10**400, x=np.ones(1))


@pytest.mark.parametrize("text", ["x'*x - x'*x", "gradient(sum(x) + a, a)", "gradient(a*c, a)"])
def test_a_result_without_arrays_has_the_type_of_those_beside_it(text: str) -> None:
    fun = tcalc.compile(tcalc.parse(f"f = {text}; f", "x[n], a, c"))
    for dtype in (np.float32, np.float64, np.complex64):
        given = {"x": np.ones(2, dtype), "a": 1.0, "c": 2}
        for _ in range(2):
            assert fun(**given).dtype == dtype
        assert fun.bind(a=1.0, c=2)(x=given["x"]).dtype == dtype
        assert fun.bind(x=given["x"])(a=1.0, c=2).dtype == dtype
    assert fun(x=[1, 2], a=1, c=2).dtype == np.float64


def test_a_missing_argument_is_named_with_its_shape() -> None:
    fun = runtime.compile(RESIDUAL)
    text = message(lambda: fun(X=DATA["X"], y=DATA["y"]))
    assert text.startswith("the argument w is missing, which should be [n]")
    assert "X[m, n]" in text


def test_an_unknown_argument_is_named_with_the_closest_one() -> None:
    fun = runtime.compile(RESIDUAL)
    assert "no argument 'z'" in message(lambda: fun(**DATA, z=1))
    other = build.var("omega", shape("n"))
    fun = runtime.compile(exp(other))
    assert "did you mean 'omega'?" in message(lambda: fun(omega=[1.0], omga=[1.0]))
    assert "did you mean 'omega'?" in message(lambda: fun(omga=[1.0]))
    assert "did you mean 'omega'?" in message(lambda: fun(OMEGA=[1.0]))
    fun = runtime.compile(RESIDUAL)
    assert message(lambda: fun(X=DATA["X"], y=DATA["y"], W=DATA["w"])).splitlines() == [
        "there is no argument 'W'",
        "  hint: did you mean 'w'?",
    ]


def test_arguments_without_names_are_told_how_to_be_given() -> None:
    fun = runtime.compile(RESIDUAL)
    for call in (lambda: fun(*DATA.values()), lambda: fun.bind(DATA["X"])):
        text = message(call)
        assert "given by name" in text
        assert "w=..., X=..., y=..." in text


def test_masked_entries_have_no_value() -> None:
    fun = runtime.compile(RESIDUAL)
    masked = np.ma.masked_array(DATA["X"], mask=np.zeros(DATA["X"].shape))
    np.testing.assert_array_equal(fun(**{**DATA, "X": masked}), fun(**DATA))
    masked[0, 0] = np.ma.masked
    assert "X has masked entries" in message(lambda: fun(**{**DATA, "X": masked}))
    module: dict[str, object] = {}
    exec(fun.source, module)
    with pytest.raises(TypeError, match="X has masked entries"):
        module["evaluate"](**{**DATA, "X": masked})


def test_an_argument_of_the_program_that_is_not_needed_is_accepted() -> None:
    fun = runtime.compile(exp(w), variables=(X, w, y))
    assert fun(**DATA).tolist() == [np.e] * 2
    assert fun.signature.dims == {"w": ("n",), "X": ("m", "n"), "y": ("m",)}
    assert "no argument 'q'" in message(lambda: fun(**DATA, q=1))


def test_a_variable_that_only_gives_a_size_is_needed() -> None:
    fun = runtime.compile(build.ones((Dim.of("n"),)), variables=(y, X))
    assert fun.signature.names == ("X",)
    assert fun(X=np.ones((2, 3), np.float32)).dtype == np.float32
    assert "the size n is not that of an axis" in message(
        lambda: runtime.compile(build.ones(w.dims))
    )


def test_shapes_that_do_not_fit_name_both_sides() -> None:
    fun = runtime.compile(RESIDUAL, variables=(X, w, y))
    text = message(lambda: fun(X=np.ones((3, 2)), w=np.ones(3), y=np.ones(3)))
    assert "w has the shape (3,), and should be [n] = (2,)" in text
    assert "n = 2 is what X says" in text
    text = message(lambda: fun(X=np.ones(3), w=np.ones(3), y=np.ones(3)))
    assert "X has the shape (3,), and should be [m, n]" in text
    text = message(lambda: runtime.compile(exp(c))(c=[1.0, 2.0]))
    assert "c has the shape (2,), and should be a number" in text


@pytest.mark.parametrize("wrong", ["text", object(), [[1], [1, 2]], np.array(["a"]), None])
def test_what_is_not_an_array_of_numbers_is_refused(wrong: Any) -> None:
    assert message(lambda: runtime.compile(exp(w))(w=wrong)).startswith("w ")


def test_data_must_be_what_they_were_declared() -> None:
    fun = runtime.compile(build.einsum([K, w], "ij,j->i"))
    assert "K was declared symmetric, and is not" in message(
        lambda: fun(K=[[1.0, 2.0], [0.0, 1.0]], w=[1.0, 1.0])
    )
    almost = np.array([[1.0, 0.1 + 0.2], [0.3, 1.0]])
    assert fun(K=almost, w=[1.0, 1.0]).shape == (2,)
    for kind, good, bad in [
        ("lower", [[1.0, 0.0], [2.0, 1.0]], [[1.0, 1.0], [2.0, 1.0]]),
        ("diagonal", [[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [2.0, 1.0]]),
        ("positive", [[1.0, 2.0], [0.5, 1.0]], [[1.0, 0.0], [2.0, 1.0]]),
        ("nonnegative", [[1.0, 0.0], [0.5, 1.0]], [[1.0, -1.0], [2.0, 1.0]]),
        ("integer", [[1.0, 0.0], [5.0, 1.0]], [[1.5, 1.0], [2.0, 1.0]]),
    ]:
        declared = runtime.compile(exp(build.var("B", shape("n", "n"), (kind,))))
        assert declared(B=good).shape == (2, 2)
        assert f"B was declared {kind}" in message(lambda f=declared, b=bad: f(B=b))
        assert np.isnan(declared(B=np.full((2, 2), np.nan))).all()


def test_a_matrix_without_an_inverse_is_a_domain_error_that_names_it() -> None:
    solve = runtime.compile(build.einsum([inv(A), w], "ij,j->i"))
    assert "inv(A): the matrix is singular" in message(
        lambda: solve(A=np.zeros((2, 2)), w=[1.0, 1.0]), DomainError
    )
    for node in (chol(K), build.einsum([inv(K), w], "ij,j->i"), inv(K)):
        fun = runtime.compile(node, variables=(K, w))
        text = message(lambda f=fun: f(K=-np.eye(2), w=[1.0, 1.0]), DomainError)
        assert "(K): the matrix is not positive definite" in text


def test_nan_gives_nan_unless_finite_values_are_asked_for() -> None:
    node = build.einsum([inv(K), w], "ij,j->i")
    given = {"K": np.full((2, 2), np.nan), "w": np.ones(2)}
    assert np.isnan(runtime.compile(node)(**given)).all()
    strict = runtime.compile(node, Options(check_finite=True))
    assert "K has values that are infinite or not a number" in message(lambda: strict(**given))
    with np.errstate(all="ignore"):
        root = runtime.compile(log(w), Options(check_finite=True))
        assert "the result has values" in message(lambda: root(w=[-1.0]), DomainError)


def test_results_share_no_memory_with_arguments() -> None:
    given = {"X": np.ones((2, 2)), "w": np.ones(2)}
    nodes: list[Node] = [
        X,
        build.transpose(X),
        build.einsum([X, unit(1, Dim.of("m"))], "ij,i->j"),
        build.einsum([window(1, 2, Dim.of("n")), w], "ij,j->i"),
        build.broadcast(w, (Dim.of("m"), Dim.of("n"))),
    ]
    for result in runtime.compile(nodes)(**given):
        result += 1
    assert given["X"].tolist() == [[1, 1], [1, 1]]
    assert given["w"].tolist() == [1, 1]


def test_contiguous_results_share_no_memory_with_arguments_or_with_what_is_bound() -> None:
    given = {"X": np.ones((2, 2)), "w": np.ones(2)}
    fun = runtime.compile([X, w, build.transpose(exp(X))], Options(contiguous=True))
    for call in (lambda: fun(**given), fun.bind(**given)):
        for _ in range(2):
            first, second, third = call()
            assert [x.flat[0] for x in (first, second, third)] == [1, 1, np.e]
            for result in (first, second, third):
                assert result.flags.c_contiguous
                result += 1


def test_contiguous_results_are_in_row_major_order() -> None:
    node = build.transpose(exp(X))
    given = {"X": np.ones((2, 3))}
    assert not runtime.compile(node)(**given).flags.c_contiguous
    assert runtime.compile(node, Options(contiguous=True))(**given).flags.c_contiguous


def test_a_large_result_is_refused_with_its_size() -> None:
    outer = build.outer(exp(w), exp(w))
    fun = runtime.compile(outer, Options(memory_limit=1e6))
    assert fun(w=np.ones(100)).shape == (100, 100)
    text = message(lambda: fun(w=np.ones(1000)), LimitError)
    assert "the result [n, n] is 1000 × 1000: 8 MB" in text
    assert "memory_limit" in text
    huge = message(lambda: runtime.compile(build.outer(outer, outer))(w=np.ones(1000)), LimitError)
    assert "8000 GB" in huge
    inner = build.sum_all(sin(outer))
    assert "temporaries" in message(
        lambda: runtime.compile(inner, Options(memory_limit=1e6))(w=np.ones(1000)), LimitError
    )
    assert runtime.compile(inner, Options(memory_limit=None))(w=np.ones(1000)) > 0


def test_positions_beyond_an_axis_are_refused_when_sizes_are_known() -> None:
    fun = runtime.compile(build.einsum([w, unit(3, Dim.of("n"))], "i,i->"))
    assert fun(w=[1.0, 2.0, 3.0]) == 3
    assert "position 3 is beyond the dimension 2" in message(lambda: fun(w=[1.0, 2.0]))
    part = runtime.compile(build.einsum([window(2, 3, Dim.of("n")), w], "ij,j->i"))
    assert part(w=[1.0, 2.0, 3.0]).tolist() == [2, 3]
    assert "position 3 is beyond the dimension 1" in message(lambda: part(w=[1.0]))
    namespace: dict[str, Any] = {}
    exec(part.source, namespace)
    with pytest.raises(ValueError, match="the sizes do not fit"):
        namespace["evaluate"](w=np.ones(2))


def test_an_unknown_backend_is_refused() -> None:
    text = message(lambda: Options(backend="fortran"), UnsupportedError)  # type: ignore[arg-type]
    assert "fortran" in text


def test_binding_gives_a_function_of_the_rest() -> None:
    fun = runtime.compile(GRADIENT)
    bound = fun.bind(X=DATA["X"]).bind(y=DATA["y"])
    np.testing.assert_array_equal(bound(w=DATA["w"]), fun(**DATA))
    assert "bound already" in message(lambda: bound(w=DATA["w"], X=DATA["X"]))
    assert "no argument" in message(lambda: fun.bind(Z=1))
    assert repr(fun) == f"<CompiledFunction({fun.signature})>"
    assert repr(bound) == "<CompiledFunction(w[n]; X, y bound)>"


def test_the_source_is_that_of_the_last_call_or_of_any_sizes() -> None:
    chain = build.einsum([A, A, w], "ij,jk,k->i")
    fun = runtime.compile(build.einsum([X, chain], "ij,j->i"))
    assert "m = 100, n = 100" in fun.source
    fun(X=np.ones((3, 2)), A=np.ones((2, 2)), w=np.ones(2))
    assert "m = 3, n = 2" in fun.source
    assert "m = 7, n = 100" in fun.source_for(m=7)
    assert "no size 'k'" in message(lambda: fun.source_for(k=1))
    assert fun.source_for(m=7) == fun.source_for(m=7)


def test_one_plan_serves_all_sizes_where_nothing_depends_on_them() -> None:
    fun = runtime.compile(sin(w))
    first = fun(w=[1.0]), fun.source
    second = fun(w=[1.0, 2.0]), fun.source
    assert first[1] is second[1]


def test_a_traceback_shows_the_generated_line() -> None:
    fun = runtime.compile(log(w))
    with np.errstate(divide="raise"):
        try:
            fun(w=[0.0])
        except FloatingPointError:
            assert "t1 = np.log(w)" in traceback.format_exc()
        else:
            raise AssertionError


def test_calls_may_run_in_many_threads() -> None:
    node = build.einsum([inv(K), GRADIENT], "ij,j->i")
    fun = runtime.compile(node)
    rng = np.random.default_rng(0)
    cases = []
    for n in (2, 3, 4, 5) * 4:
        given = {"X": rng.normal(size=(6, n)), "w": rng.normal(size=n), "y": rng.normal(size=6)}
        cases.append({**given, "K": np.eye(n) * 2})
    results: dict[int, Any] = {}

    def work(place: int) -> None:
        for _ in range(20):
            results[place] = fun(**cases[place])

    threads = [threading.Thread(target=work, args=(k,)) for k in range(len(cases))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for place, given in enumerate(cases):
        due = given["X"].T @ (given["X"] @ given["w"] - given["y"]) / 2
        np.testing.assert_allclose(results[place], due)


def test_the_source_does_not_depend_on_what_the_process_did_before() -> None:
    def source() -> str:
        a, b = build.var("P", shape("n", "n")), build.var("q", shape("n"))
        node = build.einsum([a, a, exp(b), sin(b)], "ij,jk,k,i->i")
        return runtime.compile([node, build.sum_all(node)]).source

    first = source()
    noise = [runtime.compile(sin(build.var(f"v{k}", shape("n")))).source for k in range(20)]
    assert len(noise) == 20
    assert source() == first


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["function", "product", "sum"])
def test_long_chains_compile_in_linear_time(kind: str) -> None:
    def seconds(length: int) -> float:
        node: Node = w
        for k in range(length):
            match kind:
                case "function":
                    node = sin(node)
                case "product":
                    node = build.einsum([A, node], "ij,j->i")
                case _:
                    node = build.add([(1, sin(node)), (k + 1, w)])
        fun = runtime.compile(node, variables=(A, w))
        start = time.perf_counter()
        result = fun(A=np.eye(2), w=np.ones(2))
        assert result.shape == (2,)
        return time.perf_counter() - start

    seconds(500)
    short = min(seconds(1000), seconds(1001))
    assert seconds(10_000) < 15 * short + 0.5


def test_positions_beyond_an_array_are_refused_in_derivatives_too() -> None:
    from tcalc.primitives.selection import UnitVector

    for index, told in (Dim.of(2), "2 is beyond"), (Dim.of("n") - 1, "0 is below"):
        fun = runtime.compile(build.apply(UnitVector(index, Dim.of("n"))), variables=(w,))
        with pytest.raises(ArgumentError, match=told):
            fun(w=np.ones(1))


def test_an_argument_may_be_called_self() -> None:
    strange = build.var("self", w.dims)
    fun = runtime.compile(build.sum_all(strange), variables=(strange,))
    assert fun(self=np.ones(3)) == 3.0
    assert fun.bind(self=np.ones(2))() == 2.0


def test_inspect_tells_the_arguments_that_are_to_be_given():
    f = tcalc.parse("norm2(X*w - y)^2 + c*lambda", "X[m,n], w[n], y[m], c, lambda, z[k]")
    H = tcalc.compile([f, tcalc.hessian(f, "w")], form="factored")
    for fun in (tcalc.compile(f), H):
        told = inspect.signature(fun.bind(X=np.eye(2)))
        assert str(told) == "(*, w: '[n]', y: '[m]', c: 'a number', **others)"
    told = inspect.signature(tcalc.compile(tcalc.parse("a*b", "a, b")))
    assert list(told.parameters) == ["a", "b"]
    # The class has the signature of its own.
    assert "recipe" in inspect.signature(runtime.CompiledFunction).parameters


def test_functions_of_real_numbers_refuse_complex_ones() -> None:
    x = build.var("x", shape("n"))
    fun = runtime.compile(step(x))
    told = message(lambda: fun(x=np.array([1j])))
    assert "takes real numbers" in told
    assert "heaviside" in told


@pytest.mark.parametrize("text", ["where(a > b, a, b)", "where(a > b, a, b)^2", "a^b", "abs(a)^b"])
def test_results_without_axes_are_numbers(text):
    f = tcalc.parse(text, "a, b")
    fun = tcalc.compile([f, tcalc.gradient(f, "a")])
    for dtype in (np.float64, np.float32):
        for result in fun(a=dtype(1.5), b=dtype(2.0)):
            assert type(result) is dtype
