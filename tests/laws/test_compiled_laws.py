"""Compiled code computes what the interpreter computes: every primitive and its derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from enrolled import SIZES, Case, cases

from tcalc.interpret import evaluate
from tcalc.runtime.compiled import compile as compile_nodes

CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_compiled_code_agrees_with_the_interpreter(case: Case) -> None:
    roots = [case.result, *case.first, *(H for row in case.second for H in row)]
    function = compile_nodes(roots, variables=case.arguments)
    values = case.data(SIZES[2])
    expected = evaluate(roots, values, SIZES[2])
    for dtype, tolerance in ((np.float64, 1e-10), (np.float32, 5e-3)):
        found = function(**{name: array.astype(dtype) for name, array in values.items()})
        for one, other in zip(found, expected, strict=True):
            assert one.dtype == dtype
            scale = 1 + np.max(np.abs(other), initial=0)
            np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * scale)
