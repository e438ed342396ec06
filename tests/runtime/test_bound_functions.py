"""Functions some of whose arguments are given: what depends on these alone is computed once."""

from __future__ import annotations

import copy
import pickle
import re
from typing import Any

import numpy as np
import pytest
from generated import body

import tcalc
from tcalc import runtime
from tcalc.errors import ArgumentError, DomainError
from tcalc.expr import build, shape
from tcalc.expr.nodes import Node
from tcalc.primitives.trigonometric import sin

PROCESS = """
tensor X[n,d], y[n], ell positive, v positive, noise positive
K[i,j] = v*exp(-(X[i,k] - X[j,k])^2 / (2*ell^2)) + noise*delta[i,j]
(y'*(K\\y) + logdet(K)) / 2
"""


def process_data() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "X": rng.normal(size=(7, 2)),
        "y": rng.normal(size=7),
        "ell": 1.3,
        "v": 2.0,
        "noise": 0.5,
    }


def process() -> Any:
    f = tcalc.parse(PROCESS)
    return tcalc.compile([f, *tcalc.gradient(f, ["ell", "v", "y"]).values()])


@pytest.mark.parametrize(
    "given",
    [
        ("X",),
        ("y",),
        ("X", "ell", "v", "noise"),
        ("X", "y", "ell"),
        ("X", "y", "ell", "v", "noise"),
    ],
)
def test_results_are_those_of_the_whole_function(given: tuple[str, ...]) -> None:
    fun, data = process(), process_data()
    bound = fun.bind(**{name: data[name] for name in given})
    rest = {name: data[name] for name in data if name not in given}
    for _ in range(2):
        for mine, due in zip(bound(**rest), fun(**data), strict=True):
            np.testing.assert_allclose(mine, due, rtol=1e-12)
    single = {name: np.asarray(value, np.float32) for name, value in data.items()}
    bound = fun.bind(**{name: single[name] for name in given})
    if len(rest):
        assert {x.dtype for x in bound(**{k: single[k] for k in rest})} == {np.dtype(np.float32)}
        assert {x.dtype for x in bound(**{k: np.asarray(data[k]) for k in rest})} == {
            np.dtype(np.float64)
        }


def test_a_factorisation_is_made_once() -> None:
    fun, data = process(), process_data()
    bound = fun.bind(**{name: data[name] for name in data if name != "y"})
    bound(y=data["y"])
    assert "factorise(" in body(bound, "prepare")
    assert "factorise(" not in body(bound, "compute")
    assert "exp" not in body(bound, "compute")


def test_the_first_part_runs_once_for_each_combination_of_sizes_and_types() -> None:
    calls: list[int] = []

    def counted(x: Any) -> Any:
        calls.append(x.size)
        return x**2

    square = tcalc.function("mysquare", "x[n] -> y[n]", counted)
    f = tcalc.parse("mysquare(x)'*z", "x[n], z[n]", functions=[square])
    bound = tcalc.compile(f).bind(x=[1.0, 2.0])
    for k in range(4):
        assert bound(z=[1.0, float(k)]) == 1 + 4 * k
        assert bound(z=np.array([1.0, k])) == 1 + 4 * k
    assert calls == [2]
    assert bound(z=np.ones(2, np.complex128)) == 5
    assert calls == [2, 2]


def test_results_may_be_written_to() -> None:
    x, y = build.var("x", shape("n")), build.var("y", shape("n"))
    bound = runtime.compile([sin(x), build.add([(1, sin(x)), (1, y)]), x]).bind(x=[1.0, 2.0])
    for _ in range(2):
        results = bound(y=[0.0, 0.0])
        for result in results:
            np.testing.assert_allclose(results[1], np.sin([1.0, 2.0]))
            result += 1
            np.testing.assert_allclose(results[1], np.sin([1.0, 2.0]), atol=1.1)
            results[1][...] = np.sin([1.0, 2.0])


def test_names_are_refused_as_in_any_call() -> None:
    fun, data = process(), process_data()
    bound = fun.bind(X=data["X"], ell=1.0)
    rest = {name: data[name] for name in ("y", "v", "noise")}
    for call, text in [
        (lambda: fun.bind(Z=1), "no argument 'Z'"),
        (lambda: bound.bind(X=data["X"]), "X is bound already"),
        (lambda: bound(**rest, ell=2.0), "ell is bound already"),
        (lambda: bound(**rest, omega=2.0), "no argument 'omega'"),
        (lambda: bound(v=1.0), "the argument y is missing"),
    ]:
        for _ in range(2):
            with pytest.raises(ArgumentError, match=text):
                call()
        bound(**rest)


def test_shapes_are_checked_as_soon_as_they_can_be() -> None:
    fun, data = process(), process_data()
    with pytest.raises(ArgumentError, match=r"X has the shape \(3,\)"):
        fun.bind(X=np.ones(3))
    with pytest.raises(ArgumentError, match=r"y has the shape \(3,\).*\(7,\)"):
        fun.bind(X=data["X"], y=np.ones(3))
    with pytest.raises(ArgumentError, match=r"y has the shape \(3,\)"):
        fun.bind(X=data["X"])(y=np.ones(3), ell=1.0, v=1.0, noise=1.0)


def test_declarations_and_domains_hold_for_what_is_bound() -> None:
    fun, data = process(), process_data()
    with pytest.raises(ArgumentError, match="ell was declared positive"):
        fun.bind(**{**data, "ell": -1.0})()
    K, y = build.var("K", shape("n", "n"), ("spd",)), build.var("y", shape("n"))
    from tcalc.primitives.inverse import inv

    solve = runtime.compile(build.einsum([inv(K), y], "ij,j->i"))
    with pytest.raises(DomainError, match="not positive definite"):
        solve.bind(K=-np.eye(2))(y=[1.0, 1.0])


