"""What tests of loops in C look at."""

from __future__ import annotations

from typing import Any

import pytest

from tcalc.recurrences import one_call


@pytest.fixture
def by_one_call(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each run of a loop, in one direction or both, whether one call of C has done it."""
    found: list[bool] = []
    run = one_call.OneCall.__call__

    def noted(*arguments: Any) -> Any:
        results = run(*arguments)
        found.append(results is not None)
        return results

    monkeypatch.setattr(one_call.OneCall, "__call__", noted)
    return found
