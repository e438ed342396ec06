"""The blocks of linearised graphs: operators that keep their laws, for every primitive."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from enrolled import SIZES, Case, cases

from tcalc.backslash import Block, linearised
from tcalc.calculus import unit
from tcalc.expr import build
from tcalc.expr.nodes import Const, Node
from tcalc.interpret import evaluate

CASES = cases()
every_case = pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
SIZE = SIZES[2]


def flat(array: Any, rows: int) -> Any:
    """An array as a matrix: its first axes are the rows."""
    size = int(np.prod(array.shape[:rows]))
    return np.reshape(array, (size, -1))


def matrices(block: Block, values: dict[str, Any]) -> list[Any]:
    """A block and its adjoint, as applied to unit tensors and as dense tensors."""
    adjoint = block.adjoint
    nodes = [
        block.apply(unit(block.columns)),
        block.dense(),
        adjoint.apply(unit(block.rows)),
        adjoint.dense(),
        adjoint.adjoint.dense(),
    ]
    ends = [block.rows, block.rows, block.columns, block.columns, block.rows]
    found = evaluate(nodes, values, SIZE)
    return [flat(array, len(end)) for array, end in zip(found, ends, strict=True)]


@every_case
def test_blocks_are_operators_with_adjoints(case: Case) -> None:
    values = case.data(SIZE)
    system = linearised([case.result], case.arguments, steps="operations")
    assert system.blocks or all(isinstance(D, Const) for D in case.first)
    for block in system.blocks.values():
        applied, dense, turned, dense_turned, again = matrices(block, values)
        np.testing.assert_allclose(applied, dense, rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(turned, dense_turned, rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(dense.T, dense_turned, rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(again, dense, rtol=1e-9, atol=1e-10)
        assert block.notation(lambda node: "X") and block.adjoint.notation(lambda node: "X")


@every_case
def test_both_substitutions_give_the_derivative(case: Case) -> None:
    values = case.data(SIZE)
    for steps in ("functions", "operations"):
        system = linearised([case.result], case.arguments, steps=steps)
        reverse = system.reverse({case.result: unit(case.result.dims)}, case.result.dims)
        for x, expected in zip(case.arguments, case.first, strict=True):
            forward = system.forward({x: unit(x.dims)}, x.dims)[case.result]
            back = turned_back(reverse[x], x.order)
            wanted, *found = evaluate([expected, forward, back], values, SIZE)
            for array in found:
                np.testing.assert_allclose(array, wanted, rtol=1e-8, atol=1e-9)


def turned_back(node: Node, last: int) -> Node:
    """The tensor with its first `last` axes behind the others."""
    axes = tuple(range(node.order))
    return build.transpose(node, axes[last:] + axes[:last])
