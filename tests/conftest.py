"""What all tests share."""

from __future__ import annotations

import importlib
import io
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

STATES: dict[int, Any] = {}
"""The states of the generators of test modules before their first test."""


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let each test draw the numbers that it draws when it runs alone.

    Those of a generator of its module would else depend on the tests that ran before it, which are
    others on each worker.
    """
    numpy = sys.modules.get("numpy")
    for value in vars(getattr(item, "module", None) or object).values() if numpy else ():
        if isinstance(value, numpy.random.Generator):
            state = STATES.setdefault(id(value), value.bit_generator.state)
            value.bit_generator.state = state


@pytest.fixture(scope="session")
def jax() -> Any:
    """JAX in double precision.

    Where it is not installed the test is skipped, unless TCALC_REQUIRE_JAX is set, as it is in
    continuous integration: then it fails.
    """
    if os.environ.get("TCALC_REQUIRE_JAX"):
        module = importlib.import_module("jax")
    else:
        module = pytest.importorskip(
            "jax", reason="JAX is not installed; pip install -e '.[oracle]' adds it"
        )
    module.config.update("jax_enable_x64", True)
    return module


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Outcome]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run ``tcalc`` with the given arguments; no traceback may escape, whatever they are."""

    from tcalc.cli import main

    def call(*arguments: str, stdin: bytes = b"") -> Outcome:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as end:
            main(arguments)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        assert "internal error" not in out + err, out + err
        assert isinstance(end.value.code, int)
        return Outcome(end.value.code, out, err)

    return call
