"""Functions of users' that have several values: decompositions of their own."""

from __future__ import annotations

import numpy as np
import pytest

import tcalc

MODES = ("forward", "reverse", "cross-country")
SYMMETRIC = np.array([[3.0, 0.5, 0.1], [0.5, 1.5, 0.3], [0.1, 0.3, 5.0]])


def eigen(A):
    return np.linalg.eigh((A + A.T) / 2)


EIGEN = tcalc.function(
    "eigen",
    "A[n,n] -> w[n], V[n,n]",
    eigen,
    pushforward={
        "w": "diag(V'*(dA + dA')*V)/2",
        "V": "V*(gap(w).*(V'*(dA + dA')*V))/2",
    },
)
# p = c x.*x and q = c² x'y: of different shapes, and of arguments that are.
PRODUCTS_AS_PROGRAM = tcalc.function(
    "products",
    "x[n], y[n], c -> p[n], q",
    lambda x, y, c: (c * x * x, c**2 * (x @ y)),
    pushforward={
        "p": "dc*x.^2 + 2*c*x.*dx",
        "q": "2*c*dc*x'*y + c^2*(dx'*y + x'*dy)",
    },
)
PRODUCTS = tcalc.function(
    "products",
    "x[n], y[n], c -> p[n], q",
    lambda x, y, c: (c * x * x, c**2 * (x @ y)),
    pushforward=lambda x, y, c, p, q, dx, dy, dc: (
        dc * x * x + 2 * c * x * dx,
        2 * c * dc * (x @ y) + c**2 * (dx @ y + x @ dy),
    ),
    pullback=lambda x, y, c, p, q, p_bar, q_bar: (
        2 * c * x * p_bar + c**2 * q_bar * y,
        c**2 * q_bar * x,
        p_bar @ (x * x) + 2 * c * q_bar * (x @ y),
    ),
    second=lambda x, y, c, p, q, p_bar, q_bar, dx, dy, dc: (
        2 * (dc * x + c * dx) * p_bar + q_bar * (2 * c * dc * y + c**2 * dy),
        q_bar * (2 * c * dc * x + c**2 * dx),
        2 * p_bar @ (x * dx) + 2 * q_bar * (dc * (x @ y) + c * (dx @ y + x @ dy)),
    ),
)
BOTH = (PRODUCTS, PRODUCTS_AS_PROGRAM)
FORMULA = "p, q = products(X[1,1:end]', y + c, c); sum(exp(p))*q + cos(q)"
DATA = {
    "X": np.array([[0.1, 0.4, -0.3], [1.0, 1.0, 1.0]]),
    "y": np.array([0.5, -0.2, 0.9]),
    "c": 0.7,
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("order", [1, 2, 3])
def test_a_decomposition_has_every_order(order, mode):
    text = "w, V = eigen(A); sum(sin(V*diag(w.^2)*V')) + w[1]*V[1,1]^2"
    f = tcalc.parse(text, functions=[EIGEN])
    assert tcalc.check(f, "A", order=order, mode=mode, data={"A": SYMMETRIC})


def test_it_is_ours():
    data = {"A": SYMMETRIC}
    texts = [f"w, V = {name}(A); sum(exp(w))*V[1,2]^2" for name in ("eigen", "eigh")]
    theirs, ours = (tcalc.parse(text, "A[n,n]", functions=[EIGEN]) for text in texts)
    for by in (["A"], ["A", "A"]):
        found, wanted = (tcalc.derivative(f, *by) for f in (theirs, ours))
        np.testing.assert_allclose(
            tcalc.compile(found)(**data), tcalc.compile(wanted)(**data), atol=1e-12
        )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("function", BOTH)
@pytest.mark.parametrize("wrt", ["X", "y", "c"])
def test_two_orders_with_several_arguments(wrt, function, mode):
    f = tcalc.parse(FORMULA, "X[2,n], y[n], c", functions=[function])
    for order in (1, 2):
        assert tcalc.check(f, wrt, order=order, mode=mode, data=DATA)


def test_mixed_derivatives_agree_with_the_program():
    found = []
    for function in BOTH:
        f = tcalc.parse(FORMULA, "X[2,n], y[n], c", functions=[function])
        pairs = [tcalc.derivative(f, *by) for by in (("X", "y"), ("y", "c"), ("c", "X"))]
        found.append(tcalc.compile(pairs)(**DATA))
        for result, again in zip(found[-1], tcalc.evaluate(pairs, **DATA), strict=True):
            np.testing.assert_allclose(result, again, atol=1e-14)
    for left, right in zip(*found, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-14)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("function", BOTH)
def test_batches(function, mode):
    text = "P, q = products(X, Y, c); z[b] = sin(q[b])*P[b,i]^2; sum(z)"
    f = tcalc.parse(text, "X[b,n], Y[b,n], c[b]", functions=[function])
    for wrt in f.variables:
        assert tcalc.check(f, wrt, order=2, mode=mode)


def test_batched_callables_are_called_once():
    shapes = []

    def batched(A):
        shapes.append(A.shape)
        return np.linalg.eigh((A + A.swapaxes(-1, -2)) / 2)

    many = tcalc.function("eigen", "A[n,n] -> w[n], V[n,n]", batched, batched=True)
    w, V = many(tcalc.symbols("A[b,n,n]"))
    matrices = np.stack([SYMMETRIC, 2 * SYMMETRIC])
    values, vectors = tcalc.compile([w, V])(A=matrices)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(matrices))
    np.testing.assert_allclose(matrices @ vectors, vectors * values[:, None, :], atol=1e-13)
    assert shapes == [(2, 3, 3)]


