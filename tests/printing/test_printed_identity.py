"""What is printed parses back to the same node.

Precisely: let x be what the printer writes, the tensor tidied.  Then ``normal(parse(text))`` is
``normal(x)``, the same object, where `tcalc.simplify.normal` settles what no formula says: the
order of the axes of what stands inside, and how products of products are nested.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from printed_programs import EXAMPLES, VARIABLES, Example, M, N, declarations, tensors

import tcalc
from tcalc import gallery
from tcalc.expr.nodes import Node
from tcalc.language import parse
from tcalc.printing import to_text
from tcalc.printing.program import written
from tcalc.simplify import normal

NOTATIONS = ("auto", "einstein")


def comes_back(node: Node, declared: str, order: Sequence[str], notation: Any, cse: Any) -> bool:
    text = to_text(node, notation=notation, order=order, cse=cse)
    (read,) = normal([parse(text, declared).value])
    (due,) = normal(written([node], cse, notation)[0])
    return read is due


@pytest.mark.parametrize("notation", NOTATIONS)
def test_numbers_before_a_sum_do_not_decide_the_order_of_its_axes(notation: str) -> None:
    declared = "K[n,n] spd, y[n]"
    value = tcalc.parse("inv(K)[a,b]*y[a]*y[b]", declared)
    mixed = tcalc.derivative(value, "K", "y").node
    assert comes_back(mixed, declared, "Ky", notation, "auto")


@pytest.mark.parametrize("notation", NOTATIONS)
@pytest.mark.parametrize("cse", ["auto", True])
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.text)
def test_examples_come_back_identically(example: Example, cse: Any, notation: str) -> None:
    declared = declarations(example.variables)
    for node in example.derivatives():
        assert comes_back(node, declared, example.order, notation, cse)


@pytest.mark.parametrize("model", gallery.models(), ids=lambda model: model.name)
def test_first_derivatives_of_models_come_back_identically(model: gallery.Model) -> None:
    _check_model(model, (0, 1))


@pytest.mark.slow
@pytest.mark.parametrize("model", gallery.models(), ids=lambda model: model.name)
def test_hessians_of_models_come_back_identically(model: gallery.Model) -> None:
    _check_model(model, (2,))


def _check_model(model: gallery.Model, orders: Sequence[int]) -> None:
    program = tcalc.parse(model.text)
    declared = declarations(program.variables.values())
    for name in model.wrt:
        for order in orders:
            if order == 2 and program.shape:
                continue
            node = tcalc.derivative(program, *[name] * order).node if order else program.node
            for notation in NOTATIONS:
                assert comes_back(node, declared, list(program.variables), notation, "auto")


SHAPES = ((), (N,), (M,), (M, N), (N, N))


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(st.sampled_from(SHAPES).flatmap(tensors), st.sampled_from(NOTATIONS), st.booleans())
def test_random_tensors_come_back_identically(node: Node, notation: str, cse: bool) -> None:
    order = [variable.name for variable in VARIABLES]
    assert comes_back(node, declarations(VARIABLES), order, notation, cse or "auto")
