"""The collector is paused inside and as it was afterwards, whatever happens."""

from __future__ import annotations

import gc

import pytest

from tcalc.expr.collector import collector_paused


def test_pauses_nest_and_end_with_the_outermost():
    assert gc.isenabled()
    with collector_paused():
        with collector_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_an_error_resumes_it():
    with pytest.raises(ZeroDivisionError), collector_paused():
        raise ZeroDivisionError
    assert gc.isenabled()


def test_a_paused_collector_stays_paused():
    gc.disable()
    try:
        with collector_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_it_decorates():
    @collector_paused()
    def enabled() -> bool:
        return gc.isenabled()

    assert not enabled()
    assert not enabled()
    assert gc.isenabled()