def test_in_python_as_in_programs():
    w, V = EIGEN(tcalc.symbols("A[n,n]"))
    program = tcalc.parse("w, V = eigen(A); V*w", "A[n,n]", functions=[EIGEN])
    assert (V @ w).node is program.node
    assert str(program).startswith("w, V = eigen(A)")


def test_derivatives_print():
    f = tcalc.parse("w, V = eigen(A); sum(w)", functions=[EIGEN])
    assert "w, V = eigen(A)" in str(tcalc.gradient(f, "A"))
    g = tcalc.parse("p, q = products(x, y, c); q", "x[n], y[n], c", functions=[PRODUCTS])
    assert "products_pullback_x_q(x, y, c, p, q, 1)" in str(tcalc.gradient(g, "x"))


def test_a_module_is_supplied_with_functions():
    f = tcalc.parse(FORMULA, "X[2,n], y[n], c", functions=[PRODUCTS])
    results = [f, tcalc.gradient(f, "X")]
    fun = tcalc.compile(results)
    expected = fun(**DATA)
    module: dict = {}
    exec(compile(fun.source, "generated", "exec"), module)
    assert "products: x[n], y[n], c[] -> p[n], q[]" in module["__doc__"]
    module["supplied"].update(PRODUCTS.supplied)
    for found, right in zip(module["evaluate"](**DATA), expected, strict=True):
        np.testing.assert_array_equal(found, right)


def test_properties_of_a_value_are_used():
    whole = tcalc.function("whole", "A[n,n] -> w[n], S[n,n] symmetric", lambda A: (A[0], A + A.T))
    _, S = whole(tcalc.symbols("A[n,n]"))
    assert S.T.node is S.node


def test_types_follow_the_arguments():
    w, V = EIGEN(tcalc.symbols("A[n,n]"))
    for result in tcalc.compile([w, V])(A=SYMMETRIC.astype("f")):
        assert result.dtype == np.float32


@pytest.mark.parametrize(
    ("evaluate", "message"),
    [
        (lambda A: A, r"ndarray, and should return a tuple of 2 arrays: w\[n\], V\[n,n\]"),
        (lambda A: (A[0], A, A), "tuple of 2 arrays"),
        (lambda A: (A, A[0]), r"shape \(3, 3\) as w, .* w\[n\], which is \(3,\) here"),
        (lambda A: (A[0], None), "NoneType as V"),
    ],
)
def test_what_a_callable_returns_is_checked(evaluate, message):
    other = tcalc.function("other", "A[n,n] -> w[n], V[n,n]", evaluate)
    f = tcalc.parse("w, V = other(A); V*w", functions=[other])
    for compute in (tcalc.evaluate, lambda e, **data: tcalc.compile(e)(**data)):
        with pytest.raises(tcalc.TcalcError, match=message):
            compute(f, A=SYMMETRIC)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("dA", "pushforward has a program for each value"),
        ({"w": "dA*w"}, "pushforward has a program for each value"),
        ({"w": "dA*w", "V": 3}, "a program, as text"),
        ({"w": "dA*w", "V": "dA*w"}, r"should have those of V\[n,n\]"),
        ({"w": "dA*w", "V": "dA*V*dA"}, "not linear"),
        ({"w": "dA*w", "V": "a, b = other(dA); b"}, "adjoint does not follow"),
    ],
)
def test_derivatives_that_do_not_fit(rule, message):
    with pytest.raises(tcalc.TcalcError, match=message):
        tcalc.function("other", "A[n,n] -> w[n], V[n,n]", eigen, pushforward=rule)


def test_a_function_may_occur_in_its_own_derivative():
    # s and d are linear, and their derivatives are themselves; the adjoint is given.
    halves = tcalc.function(
        "halves",
        "A[n,n] -> S[n,n], D[n,n]",
        lambda A: ((A + A.T) / 2, (A - A.T) / 2),
        pushforward={"S": "S1, D1 = halves(dA); S1", "D": "S1, D1 = halves(dA); D1"},
        pullback={"A": "(S_bar + S_bar' + D_bar - D_bar')/2"},
    )
    f = tcalc.parse("S, D = halves(A); sum(sin(S*D))", functions=[halves])
    for order, mode in ((1, "forward"), (1, "reverse"), (2, "reverse"), (3, "reverse")):
        assert tcalc.check(f, "A", order=order, mode=mode)


def test_a_call_must_be_unpacked():
    with pytest.raises(tcalc.TcalcError, match="has 2 results"):
        tcalc.parse("eigen(A)*x", functions=[EIGEN])
