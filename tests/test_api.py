"""The public functions: whatever is wrong with what they are given is a TcalcError."""

from __future__ import annotations

import ast
import importlib.metadata
import pickle
from fractions import Fraction
from typing import Literal

import numpy as np
import pytest
import scipy.sparse

import tcalc
from tcalc.errors import ArgumentError, DomainError, LimitError
from tcalc.language import elsewhere, habits

f = tcalc.parse("norm2(X*w - y)^2", "X[m,n], w[n], y[m]")


@pytest.mark.parametrize(
    "call",
    [
        lambda: tcalc.gradient("x'*x", "x"),
        lambda: tcalc.hessian("x'*x", "x"),
        lambda: tcalc.jacobian("x'*x", "x"),
        lambda: tcalc.compile("x'*x"),
        lambda: tcalc.compile({"w": "x'*x"}),
        lambda: tcalc.evaluate("x'*x", x=[1.0]),
        lambda: tcalc.cost("x'*x", "x"),
        lambda: tcalc.draw("x'*x"),
        lambda: tcalc.hvp("x'*x", "x"),
        lambda: tcalc.linearize({"f": "x'*x"}),
        lambda: tcalc.to_sympy("x'*x"),
    ],
)
def test_a_text_is_no_expression(call):
    with pytest.raises(ArgumentError, match="an expression was expected"):
        call()


@pytest.mark.parametrize("wrt", [3, None, {"w"}, [["w"]]])
def test_variables_are_given_by_name_or_as_they_are(wrt):
    for derive in (tcalc.gradient, tcalc.hessian, tcalc.derivative, tcalc.cost, tcalc.hvp):
        with pytest.raises(ArgumentError, match="by its name"):
            derive(f, wrt)


@pytest.mark.parametrize(
    ("text", "data", "kind", "message"),
    [
        ("sum(exp(x))", {"x": "abc"}, ArgumentError, "x has the type <U3"),
        ("sum(exp(x))", {"x": None}, ArgumentError, "x has the type object"),
        ("sum(X)", {"X": [[1], [1, 2]]}, ArgumentError, "X is not an array of numbers"),
        ("sum(x)", {"x": [[1]]}, ArgumentError, r"x has the shape \(1, 1\), and should be \[m\]"),
        ("x*y'", {"x": [1]}, ArgumentError, "no value for y"),
        ("sum(x)", {"x": [1], "z": 2}, ArgumentError, "no argument 'z'"),
        ("inv(A)", {"A": [[0.0]]}, DomainError, "singular"),
        ("max(x)", {"x": []}, DomainError, "there is no maximum of no numbers"),
        ("x[2]", {"x": [1]}, DomainError, "position 2 is beyond the dimension 1"),
        ("10^400*x", {"x": [1]}, LimitError, "beyond the range of doubles"),
        ("a", {"a": 10**400}, ArgumentError, "beyond the range of doubles"),
        ("gradient(relu(a), a)", {"a": 1j}, ArgumentError, "takes real numbers"),
        ("zeros(1000000000, 1000000000)", {}, LimitError, "into memory"),
    ],
)
def test_evaluate_refuses(text, data, kind, message):
    with pytest.raises(kind, match=message):
        tcalc.evaluate(tcalc.parse(text), **data)


def test_evaluate_counts_with_numbers_not_with_integers():
    assert tcalc.evaluate(tcalc.parse("a^b"), a=2, b=-1) == 0.5
    assert tcalc.evaluate(tcalc.parse("a*b"), a=10**30, b=Fraction(1, 4)) == 0.25e30


@pytest.mark.parametrize("write", [f.text, f.latex, f.mathml], ids=["text", "latex", "mathml"])
@pytest.mark.parametrize("wish", [{"notation": "foo"}, {"cse": "never"}], ids=str)
def test_wishes_that_printing_does_not_know(write, wish):
    with pytest.raises(ArgumentError, match="there is no"):
        write(**wish)


def test_any_name_is_an_argument():
    assert tcalc.evaluate(tcalc.parse("sum(expressions)"), expressions=[1, 2]) == 3


def test_check_on_data_that_are_not_complete():
    with pytest.raises(ArgumentError, match="no value for X, y"):
        tcalc.check(f, "w", data={"w": [1.0]})


