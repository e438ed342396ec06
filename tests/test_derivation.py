"""Derivations step by step: every line is true, and the last one is the gradient."""

from __future__ import annotations

import numpy as np
import pytest

import tcalc

PROGRAMS = {
    "logistic": ("sum(log(1 + exp(-y .* (X*w)))) + c*norm2(w)^2", "X[m,n], y[m], w[n], c", "w"),
    "gp": ("logdet(K) + y'*(K\\y)", "K[n,n] spd, y[n]", "K"),
    "ratio": ("(w'*r - a)/sqrt(w'*S*w)", "S[n,n] symmetric, w[n], r[n], a", "w"),
    "trace": ("tr(A*X'*B*X*C)", "A[k,n], X[m,n], B[m,m], C[n,k]", "X"),
    "softmax": ("sum(softmax(A*x).^2)", "A[m,n], x[n]", "x"),
    "clash": ("sum(exp(t1 + f))", "t1[n], f[n]", "t1"),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_lines_compute_the_gradient(name):
    text, declared, wrt = PROGRAMS[name]
    f = tcalc.parse(text, declared)
    derivation = tcalc.explain(f, wrt)
    lines = [*derivation.values, *derivation.cotangents]
    names = [line.name for line in lines]
    assert len(set(names)) == len(names)
    assert not set(names) & set(f.variables)
    program = "\n".join(f"{line.name} = {line.formula}" for line in lines)
    by_steps = tcalc.parse(program, declared)
    generator = np.random.default_rng(0)
    sizes = dict(zip("kmn", (2, 3, 4), strict=True))
    data = {
        name: generator.uniform(0.5, 1.0, [sizes[str(d)] for d in v.dims])
        for name, v in f.variables.items()
    }
    for name, v in f.variables.items():
        if v.properties:
            data[name] = data[name] @ data[name].T + np.eye(4)
    expected = tcalc.evaluate(tcalc.gradient(f, wrt), **data)
    np.testing.assert_allclose(tcalc.evaluate(by_steps, **data), expected, rtol=1e-12)
    result = tcalc.parse(derivation.result.formula, declared)
    np.testing.assert_allclose(tcalc.evaluate(result, **data), expected, rtol=1e-12)


def test_the_text_reads_in_order():
    text = str(tcalc.explain(tcalc.parse("sum(sin(A*x))"), "x"))
    order = ["t1 = A*x", "t2 = sin(t1)", "f = sum(t2)", "t1_bar", "x_bar", "df/dx = A'*cos(A*x)"]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert "chain rule, sin' = cos(x)" in text


def test_what_cannot_be_explained_says_why():
    with pytest.raises(tcalc.TcalcError, match="scalar"):
        tcalc.explain(tcalc.parse("A*x"), "x")
    long = "s{0} = x\nfor t = 1:80\ns{t} = sin(s{t-1})\nend\nsum(s{80})"
    with pytest.raises(tcalc.TcalcError, match="not readable"):
        tcalc.explain(tcalc.parse(long, "x[n]"), "x")


def test_the_lines_as_mathematics():
    derivation = tcalc.explain(tcalc.parse("sum(sin(A*x))"), "x")
    last = derivation.cotangents[-1]
    assert last.name == "x_bar"
    assert '<mover accent="true"><mrow><mi>x</mi></mrow>' in last.mathml()
    assert "<mo>=</mo>" in last.mathml()
    assert "<mo>=</mo>" not in derivation.result.mathml()


def test_a_tensor_of_higher_order_has_one_left_side():
    found = tcalc.explain(tcalc.parse("y[i,j,k] = sin(T[i,j,k]*x[k]); sum(y)"), "T")
    for line in found.lines:
        assert line.text().removesuffix(line.reason).count(" = ") == 1
    assert "t2_bar[i,j,k] = cos(t2[i,j,k])" in found.text()
    assert r"\left( \frac{\partial f}{\partial T} \right)_{i j k} &= \cos" in found.latex()


def test_the_notation_can_be_chosen():
    found = tcalc.explain(tcalc.parse("sum(sin(A*x))"), "x")
    assert "t1[i] = A[i,j]*x[j]" in found.text("einstein")
    assert "df/dx[i] = A[j,i]*cos(A[j,k]*x[k])" in found.text("einstein")
    assert found.text("matrix") == found.text() == str(found)


def test_latex_has_a_row_for_each_line():
    found = tcalc.explain(tcalc.parse("sum(x_1.^2)"), "x_1")
    first, *rows, last = found.latex().splitlines()
    assert (first, last) == (r"\begin{aligned}", r"\end{aligned}")
    assert [row.count("&=") for row in rows] == [1] * len(found.lines)
    assert rows[-1] == r"\frac{\partial f}{\partial x_1} &= 2 x_1"


def test_a_result_that_would_fill_pages_names_what_is_shared():
    steps = """
        x{0} = x
        for t = 1:3
            k{t} = tanh(A*x{t-1})
            l{t} = tanh(A*(x{t-1} + c/2*k{t}))
            m{t} = tanh(A*(x{t-1} + c/2*l{t}))
            n{t} = tanh(A*(x{t-1} + c*m{t}))
            x{t} = x{t-1} + c/6*(k{t} + 2*l{t} + 2*m{t} + n{t})
        end
        norm2(x{3})^2
    """
    f = tcalc.parse(steps, "A[d,d], x[d], c")
    derivation = tcalc.explain(f, "c")
    names = {line.name for line in derivation.lines}
    *shared, result = str(derivation).split("simplified:")[1].split("\n  ")[1:]
    assert result.startswith("df/dc = ") and shared
    assert not names & {line.split(" = ")[0] for line in shared}
    rng = np.random.default_rng(0)
    data = {"A": rng.standard_normal((2, 2)), "x": rng.standard_normal(2), "c": 0.5}
    program = tcalc.parse("\n".join([*shared, result.removeprefix("df/dc = ")]), "A[d,d], x[d], c")
    due = tcalc.evaluate(tcalc.gradient(f, "c"), **data)
    assert tcalc.evaluate(program, **data) == pytest.approx(due)
    assert tcalc.parse(derivation.result.formula, "A[d,d], x[d], c").shape == ()
    assert r"\begin{aligned}" in derivation.latex()


@pytest.mark.parametrize(
    ("text", "wrt", "due"),
    [
        ("sum(x)", "z", "df/dz = zeros(n)"),
        ("sum(x) + 0*norm2(z)^2", "z", "df/dz = zeros(n)"),
        ("a", "a", "df/da = 1"),
        ("3", "a", "df/da = 0"),
    ],
)
def test_what_takes_no_step_is_derived_too(text, wrt, due):
    derivation = tcalc.explain(tcalc.parse(text, "x[n], z[n], a"), wrt)
    assert str(derivation).endswith(due)
    assert derivation.values[-1].name == "f"
    assert derivation.latex().startswith(r"\begin{aligned}")
    depends = "does not depend" not in derivation.cotangents[-1].reason
    assert depends == (text == "a")


def test_steps_have_the_names_of_the_program():
    program = "r_1 = X*w - y\nt2 = r_1'*r_1\nloss = sqrt(t2 + c)"
    derivation = tcalc.explain(tcalc.parse(program, "X[m,n], w[n], y[m], c"), "w")
    assert [line.name for line in derivation.values][-1] == "loss"
    assert [line.name for line in derivation.values].count("r_1") == 1
    assert derivation.result.name == "dloss/dw"
    assert "the derivative of loss by itself" in str(derivation)
    assert r"\frac{\partial \mathrm{loss}}{\partial w} &= " in derivation.latex()


def test_a_long_result_takes_several_rows_of_one_alignment():
    program = "K[i,j] = exp(-(X[i,k]-X[j,k])^2/2)\ny'*inv(K)*y/2 + logdet(K)/2"
    derivation = tcalc.explain(tcalc.parse(program, "X[n,d], y[n]"), "X")
    assert max(map(len, derivation.result.text().splitlines())) < 160
    whole = derivation.latex()
    assert whole.count("aligned") == 2
    _, *rows, _ = whole.splitlines()
    for row in rows:
        columns = row.split("&&")[0]
        assert columns.startswith("& \\quad") or columns.count("&=") == 1, row
    assert sum(r"\frac{\partial f}{\partial X} &= " in row for row in rows) == 1
    long = "sum(sin(" + " + ".join(f"a{k}*b{k}*x" for k in range(12)) + "))"
    whole = tcalc.explain(tcalc.parse(long), "x").latex()
    assert whole.count("aligned") == 2
    assert "\n& \\quad + " in whole
