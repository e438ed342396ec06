"""What printing needs goes when it is done: nothing waits for Python's cyclic collector."""

from __future__ import annotations

import gc

import tcalc


def test_a_result_without_matrix_notation_leaves_no_cycles() -> None:
    hessian = tcalc.hessian(tcalc.parse("tr(X*X*X*X)", "X[n,n]"), "X")
    assert "[i,j,k,l]" in hessian.text(), "matrix notation is tried first, and given up"
    gc.collect()
    gc.disable()
    try:
        hessian.latex()
        assert gc.collect() == 0
    finally:
        gc.enable()
