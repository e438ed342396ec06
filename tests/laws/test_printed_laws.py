"""Every primitive that a derivative can bring in is written in a form that parses back."""

from __future__ import annotations

import enrolled
import numpy as np
import pytest

from tcalc import interpret
from tcalc.calculus import derivative
from tcalc.expr.nodes import Node
from tcalc.language import parse
from tcalc.printing import to_text

CASES = [case for case in enrolled.cases() if not case.id.startswith("symbolic")]
"""All but users' element-wise functions, whose derivatives have no names in the language."""

SIZES = enrolled.SIZES[2]
LARGEST = 10**5

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def declarations(case: enrolled.Case) -> str:
    return ", ".join(" ".join((repr(x), *x.properties)) for x in case.arguments)


def comes_back(case: enrolled.Case, node: Node) -> None:
    for notation in ("einstein", "auto"):
        text = to_text(node, notation=notation)
        back = parse(text, declarations(case)).value
        assert back.dims == node.dims, text
        elements = np.prod([dim.evaluate(SIZES) for dim in node.dims])
        if elements <= LARGEST:
            due, found = interpret.evaluate([node, back], case.data(SIZES), SIZES)
            np.testing.assert_allclose(found, due, rtol=1e-7, atol=1e-9, err_msg=text)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_functions_and_their_derivatives_come_back(case: enrolled.Case) -> None:
    for node in (case.result, *case.first):
        comes_back(case, node)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_second_and_third_derivatives_come_back(case: enrolled.Case) -> None:
    x = case.arguments[0]
    second = derivative(case.first[0], [x])
    comes_back(case, second)
    if case.first[0].order <= 4:
        comes_back(case, derivative(second, [x]))
