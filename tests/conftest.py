"""What all tests share."""

from __future__ import annotations

import importlib
import os
from typing import Any

import pytest


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
