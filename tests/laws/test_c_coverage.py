"""What `tcalc functions` says of C is what the code generator does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import pytest
from enrolled import FURTHER, Case, cases

import tcalc
from tcalc.codegen.c import c_module
from tcalc.codegen.c.coverage import coverage
from tcalc.codegen.lower import lower
from tcalc.codegen.options import Options
from tcalc.codegen.signature import signature_of
from tcalc.errors import UnsupportedError
from tcalc.expr.nodes import Node
from tcalc.primitives.elementwise import Elementwise
from tcalc.primitives.normal import LogNormcdfDerivative, hazard, hazard_slope

SIZES = {"b": 2, "n": 3, "m": 2, "k": 2, "t": 3}


def is_written(case: Case, roots: Sequence[Node]) -> bool:
    signature = signature_of(roots, case.arguments)
    sizes = {name: SIZES[name] for name in signature.sizes}
    try:
        c_module(lower(roots, sizes, Options(backend="c")), signature, sizes)
    except UnsupportedError:
        return False
    return True


@pytest.mark.parametrize(
    ("function", "told"),
    [(hazard, "all"), (hazard_slope, "value"), (LogNormcdfDerivative(3), "none")],
)
def test_what_is_told_of_a_function(function: Elementwise, told: str):
    assert coverage(function.function) == told


def test_what_has_no_code_is_told():
    values: defaultdict[str, set[bool]] = defaultdict(set)
    slopes: defaultdict[str, set[bool]] = defaultdict(set)
    for case in cases()[: -len(FURTHER)]:
        name = case.id.partition("-")[0].partition("[")[0]
        values[name].add(is_written(case, [case.result]))
        slopes[name].add(is_written(case, case.first))
    assert len(values) > 100
    for name in values:
        told = tcalc.functions()[name].in_c
        if not all(values[name]):
            assert told == "no code", name
        else:
            assert told == ("" if all(slopes[name]) else "value alone"), name