def test_factored_results_are_bound_too() -> None:
    f = tcalc.parse("norm2(T - U*V')^2", "T[n,m], U[n,k], V[m,k]")
    fun = tcalc.compile([f, tcalc.hessian(f, "U")], form="factored")
    rng = np.random.default_rng(1)
    data = {
        "T": rng.normal(size=(5, 4)),
        "U": rng.normal(size=(5, 2)),
        "V": rng.normal(size=(4, 2)),
    }
    bound = fun.bind(T=data["T"]).bind(V=data["V"])
    value, hessian = bound(U=data["U"])
    due, whole = fun(**data)
    np.testing.assert_allclose(value, due, rtol=1e-13)
    np.testing.assert_allclose(hessian.dense(), whole.dense(), rtol=1e-13)
    with pytest.raises(ArgumentError, match="bound already"):
        bound(**data)


def test_functions_are_copied_and_pickled_with_what_is_bound() -> None:
    fun, data = process(), process_data()
    rest = {"y": data["y"]}
    bound = fun.bind(**{name: data[name] for name in data if name != "y"})
    for make in (copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))):
        for mine, due in zip(make(fun)(**data), fun(**data), strict=True):
            np.testing.assert_array_equal(mine, due)
        for mine, due in zip(make(bound)(**rest), bound(**rest), strict=True):
            np.testing.assert_array_equal(mine, due)
        assert make(fun).source == fun.source_for()


def test_deep_graphs_are_pickled() -> None:
    node: Node = build.var("x", shape("n"))
    for _ in range(3000):
        node = sin(node)
    fun = runtime.compile(node)
    again = pickle.loads(pickle.dumps(fun))
    np.testing.assert_array_equal(again(x=[1.0]), fun(x=[1.0]))


def test_factors_that_are_bound_are_multiplied_once() -> None:
    f = tcalc.parse("norm2(X*w - y)^2 / 2", "X[m,n], y[m], w[n]")
    fun = tcalc.compile(tcalc.gradient(f, "w"))
    rng = np.random.default_rng(0)
    data = {"X": rng.normal(size=(40, 5)), "y": rng.normal(size=40), "w": rng.normal(size=5)}
    bound = fun.bind(X=data["X"], y=data["y"])
    np.testing.assert_allclose(bound(w=data["w"]), fun(**data))
    assert "X.T @ X" in body(bound, "prepare")
    assert "X" not in body(bound, "compute").partition('"""')[2]
    wide = fun.bind(X=data["X"].T.copy(), y=np.ones(5))
    wide(w=np.ones(40))
    assert "X.T @ X" not in wide.source


def test_outer_products_of_what_is_bound_keep_their_rank() -> None:
    """``V (y y') V`` is made of one solve, for y that is bound as for any other."""
    f = tcalc.parse("y'*inv(K)*y + logdet(K)", "K[n,n] spd, y[n]")
    fun = tcalc.compile([f, tcalc.gradient(f, "K")])
    rng = np.random.default_rng(0)
    root = rng.normal(size=(60, 60))
    data = {"K": root @ root.T + np.eye(60), "y": rng.normal(size=60)}
    bound = fun.bind(y=data["y"])
    for mine, due in zip(bound(K=data["K"]), fun(**data), strict=True):
        np.testing.assert_allclose(mine, due, rtol=1e-9)
    assert "[:, None]" not in body(bound, "prepare")
    assert "@" not in body(bound, "compute").replace(" @ y", "")


def test_outer_products_are_opened_by_what_is_bound_and_by_what_is_not() -> None:
    """The first sum is bound and takes ``A b`` apart, which the second one needs as it is."""
    rng = np.random.default_rng(0)
    data: dict[str, Any] = {"A": rng.normal(size=(3, 4)), "b": rng.normal(size=4)}
    data |= {"c": rng.normal(size=5), "M": rng.normal(size=(3, 5)), "N": rng.normal(size=(3, 5))}
    sums = [
        tcalc.parse(f"O = (A*b)*c'; s[i] = O[i,k]*{weights}[i,k]; sin(s)", declared)
        for weights in "MN"
        for declared in [f"A[m,n], b[n], c[k], {weights}[m,k]"]
    ]
    fun = tcalc.compile(sums)
    bound = fun.bind(**{name: data[name] for name in "AbcM"})
    for mine, due in zip(bound(N=data["N"]), fun(**data), strict=True):
        np.testing.assert_allclose(mine, due, rtol=1e-12)


def test_products_of_second_order_are_opened_for_bound_functions_too() -> None:
    """``y' V V V y`` and ``tr(V V)`` need no product of V with itself, y being bound or not."""
    f = tcalc.parse(PROCESS)
    fun = tcalc.compile([f, tcalc.gradient(f, "noise"), tcalc.hessian(f, "noise")])
    rng = np.random.default_rng(0)
    data = {**process_data(), "X": rng.normal(size=(300, 2)), "y": rng.normal(size=300)}
    bound = fun.bind(X=data["X"], y=data["y"])
    rest = {name: data[name] for name in ("ell", "v", "noise")}
    np.testing.assert_allclose(bound(**rest), fun(**data), rtol=1e-9)
    assert not re.search(r"(t\d+)\.T @ \1\b", body(bound, "compute"))
