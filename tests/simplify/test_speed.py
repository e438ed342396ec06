"""Formulas are printed at once: under 50 ms of processor time for each derivative of a model.

`MARGIN` is for a busy machine.  What is long, the derivatives of unrolled series and some Hessians
of models with factorisations, has a bound by the size of its graph instead: of the unrolled series
it exceeds 50 ms.
"""

from __future__ import annotations

import statistics
import time

import pytest

import tcalc
from tcalc import gallery
from tcalc.expr.nodes import Node
from tcalc.expr.traverse import postorder
from tcalc.printing import program

SECONDS = 0.050
MARGIN = 1.6
SECONDS_A_NODE = 0.4e-3
"""What is allowed for each node of a graph, where that is more."""

PROGRAM = """
s{0} = x
for t = 1:T
    s{t} = s{t-1}.*x
end
sum(s{T})
"""


def _seconds(expression: tcalc.Expression, notation: str) -> float:
    """The median of three times to print, from scratch: nothing of the last time is kept."""
    times: list[float] = []
    for _ in range(3):
        program._tidied.cache_clear()
        start = time.process_time()
        if notation == "latex":
            expression.latex()
        else:
            expression.text("einstein" if notation == "einstein" else "auto")
        times.append(time.process_time() - start)
    return statistics.median(times)


def _bound(node: Node) -> float:
    return max(SECONDS, SECONDS_A_NODE * len(postorder([node])))


@pytest.mark.slow
@pytest.mark.parametrize("name", gallery.names())
def test_printing_a_derivative_of_a_model_takes_no_time(name: str) -> None:
    model = gallery.load(name)
    model_program = tcalc.parse(model.program)
    for variable in model.wrt:
        for order in (1, 2) if not model_program.shape else (1,):
            found = tcalc.derivative(model_program, *[variable] * order)
            for notation in ("auto", "einstein", "latex"):
                spent = _seconds(found, notation)
                assert spent < MARGIN * _bound(found.node), f"{variable}, {order}, {notation}"


@pytest.mark.slow
def test_a_chain_of_products_prints_in_linear_time() -> None:
    seconds: list[float] = []
    for steps in (1_000, 10_000):  # more than what is kept of other formulas
        chain = tcalc.parse(PROGRAM, "x[n]", T=steps)
        assert str(chain) == f"sum(x.^{steps + 1})"
        seconds.append(_seconds(chain, "auto"))
    assert seconds[1] < 13 * seconds[0]
