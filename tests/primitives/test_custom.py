"""Functions that users bring, with derivatives of their own."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg

import tcalc
from tcalc.simplify import normal, tidy

MODES = ("forward", "reverse", "cross-country")


def inverse_pullback(A, Y, G):
    return -Y.T @ G @ Y.T


def inverse_second(A, Y, G, dA):
    dY = -Y @ dA @ Y
    return -dY.T @ G @ Y.T - Y.T @ G @ dY.T


def inverse_pushforward(A, Y, dA):
    return -Y @ dA @ Y


# The forum's question, "can I give my own Jacobian?", for three functions.
INVERSE = tcalc.function("resolvent", "A[n,n] -> Y[n,n]", np.linalg.inv, pushforward="-Y*dA*Y")
LYAPUNOV = tcalc.function(
    "gramian",
    "A[n,n], Q[n,n] -> X[n,n]",
    linalg.solve_continuous_lyapunov,
    pushforward="gramian(A, dQ - dA*X - X*dA')",
    pullback={
        "A": "-gramian(A', X_bar)*X' - gramian(A', X_bar)'*X",
        "Q": "gramian(A', X_bar)",
    },
)
LYAPUNOV_BY_OURS = tcalc.function(
    "gramian",
    "A[n,n], Q[n,n] -> X[n,n]",
    linalg.solve_continuous_lyapunov,
    pushforward="lyap(A, dQ - dA*X - X*dA')",
)
EXPONENTIAL = tcalc.function(
    "propagator", "A[n,n] -> Y[n,n]", linalg.expm, pushforward="expm(A, dA)"
)
CALLABLES = tcalc.function(
    "resolvent",
    "A[n,n] -> Y[n,n]",
    np.linalg.inv,
    pushforward=inverse_pushforward,
    pullback=inverse_pullback,
    second=inverse_second,
)
FIRST_ORDER = tcalc.function(
    "resolvent",
    "A[n,n] -> Y[n,n]",
    np.linalg.inv,
    pushforward=inverse_pushforward,
    pullback=inverse_pullback,
)


def bilinear(A, x, c):
    return c**2 * A @ (x * x)


# Of different shapes, with a scalar; y = c² A x².
SEVERAL = tcalc.function(
    "bilinear",
    "A[m,n], x[n], c -> y[m]",
    bilinear,
    pushforward=lambda A, x, c, y, dA, dx, dc: (
        c**2 * (dA @ (x * x) + 2 * A @ (x * dx)) + 2 * c * dc * A @ (x * x)
    ),
    pullback=lambda A, x, c, y, g: (
        c**2 * np.outer(g, x * x),
        2 * c**2 * x * (A.T @ g),
        2 * c * g @ A @ (x * x),
    ),
    second=lambda A, x, c, y, g, dA, dx, dc: (
        2 * c**2 * np.outer(g, x * dx) + 2 * c * dc * np.outer(g, x * x),
        2 * c**2 * (dx * (A.T @ g) + x * (dA.T @ g)) + 4 * c * dc * x * (A.T @ g),
        2 * dc * g @ A @ (x * x) + 2 * c * (g @ dA @ (x * x) + 2 * g @ A @ (x * dx)),
    ),
)
SEVERAL_AS_PROGRAM = tcalc.function(
    "bilinear",
    "A[m,n], x[n], c -> y[m]",
    bilinear,
    pushforward="c^2*(dA*(x.*x) + 2*A*(x.*dx)) + 2*c*dc*A*(x.*x)",
)
SHIFTED = {"A": np.array([[3.0, 0.5, 0.1], [0.2, 2.5, 0.3], [0.0, 0.4, 4.0]])}
CASES = {
    "inv": (INVERSE, "sum(sin(resolvent(A + A*A)))", "A", SHIFTED),
    "lyap": (LYAPUNOV, "sum(sin(gramian(A, A'*A)))", "A", SHIFTED),
    "lyap by ours": (LYAPUNOV_BY_OURS, "sum(sin(gramian(A, A'*A)))", "A", SHIFTED),
    "expm": (EXPONENTIAL, "sum(sin(propagator(A/4)))", "A", SHIFTED),
    "matrix-valued": (INVERSE, "resolvent(A)*A'", "A", SHIFTED),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("case", CASES)
def test_a_program_for_the_derivative_has_every_order(case, order, mode):
    function, text, wrt, data = CASES[case]
    f = tcalc.parse(text, functions=[function])
    assert tcalc.check(f, wrt, order=order, mode=mode, data=data)


@pytest.mark.parametrize("declarations", ["A[n,n]", "A[m,m]", "A[3,3]", "A[2,n,n]"])
def test_a_program_may_name_dimensions_and_constants(declarations):
    shifted = tcalc.function(
        "shifted",
        "A[n,n] -> Y[n,n]",
        lambda A: A + A.trace() * len(A) * np.eye(len(A)) + np.tril(A) + A[0],
        pushforward="dA + tr(dA)*n*eye(n) + tril(dA) + ones(n)*dA[1,1:end]'",
    )
    f = tcalc.parse("sum(sin(shifted(A)))", declarations, functions=[shifted])
    for order in (1, 2):
        assert tcalc.check(f, "A", order=order)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("text", ["sum(sin(resolvent(A + A*A)))", "resolvent(A)*A'"])
def test_callables_have_two_orders(text, order, mode):
    f = tcalc.parse(text, functions=[CALLABLES])
    assert tcalc.check(f, "A", order=order, mode=mode, data=SHIFTED)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("wrt", ["A", "x", "c"])
def test_several_arguments(wrt, mode):
    for function in (SEVERAL, SEVERAL_AS_PROGRAM):
        f = tcalc.parse("sum(exp(bilinear(A, x + c, c)))", "A[m,n], x[n], c", functions=[function])
        for order in (1, 2):
            assert tcalc.check(f, wrt, order=order, mode=mode)


def test_mixed_derivatives_agree_with_the_program():
    data = {"A": np.arange(6.0).reshape(2, 3) / 9, "x": np.array([0.1, 0.4, -0.3]), "c": 0.7}
    found = []
    for function in (SEVERAL, SEVERAL_AS_PROGRAM):
        f = tcalc.parse("sum(exp(bilinear(A, x, c)))", "A[m,n], x[n], c", functions=[function])
        pairs = [tcalc.derivative(f, *by) for by in (("A", "x"), ("x", "c"), ("c", "A"))]
        found.append(tcalc.compile(pairs)(**data))
        for result, again in zip(found[-1], tcalc.evaluate(pairs, **data), strict=True):
            np.testing.assert_allclose(result, again, atol=1e-14)
    for left, right in zip(*found, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-14)


@pytest.mark.parametrize("function", [INVERSE, CALLABLES])
def test_batches(function):
    f = tcalc.parse("Y[b,i,j] = resolvent(A)[b,i,j]; sum(sin(Y))", "A[b,n,n]", functions=[function])
    matrices = np.stack([SHIFTED["A"], SHIFTED["A"].T + np.eye(3)])
    for order in (1, 2):
        assert tcalc.check(f, "A", order=order, data={"A": matrices})
    np.testing.assert_allclose(tcalc.compile(f)(A=matrices), np.sin(np.linalg.inv(matrices)).sum())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("function", [SEVERAL, SEVERAL_AS_PROGRAM])
def test_batches_of_several_arguments(function, mode):
    text = "z[b,i] = bilinear(A, X, c)[b,i]; sum(sin(z))"
    f = tcalc.parse(text, "A[b,m,n], X[b,n], c[b]", functions=[function])
    for wrt in f.variables:
        assert tcalc.check(f, wrt, order=2, mode=mode)


@pytest.mark.parametrize(
    ("function", "text", "declared"),
    [
        (CALLABLES, "sum(sin(resolvent(A)))", "A[n,n]"),
        (SEVERAL, "sum(exp(bilinear(A, x, c)))", "A[m,n], x[n], c"),
    ],
    ids=["one argument", "several"],
)
def test_printed_derivatives_come_back(function, text, declared):
    f = tcalc.parse(text, declared, functions=[function])
    for order in (1, 2):
        for notation in ("auto", "einstein"):
            derivative = tcalc.derivative(f, *["A"] * order)
            printed = derivative.text(notation)
            back = tcalc.parse(printed, declared, functions=[function])
            due, read = normal([tidy(derivative.node), tidy(back.node)])
            assert read is due, printed


def test_derivatives_print():
    f = tcalc.parse("x'*resolvent(A)*x", functions=[INVERSE])
    assert str(tcalc.gradient(f, "A")) == "-resolvent(A)'*x*x'*resolvent(A)'"
    g = tcalc.parse("x'*resolvent(A)*x", functions=[CALLABLES])
    assert str(tcalc.gradient(g, "A")) == "resolvent_pullback(A, resolvent(A), x*x')"
    assert r"\operatorname{resolvent\_pullback}" in tcalc.gradient(g, "A").latex()


def test_in_python_as_in_programs():
    A, x = tcalc.symbols("A[n,n], x[n]")
    program = tcalc.parse("resolvent(A)*x", "A[n,n]", functions=[INVERSE])
    assert (INVERSE(A) @ x).node is program.node


def test_a_hessian_without_second_order_is_refused():
    f = tcalc.parse("sum(resolvent(A))", functions=[FIRST_ORDER])
    assert tcalc.check(f, "A", data=SHIFTED)
    with pytest.raises(tcalc.TcalcError, match="second derivative of resolvent") as caught:
        tcalc.hessian(f, "A")
    assert "second=" in str(caught.value)
    g = tcalc.parse("sum(resolvent(A))", functions=[CALLABLES])
    with pytest.raises(tcalc.TcalcError, match="third derivative of resolvent"):
        tcalc.derivative(g, "A", "A", "A")
    bare = tcalc.function("bare", "A[n,n] -> Y[n,n]", np.linalg.inv)
    with pytest.raises(tcalc.TcalcError, match="derivative of bare is not known"):
        tcalc.gradient(tcalc.parse("sum(bare(A))", functions=[bare]), "A")


def test_a_wrong_rule_is_found():
    wrong = tcalc.function("resolvent", "A[n,n] -> Y[n,n]", np.linalg.inv, pushforward="-Y'*dA*Y")
    f = tcalc.parse("sum(resolvent(A))", functions=[wrong])
    assert not tcalc.check(f, "A", data=SHIFTED)


def test_a_module_is_supplied_with_functions():
    f = tcalc.parse("sum(resolvent(A)*x)", functions=[CALLABLES])
    results = [f, tcalc.gradient(f, "A")]
    data = {**SHIFTED, "x": np.array([1.0, -1.0, 2.0])}
    fun = tcalc.compile(results)
    expected = fun(**data)
    module: dict = {}
    exec(compile(fun.source, "generated", "exec"), module)
    assert "resolvent_pullback: A[n,n], Y[n,n], Y_bar[n,n] -> A_bar[n,n]" in module["__doc__"]
    assert "inverse_pullback" not in fun.source
    with pytest.raises(LookupError, match="the function resolvent is to be put into `supplied`"):
        module["evaluate"](**data)
    module["supplied"].update(CALLABLES.supplied)
    for found, right in zip(module["evaluate"](**data), expected, strict=True):
        np.testing.assert_array_equal(found, right)


def test_types_follow_the_arguments():
    f = tcalc.parse("resolvent(A)", functions=[INVERSE])
    assert tcalc.compile(f)(A=SHIFTED["A"].astype("f")).dtype == np.float32
    analytic = tcalc.function(
        "resolvent", "A[n,n] -> Y[n,n]", np.linalg.inv, pushforward="-Y*dA*Y", analytic=True
    )
    report = tcalc.check(tcalc.parse("sum(resolvent(A))", functions=[analytic]), "A", data=SHIFTED)
    assert report
    assert report.method == "complex step"


def test_properties_of_the_value_are_used():
    gram = tcalc.function(
        "gram", "A[m,n] -> K[n,n] psd", lambda A: A.T @ A, pushforward="dA'*A + A'*dA"
    )
    A = tcalc.symbols("A[m,n]")
    assert gram(A).T.node is gram(A).node


def identity_that_writes(A):
    A[0, 0] = 1.0
    return A


@pytest.mark.parametrize(
    ("evaluate", "message"),
    [
        (lambda A: A[0], r"other returned an array of the shape \(3,\).* Y\[n,n\]"),
        (lambda A: None, "NoneType"),
        (lambda A: [[1, 2], [3]], "list"),
        (lambda A: A + 1j, "complex"),
    ],
)
def test_what_a_callable_returns_is_checked(evaluate, message):
    f = tcalc.parse("other(A)", functions=[tcalc.function("other", "A[n,n] -> Y[n,n]", evaluate)])
    with pytest.raises(tcalc.TcalcError, match=message):
        tcalc.compile(f)(**SHIFTED)
    with pytest.raises(tcalc.TcalcError, match=message):
        tcalc.evaluate(f, **SHIFTED)


def test_arguments_are_not_written_to():
    f = tcalc.function("other", "A[n,n] -> Y[n,n]", identity_that_writes)
    with pytest.raises(ValueError, match="read-only"):
        tcalc.compile(tcalc.parse("other(A)", functions=[f]))(**SHIFTED)
    same = tcalc.function("other", "A[n,n] -> Y[n,n]", lambda A: A)
    result = tcalc.compile(tcalc.parse("other(A)", functions=[same]))(**SHIFTED)
    assert not np.shares_memory(result, SHIFTED["A"])


def test_a_singular_matrix_is_a_domain_error():
    f = tcalc.parse("resolvent(A)", functions=[INVERSE])
    with pytest.raises(tcalc.TcalcError, match="resolvent: Singular"):
        tcalc.compile(f)(A=np.zeros((2, 2)))


def test_two_functions_of_one_name_are_told_apart():
    A = tcalc.symbols("A[n,n]")
    negative = tcalc.function("resolvent", "A[n,n] -> Y[n,n]", lambda A: -A, pushforward="-dA")
    both = negative(A) + INVERSE(A)
    with pytest.raises(tcalc.TcalcError, match="two different functions"):
        tcalc.compile(both)(**SHIFTED)


@pytest.mark.parametrize(
    ("signature", "rule", "message"),
    [
        ("A[n,n]", "dA", "no signature"),
        ("-> Y[n]", "Y", "."),
        ("A[n,n] -> Y[k,n]", "dA", "the dimension k"),
        ("A[n,3] -> Y[n,n]", "dA", "the dimension 3"),
        ("A[n,n] spd -> Y[n,n]", "dA", "has a property"),
        ("A[n,n], dA[n] -> Y[n,n]", "dA", "direction of A"),
        ("A[n,n] -> Y[n,n]", "dA*Z", "names Z"),
        ("A[n,n] -> Y[n,n]", "dA*Y*dA", "not linear"),
        ("A[n,n] -> Y[n,n]", "dA + Y", "not linear"),
        ("A[n,n] -> Y[n,n]", "tr(dA)", "has the axes"),
        ("A[n,n] -> Y[n,n]", "dA *", "."),
        ("A[n,n] -> Y[n,n]", "other(dA)", "adjoint does not follow"),
    ],
)
def test_definitions_that_do_not_fit(signature, rule, message):
    with pytest.raises(tcalc.TcalcError, match=message):
        tcalc.function("other", signature, np.linalg.inv, pushforward=rule)


def test_arguments_that_do_not_fit():
    with pytest.raises(tcalc.TcalcError, match="of its own"):
        tcalc.function("inv", "A[n,n] -> Y[n,n]", np.linalg.inv)
    with pytest.raises(tcalc.TcalcError, match="not a name"):
        tcalc.function("a b", "A[n,n] -> Y[n,n]", np.linalg.inv)
    with pytest.raises(tcalc.TcalcError, match="evaluate must be a callable"):
        tcalc.function("other", "A[n,n] -> Y[n,n]", "np.linalg.inv")
    with pytest.raises(tcalc.TcalcError, match="callables for pushforward"):
        tcalc.function("other", "A[n,n] -> Y[n,n]", np.linalg.inv, pushforward=np.negative)
    with pytest.raises(tcalc.TcalcError, match="program for pushforward"):
        tcalc.function(
            "other", "A[n,n] -> Y[n,n]", np.linalg.inv, pushforward="dA", pullback=np.negative
        )
    with pytest.raises(tcalc.TcalcError, match="square matrix"):
        tcalc.parse("resolvent(x)", functions=[INVERSE])
    with pytest.raises(tcalc.TcalcError):
        tcalc.parse("resolvent(X)", "X[m,n]", functions=[INVERSE])


@pytest.mark.parametrize(
    ("callables", "called"),
    [
        ((lambda: 0, "dx"), "evaluate(x)"),
        ((np.sin, lambda x, dx: dx, lambda x, y, g: g), "pushforward(x, y, dx)"),
        ((np.sin, lambda x, y, dx: dx, lambda x, g: g), "pullback(x, y, y_bar)"),
        ((np.sin, lambda *x: 0, lambda *x: 0, lambda x, y, g: g), "second(x, y, y_bar, dx)"),
    ],
)
def test_callables_take_the_arrays_that_they_are_called_with(callables, called):
    names = ("pushforward", "pullback", "second")
    evaluate, *derivatives = callables
    with pytest.raises(tcalc.TcalcError, match="is called with") as caught:
        tcalc.function("f", "x -> y", evaluate, **dict(zip(names, derivatives, strict=False)))
    assert caught.value.hint == called


@pytest.mark.parametrize(
    ("signature", "shown"),
    [
        ("A[n,n], -> Y[n,n]", "unexpected `->`: expected a name"),
        ("A[n,n] -> Y[n,n", "`[` is never closed"),
        ("A[n,n] -> Y[n,n] -> Z", "unexpected `-`"),
        ("A[n,n] -> A[n,n]", "`A` is declared twice"),
    ],
)
def test_errors_show_the_signature_as_it_was_written(signature, shown):
    with pytest.raises(tcalc.TcalcError) as caught:
        tcalc.function("other", signature, np.linalg.inv, pushforward="dA")
    message = str(caught.value)
    assert message.startswith(shown)
    assert message.count(f"\n    {signature}\n") == 1 + len(caught.value.places)