def test_data_that_are_no_real_numbers_are_refused_by_name():
    data = {"X": np.eye(2), "y": np.ones(2), "w": np.ones(2)}
    masked = {**data, "w": np.ma.masked_array(data["w"], mask=[True, False])}
    for use in (
        lambda: tcalc.evaluate(f, **masked),
        lambda: tcalc.check(f, "w", data=masked),
        lambda: tcalc.problem(f, "w", masked),
        lambda: tcalc.linearize(f, "w", at=masked),
        lambda: tcalc.compile(f)(**masked),
    ):
        with pytest.raises(ArgumentError, match="w has masked entries"):
            use()
    for use in (tcalc.check, tcalc.problem):
        with pytest.raises(ArgumentError, match="X has complex numbers"):
            use(f, "w", data={**data, "X": data["X"] + 1j})


def test_a_name_with_a_typo_is_told_of_before_the_want_of_the_right_one():
    data = {"X": np.eye(2), "Y": np.ones(2), "w": np.ones(2)}
    for use in (
        lambda: tcalc.evaluate(f, **data),
        lambda: tcalc.check(f, "w", data=data),
        lambda: tcalc.problem(f, "w", data),
        lambda: tcalc.compile(f)(**data),
    ):
        with pytest.raises(ArgumentError, match="no argument 'Y'") as caught:
            use()
        assert caught.value.hint == "did you mean 'y'?"


def test_arguments_of_evaluate_are_given_by_name():
    with pytest.raises(ArgumentError, match="given by name"):
        tcalc.evaluate(f, np.eye(2))


@pytest.mark.parametrize("sizes", [{"q": 3}, {"m": 0}])
def test_check_with_sizes_that_the_program_has_not(sizes):
    with pytest.raises(ArgumentError, match=r"no size of the program|the size m is 0"):
        tcalc.check(f, "w", sizes=sizes)


def test_check_of_an_element_beyond_the_sizes_drawn():
    element = tcalc.parse("x[40]^2")
    with pytest.raises(DomainError, match="position 40 is beyond the dimension 4"):
        tcalc.check(element, "x")
    assert tcalc.check(element, "x", sizes={"m": 40})
    assert tcalc.check(tcalc.parse("x[9]^2"), "x").sizes["m"] >= 9


def test_parameters_may_be_numbers_of_numpy():
    text = "z{0} = x\nfor t = 1:T\nz{t} = c*z{t-1}\nend\nz{T}"
    made = tcalc.parse(text, "x[n]", T=np.int64(2), c=np.float64(0.5))
    assert str(made) == "x/4"
    with pytest.raises(ArgumentError, match="is not a number"):
        tcalc.parse(text, "x[n]", T=2, c=float("inf"))


def test_arguments_that_are_not_needed_must_fit_all_the_same():
    f = tcalc.parse("sum(A*x) + x'*y + sum(z)", "A[m,n], x[n], y[n], z[k]")
    gradient = tcalc.gradient(f, "A")
    fun, data = tcalc.compile(gradient), {"A": np.ones((2, 3)), "x": np.ones(3)}
    bound = fun.bind(x=np.ones(3))
    for good in (np.ones(3), [1, 2, 3], np.ones(3, np.float32)):
        fun(**data, y=good, z=[1.0])
        bound(A=data["A"], y=good)
    wrong = {
        r"y has the shape \(4,\).* = \(3,\)": np.ones(4),
        r"y has the shape \(3, 1\)": np.ones((3, 1)),
        "y has the type": "text",
        "y is not an array of numbers": [[1], [1, 2]],
    }
    for message, y in wrong.items():
        for compute in (
            lambda y: fun(**data, y=y),
            lambda y: bound(A=data["A"], y=y),
            lambda y: fun.bind(A=data["A"])(x=data["x"], y=y),
            lambda y: tcalc.evaluate(gradient, **data, y=y),
        ):
            with pytest.raises(tcalc.TcalcError, match=message.removesuffix(r".* = \(3,\)")):
                compute(y)


def test_the_version_is_that_of_the_package():
    assert tcalc.__version__ == importlib.metadata.version("tcalc")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        tcalc.nothing  # noqa: B018


def test_an_expression_is_not_iterated_over():
    with pytest.raises(TypeError, match="not iterable"):
        list(tcalc.parse("x"))


