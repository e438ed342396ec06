"""What is lifted to all steps at once is what each step makes: every primitive, its derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from enrolled import SIZES, Case, cases

from tcalc.expr import Dim
from tcalc.expr.nodes import Node
from tcalc.interpret import evaluate
from tcalc.recurrences.lifting import Lifted, input_of_steps

CASES = cases()
STEPS = 4


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_steps_at_once_are_steps_one_by_one(case: Case) -> None:
    if not case.arguments:
        return
    steps = Dim.of("steps")
    sizes = {**SIZES[2], "steps": STEPS}
    rows = [case.data(SIZES[2], seed) for seed in range(STEPS)]
    roots = [case.result, *case.first]
    # All arguments are others in each step, then each of them alone.
    for moving in (case.arguments, *((x,) for x in case.arguments)):
        wide: dict[Node, Node] = {x: input_of_steps(x, f"{x.name}_all", steps) for x in moving}
        values: dict[str, Any] = dict(rows[0])
        values |= {f"{x.name}_all": np.stack([row[x.name] for row in rows]) for x in moving}
        lifted = Lifted(wide, steps)
        for root, together in zip(roots, lifted.of(roots), strict=True):
            assert together is not None, case.id
            (found,) = evaluate([together], values, sizes)
            own = [rows[0] | {x.name: row[x.name] for x in moving} for row in rows]
            due = np.stack([evaluate([root], each, SIZES[2])[0] for each in own])
            if not lifted.varies(root):
                found = np.broadcast_to(found, due.shape)
            scale = 1 + np.max(np.abs(due), initial=0)
            np.testing.assert_allclose(found, due, rtol=1e-9, atol=1e-9 * scale)
