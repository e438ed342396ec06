"""Programs that once had a wrong value, or none, on one of the ways through tcalc."""

from __future__ import annotations

import numpy as np
import pytest

import tcalc
from tcalc.simplify import normal


@pytest.mark.parametrize("text", ["diag(A)[2] - 1", "s = A[i,i]*eye(n)[i,2]*x[i]"])
def test_elements_of_diagonals_are_taken(text):
    f = tcalc.parse(text, "A[n,n], x[n]")
    (node,) = normal([f.node])
    values = {"A": np.arange(9.0).reshape(3, 3), "x": np.array([1.0, 3.0, 5.0])}
    found, due = tcalc.evaluate([f.with_node(node), f], **values)
    assert found == due
