"""What is printed parses to the same tensor."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from printed_programs import (
    EXAMPLES,
    VARIABLES,
    Example,
    M,
    N,
    declarations,
    same_value,
    tensors,
)

from tcalc.expr.nodes import Node
from tcalc.language import parse
from tcalc.printing import to_text

SHAPES = ((), (N,), (M,), (M, N), (N, N))


@pytest.mark.parametrize("notation", ["matrix", "einstein"])
@pytest.mark.parametrize(("cse", "simplify"), [("auto", True), (True, True), ("auto", False)])
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.text)
def test_examples_come_back(example: Example, cse: bool, simplify: bool, notation: str) -> None:
    variables = example.variables
    for node in example.derivatives():
        text = to_text(node, notation=notation, order=example.order, cse=cse, simplify=simplify)
        back = parse(text, declarations(variables)).value
        assert same_value(node, back, variables), text


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(
    st.sampled_from(SHAPES).flatmap(tensors),
    st.sampled_from(["matrix", "einstein"]),
    st.booleans(),
)
def test_random_tensors_come_back(node: Node, notation: str, simplify: bool) -> None:
    order = [v.name for v in VARIABLES]
    text = to_text(node, notation=notation, order=order, simplify=simplify)
    back = parse(text, declarations(VARIABLES)).value
    assert same_value(node, back, VARIABLES), text