@pytest.mark.parametrize("form", ["dense", "factored"])
def test_what_is_compiled_comes_back_as_it_was_given(form: Literal["dense", "factored"]):
    wanted = {"value": f, "first": [tcalc.gradient(f, ["X", "w"]), tcalc.hessian(f, "w")]}
    data = {"X": np.eye(2), "y": np.ones(2), "w": np.array([1.0, 2.0])}
    fun = tcalc.compile(wanted, form=form)
    copied = pickle.loads(pickle.dumps(fun)).bind(y=data["y"])
    for found in (fun(**data), copied(X=data["X"], w=data["w"])):
        assert list(found) == ["value", "first"]
        gradients, second = found["first"]
        assert list(gradients) == ["X", "w"]
        due = [tcalc.gradient(f, "X"), tcalc.gradient(f, "w"), tcalc.hessian(f, "w"), f]
        each = (gradients["X"], gradients["w"], second, found["value"])
        for x, expression in zip(each, due, strict=True):
            separate = tcalc.compile(expression)(**data)
            np.testing.assert_allclose(np.asarray(x), separate, rtol=1e-12)


def test_results_in_dictionaries_are_named_in_messages():
    fun = tcalc.compile([f, {"by w": tcalc.gradient(f, "w")}], check_finite=True)
    with np.errstate(all="ignore"), pytest.raises(DomainError, match=r"^result 1 has"):
        fun(X=np.full((2, 2), 1e200), y=np.zeros(2), w=np.full(2, 1e200))
    with pytest.raises(ArgumentError, match="an object of type int"):
        tcalc.compile({"value": f, "three": 3})
    with pytest.raises(ArgumentError, match="nothing to compile"):
        tcalc.compile({})


def test_sparse_data_are_told_who_takes_them():
    data = {"X": scipy.sparse.eye_array(2), "y": np.ones(2), "w": np.ones(2)}
    for use in (
        lambda: tcalc.evaluate(f, **data),
        lambda: tcalc.check(f, "w", data=data),
        lambda: tcalc.problem(f, "X", data),
    ):
        with pytest.raises(ArgumentError, match="X is a sparse matrix"):
            use()


def test_a_single_constraint_needs_no_list():
    data = {"X": np.eye(2), "y": np.zeros(2)}
    found = tcalc.problem(f, "w", data, constraints="sum(w) == 1").minimize()
    np.testing.assert_allclose(found.variables["w"], 0.5, rtol=1e-6)


@pytest.mark.parametrize(
    "show",
    [
        lambda: tcalc.check(f, "w"),
        lambda: tcalc.cost(f, "w"),
        lambda: tcalc.explain(f, "w"),
        lambda: tcalc.linearize(f, "w"),
    ],
    ids=["check", "cost", "explain", "linearize"],
)
def test_notebooks_show_reports_as_they_print(show):
    class Printer:
        def text(self, text):
            self.shown = text

    printer, made = Printer(), show()
    made._repr_pretty_(printer, cycle=False)
    assert printer.shown == str(made)


def test_what_functions_and_problems_are_is_read_off_them():
    assert repr(tcalc.compile(f).signature) == "<Signature(X[m, n], w[n], y[m])>"
    data = {"X": np.eye(2), "y": np.ones(2)}
    assert repr(tcalc.problem(f, "w", data)) == "<Problem(of w[2]; given X[2, 2], y[2])>"
    residuals = tcalc.problem(tcalc.parse("x*a - y", "x[n], y[n], a"), "a", {"x": [1], "y": [2]})
    assert repr(residuals) == "<Problem(residuals of a[]; given x[1], y[1])>"


def test_the_names_that_the_package_offers():
    names = dir(tcalc)
    assert names == sorted(names) and {*tcalc.__all__, "errors", "__version__"} <= {*names}
    assert all(getattr(tcalc, name) is not None for name in tcalc.__all__)
    assert tcalc.typing.Mode is not None  # a room, imported when it is asked for
    offered = {*tcalc.__all__, "errors", "typing"}
    described = str(tcalc.__doc__).partition("For those who change tcalc")[0]
    assert all(f"`{name}`" in described for name in tcalc.__all__)
    assert {name for name in names if not name.startswith("_")} == offered
    with pytest.raises(AttributeError, match="module 'tcalc' has no attribute 'grad'"):
        tcalc.grad  # noqa: B018


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("grad", "tcalc.gradient"),
        ("jacfwd", "tcalc.jacobian"),
        ("jit", "tcalc.compile"),
        ("exp", "tcalc.combine('exp(x)', x=x)"),
        ("dot", "tcalc.combine('dot(x, y)', x=x, y=y)"),
        ("where", "tcalc.combine('where(x < y, a, b)', x=x, y=y, a=a, b=b)"),
        ("scan", "tcalc.recurrence"),
        ("MatrixSymbol", "tcalc.symbols('A[m,n], x[n]')"),
        ("custom_jvp", "tcalc.function, with a derivative of its own"),
    ],
)
def test_names_of_other_packages_are_told_what_to_write(name, hint):
    with pytest.raises(AttributeError) as caught:
        getattr(tcalc, name)
    assert caught.value.args[0].endswith(hint) and caught.value.name == name
    with pytest.raises(AttributeError) as caught:
        getattr(f, name)
    assert caught.value.args[0].endswith(hint) and caught.value.obj is f


