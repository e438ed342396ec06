"""The scripts of the page: those that need no page run in node, and TypeScript checks their types.

Node comes with Playwright where it is not installed.  TypeScript is looked for on the path and at
``TCALC_TSC``: ``npm install typescript`` adds it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def node() -> str | None:
    """Node, from the path or from Playwright."""
    spec = find_spec("playwright")
    places = spec.submodule_search_locations if spec is not None else None
    brought = shutil.which("node", path=str(Path(places[0]) / "driver")) if places else None
    return shutil.which("node") or brought


def run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_modules_that_need_no_page() -> None:
    found = node()
    if found is None:
        pytest.skip("there is no node; pip install -e '.[browser]' brings it")
    run(found, "--test", HERE / "scripts.test.mjs")


def test_the_types_hold() -> None:
    compiler = os.environ.get("TCALC_TSC") or shutil.which("tsc")
    if compiler is None:
        pytest.skip("there is no TypeScript; npm install typescript adds it")
    run(compiler, "--project", ROOT / "web" / "jsconfig.json")
