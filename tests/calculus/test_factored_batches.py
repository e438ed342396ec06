"""Factored derivatives of sums over data: one core for all that the rows of data hold together."""

from __future__ import annotations

import numpy as np
import pytest

import tcalc
from tcalc.calculus import factored_terms

PROGRAM = """
tensor X[b,n], Y[b,n], W[n,n], V[2,n,n]
H[s,i] = {0}(X[s,j]*W[i,j])
G[s,i] = {0}(H[s,j]*V[1,i,j])
Z[s,i] = G[s,j]*V[2,i,j]
-sum(Y .* logsoftmax(Z)) / b
"""


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_the_first_layer_of_a_net_has_its_inputs_and_one_core(activation):
    # X[s,j] S[s,i,k] X[s,l]
    f = tcalc.parse(PROGRAM.format(activation))
    H = tcalc.hessian(f, "W")
    (term,) = factored_terms(H.node)
    shapes = sorted("".join(sorted(map(str, x.dims))) for x in term.factors if x.order)
    assert shapes == ["bn", "bn", "bnn"]
    rng = np.random.default_rng(0)
    data = {
        name: rng.normal(size=[{"b": 4, "n": 3}.get(str(d), d.value) for d in v.dims])
        for name, v in f.variables.items()
    }
    found = tcalc.compile(H, form="factored")(**data)
    np.testing.assert_allclose(found.dense(), tcalc.evaluate(H, **data), rtol=1e-9, atol=1e-12)
    assert found.nbytes <= 8 * (1 + 4 * 3 + 4 * 3 * 3)