def test_functions_are_no_methods():
    methods = {x for x, hint in elsewhere.ATTRIBUTES.items() if hint == f"tcalc.{x}"}
    assert methods < {*tcalc.__all__}
    for name in methods:
        with pytest.raises(AttributeError, match=rf": tcalc\.{name}\Z"):
            getattr(f, name)


@pytest.mark.parametrize("name", ["dot", "einsum", "where", "stack", "sylvester", "max"])
def test_calls_that_combine_are_right(name):
    hint = habits.combining(name)
    names = [x.arg for x in ast.parse(hint, mode="eval").body.keywords]
    shape = {"einsum": "[n,n]", "where": "", "sylvester": "[n,n]"}.get(name, "[n]")
    operands = {x: tcalc.symbols(f"{x}{shape}") for x in names}
    assert isinstance(eval(hint, {"tcalc": tcalc, **operands}), tcalc.Expression)
    assert isinstance(eval(habits.combining("zeros"), {"tcalc": tcalc}), tcalc.Expression)


def test_other_attributes_are_missing_without_more_ado():
    assert not hasattr(f, "toarray") and not hasattr(f, "__array__")
    with pytest.raises(AttributeError, match=r"attribute 'toarray'\Z"):
        f.toarray  # noqa: B018


def test_all_blocks_of_a_hessian():
    model = tcalc.parse("norm2(X*b - y)^2/s^2", "X[m,n], b[n], y[m], s")
    blocks = tcalc.hessian(model, ["b", "s"], ["b", "s"])
    rows = tcalc.hessian(model, "b", ("s", "b"))
    assert blocks["b"]["s"].node is rows["s"].node
    data = {"X": np.eye(3)[:, :2], "b": [1.0, 2.0], "y": np.ones(3), "s": 2.0}
    found = tcalc.compile(blocks)(**data)
    np.testing.assert_allclose(found["b"]["b"], 0.5 * np.eye(2))
    np.testing.assert_allclose(found["b"]["s"], -2 * 2 / 8 * np.array([0.0, 1.0]))
    np.testing.assert_allclose(found["s"]["b"], found["b"]["s"])
    np.testing.assert_allclose(found["s"]["s"], 6 * 2 / 16)
    with pytest.raises(tcalc.errors.UnknownNameError):
        tcalc.hessian(model, ["b"], ["b", "z"])


def test_the_name_of_a_file_is_no_program():
    with pytest.raises(tcalc.errors.ParseError) as caught:
        tcalc.parse("models/ridge.tc")
    assert "Path('models/ridge.tc').read_text()" in caught.value.hint


def test_a_gradient_of_what_is_none_tells_the_guesses():
    with pytest.raises(tcalc.errors.DimensionError) as caught:
        tcalc.gradient(tcalc.parse("w'*mu - c", "w[n]"), "w")
    assert caught.value.hint.endswith("undeclared names were taken for mu, c")


@pytest.mark.parametrize("declarations", [["X[m,n]"], {"X": "m,n"}, None])
def test_declarations_are_a_text(declarations):
    with pytest.raises(tcalc.errors.ArgumentError) as caught:
        tcalc.parse("sum(X)", declarations)
    assert "K[n,n] spd" in caught.value.hint


def test_declarations_are_no_parameter():
    with pytest.raises(tcalc.errors.ArgumentError) as caught:
        tcalc.parse("X*w", declare="X[m,n]")
    assert "the second argument" in caught.value.hint


def test_what_is_no_name_of_the_package_is_not_imported():
    with pytest.raises(ImportError, match="cannot import name 'grad'"):
        from tcalc import grad  # noqa: F401
