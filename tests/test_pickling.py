"""Expressions pickle, copy and show themselves, however deep they are."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

import tcalc
from tcalc import gallery
from tcalc.expr import build, shape

DEPTH = 50_000


@pytest.mark.parametrize("name", gallery.names())
def test_expressions_come_back_interned(name):
    f = tcalc.parse(gallery.load(name).text)
    for e in (f, tcalc.jacobian(f, gallery.load(name).wrt[0])):
        again = pickle.loads(pickle.dumps(e))
        assert again.node is e.node
        assert again.variables == e.variables
        assert list(again.variables) == list(e.variables)
        assert again.context.definitions == e.context.definitions
        assert (again.row, again.lead, again.guesses) == (e.row, e.lead, e.guesses)
        assert str(again) == str(e)
        assert copy.copy(e) is e
        assert copy.deepcopy({"e": e})["e"] is e


def test_nodes_come_back_interned_and_copies_are_themselves():
    x = build.var("x", shape("n"), ["positive"])
    node = build.einsum([x, x], "i,j->ij")
    assert pickle.loads(pickle.dumps(node)) is node
    assert copy.deepcopy([node])[0] is node


def test_fifty_thousand_nodes():
    x = build.var("x", ())
    node = x
    for k in range(DEPTH):
        node = build.add([(2, node), (1, build.const(k + 1))])
    e = tcalc.symbols("x[]").with_node(node)
    assert pickle.loads(pickle.dumps(e)).node is node
    assert pickle.loads(pickle.dumps(node)) is node
    assert copy.deepcopy(e) is e


def test_another_process_understands_it(tmp_path):
    f = tcalc.parse("logdet(K) + y'*inv(K)*y", "K[n,n] spd, y[n]")
    g = tcalc.gradient(f, "K")
    (tmp_path / "g.pickle").write_bytes(pickle.dumps(g))
    code = (
        "import pickle, sys, pathlib\n"
        "g = pickle.loads(pathlib.Path('g.pickle').read_bytes())\n"
        "import tcalc\n"
        "f = tcalc.parse(\"logdet(K) + y'*inv(K)*y\", 'K[n,n] spd, y[n]')\n"
        "assert tcalc.gradient(f, 'K').node is g.node\n"
        "print(g)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(g)


def test_user_functions_of_sympy_pickle():
    import sympy

    t = sympy.Symbol("t")
    huber = tcalc.elementwise("huber", sympy.sqrt(1 + t**2) - 1, t)
    f = tcalc.parse("sum(huber(x))", functions=[huber])
    assert pickle.loads(pickle.dumps(f)).node is f.node


def test_compiled_functions_pickle_and_copy():
    f = tcalc.parse("sum(exp(A*x))")
    fun = tcalc.compile([f, tcalc.gradient(f, "x")])
    data = {"A": np.eye(2), "x": np.array([1.0, 2.0])}
    expected = fun(**data)
    for other in (pickle.loads(pickle.dumps(fun)), copy.deepcopy(fun), copy.copy(fun)):
        for a, b in zip(other(**data), expected, strict=True):
            np.testing.assert_array_equal(a, b)


U, V, T = (np.random.default_rng(0).standard_normal(s) for s in ((5, 2), (4, 2), (5, 4)))


@pytest.mark.parametrize(
    "made",
    [
        lambda f, H: (tcalc.compile(H, form="factored"), {"U": U, "V": V, "T": T}),
        lambda f, H: (tcalc.compile([f, H], form="auto"), {"U": U, "V": V, "T": T}),
        lambda f, H: (tcalc.compile(H, form="factored").bind(V=V), {"U": U, "T": T}),
        lambda f, H: (tcalc.compile([f, H]).bind(T=T), {"U": U, "V": V}),
        lambda f, H: (tcalc.compile([f, H], reuse=True), {"U": U, "V": V, "T": T}),
        lambda f, H: (tcalc.compile([f, H], reuse=True).bind(T=T), {"U": U, "V": V}),
    ],
    ids=["factored", "auto", "factored, bound", "bound", "reuse", "reuse, bound"],
)
def test_compiled_functions_of_every_kind_pickle_and_copy_and_so_do_their_results(made):
    f = tcalc.parse("norm2(U*V' - T)^2", "U[m,k], V[n,k], T[m,n]")
    fun, data = made(f, tcalc.hessian(f, "U"))
    several = isinstance(fun(**data), tuple)
    expected = [np.array(x) for x in (fun(**data) if several else (fun(**data),))]
    for way in (lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy, copy.copy):
        results = way(way(fun)(**data))
        for _ in range(2):
            for a, b in zip(results if several else (results,), expected, strict=True):
                np.testing.assert_array_equal(np.asarray(a), b)
            results = way(results)  # which have been used by now


def test_factored_tensors_pickle_and_copy_after_they_were_used():
    f = tcalc.parse("norm2(U*V' - T)^2", "U[m,k], V[n,k], T[m,n]")
    H = tcalc.compile(tcalc.hessian(f, "U"), form="factored")(U=U, V=V, T=T)
    for used in (H, 2 * H + H.T @ H):
        dense, step = used.dense(), used.solve(U)
        for again in (pickle.loads(pickle.dumps(used)), copy.deepcopy(used), copy.copy(used)):
            np.testing.assert_array_equal(again.dense(), dense)
            np.testing.assert_allclose(again.solve(U), step)
            assert str(again) == str(used)


def test_notebooks_show_formulas():
    e = tcalc.gradient(tcalc.parse("norm2(X*w - y)^2"), "w")
    latex, html = e._repr_latex_(), e._repr_html_()
    assert latex == rf"$\displaystyle {e.latex()}$"
    assert html.startswith("<math")
    assert html == e.mathml()
    bundle = e._repr_mimebundle_()
    assert bundle == {"text/plain": str(e), "text/latex": latex, "text/html": html}
    assert set(e._repr_mimebundle_(include=["text/html", "image/png"])) == {"text/html"}
    assert set(e._repr_mimebundle_(exclude=["text/html"])) == {"text/plain", "text/latex"}


def test_functions_of_the_user_pickle_and_what_is_built_of_them():
    inverse = tcalc.function("inverse", "A[n,n] -> Y[n,n]", np.linalg.inv, pushforward="-Y*dA*Y")
    other = tcalc.function(
        "other",
        "A[n,n] -> Y[n,n]",
        np.linalg.inv,
        pushforward="-inverse(A)*dA*inverse(A)",
        functions=[inverse],
    )
    again = pickle.loads(pickle.dumps(other))
    assert again == other and repr(again) == "<UserFunction other: A[n,n] -> Y[n,n]>"
    f = tcalc.parse("sum(other(A).^2)", functions=[again])
    data = {"A": np.array([[2.0, 1.0], [0.0, 3.0]])}
    for e in (f, tcalc.gradient(f, "A"), tcalc.hessian(f, "A")):
        assert pickle.loads(pickle.dumps(e)).node is e.node
        fun = tcalc.compile(e)
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(fun))(**data), fun(**data))
        np.testing.assert_array_equal(copy.deepcopy(fun)(**data), fun(**data))


def test_problems_and_evidences_pickle_after_they_were_used():
    f = tcalc.parse("sum(log(1 + exp(X*w))) + norm2(w)^2", "X[m,n], w[n]")
    loop = tcalc.recurrence(
        "s{0} = 0; for t = 1:T; s{t} = s{t-1} + (x[t] - a)^2; end; s{T}", "x[T], a"
    )
    for made, names, data in ((f, "w", {"X": T}), (loop, "a", {"x": T[0], "a": 0.1})):
        problem = tcalc.problem(made, names, data)
        evidence = tcalc.laplace(made, names, data)
        found = problem.minimize("trust-ncg")
        move = np.ones_like(found.x)
        for way in (lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy):
            np.testing.assert_array_equal(way(problem).minimize("trust-ncg").x, found.x)
            for _ in range(2):
                again = way(evidence)
                np.testing.assert_allclose(again.covariance(move), evidence.covariance(move))
