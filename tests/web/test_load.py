"""The server under load: see `load.py`, which prints what it measures."""

from __future__ import annotations

import asyncio

import pytest
from load import HOSTILE, attack


@pytest.mark.slow
def test_small_requests_are_answered_beside_hostile_ones(address):
    outcome = asyncio.run(attack(address, rate=200, seconds=12))
    assert not outcome.wrong, outcome
    assert outcome.p99 < 0.25, outcome
    assert all(": proper" in what for what in outcome.hostile), outcome
    assert {what.partition(":")[0] for what in outcome.hostile} == set(HOSTILE)
