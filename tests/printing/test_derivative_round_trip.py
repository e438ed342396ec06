"""Derivatives of random functions, printed in both notations, parse to the same tensors."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from printed_programs import VARIABLES, M, N, declarations, same_value, tensors

import tcalc
from tcalc.calculus import derivative
from tcalc.expr.nodes import Node, Var
from tcalc.expr.traverse import variables
from tcalc.language import parse
from tcalc.printing import to_text

SHAPES = ((), (), (N,), (M, N))


@st.composite
def derivatives(draw: st.DrawFn) -> Node:
    """A random tensor differentiated once or twice, in one of the modes."""
    root = draw(st.sampled_from(SHAPES).flatmap(lambda dims: tensors(dims, 2)))
    inputs = [v for v in VARIABLES if v in variables([root])] or list(VARIABLES[:1])
    wrt: list[Var] = [draw(st.sampled_from(inputs))]
    if root.order + wrt[0].order < 3 and draw(st.booleans()):
        wrt.append(draw(st.sampled_from(inputs)))
    return derivative(root, wrt, mode=draw(st.sampled_from(["forward", "reverse"])))


@settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(
    derivatives(),
    st.sampled_from(["matrix", "einstein"]),
    st.sampled_from([("auto", True), (True, True), ("auto", False)]),
)
def test_random_derivatives_come_back(
    node: Node, notation: str, written: tuple[bool | str, bool]
) -> None:
    cse, simplify = written
    order = [v.name for v in VARIABLES]
    text = to_text(node, notation=notation, order=order, cse=cse, simplify=simplify)
    back = parse(text, declarations(VARIABLES)).value
    assert same_value(node, back, VARIABLES), text


# What once came back as something else.
AWKWARD = [
    ("sum(A*x)/(1 + sum(A*A')^2)", "A[m,n], x[n]", ["A", "A"]),
    ("tr(softmax(D))", "D[n,n] symmetric", ["D"]),
    ("(softmax(diag(eye(n))))'*(sin(x.*u - 2))", "x[n], u[n]", ["u"]),
    ("hessian(norm2(A*X - B)^4, X) \\ gradient(norm2(A*X - B)^2, X)", "A[m,k], X[k,n]", []),
    ("h[j] = (inv(A*B))[k,i]*A[i,k]*B[k,j]", "A[n,n], B[n,n]", []),
]


@pytest.mark.parametrize("notation", ["matrix", "einstein"])
@pytest.mark.parametrize("mode", ["forward", "reverse"])
@pytest.mark.parametrize(("text", "declared", "wrt"), AWKWARD)
def test_awkward_formulas_come_back(
    text: str, declared: str, wrt: list[str], mode: str, notation: str
) -> None:
    value = tcalc.parse(text, declared)
    node = derivative(value.node, [value.variables[name] for name in wrt], mode=mode)
    inputs = list(value.variables.values())
    printed = to_text(node, notation=notation)
    assert same_value(node, parse(printed, declarations(inputs)).value, inputs), printed


def test_numbers_stay_short_where_contents_multiply() -> None:
    steps = "s{0} = x\nfor t = 1:400\ns{t} = s{t-1} + 0.001*s{t-1}.*w\nend\nsum(s{400})"
    gradient = tcalc.gradient(tcalc.parse(steps, "x[n], w[n]"), "w")
    assert max(map(len, re.findall(r"\d+", str(gradient)))) < 60
