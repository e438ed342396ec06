"""Functions whose source is copied into generated modules."""

import importlib
import inspect
import linecache
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tcalc import codegen, primitives
from tcalc.codegen.targets.target import source_of
from tcalc.errors import UnsupportedError


def functions() -> Iterator[Any]:
    """All functions of the modules that have routines."""
    for package in (primitives, codegen):
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(found.name)
            for function in vars(module).values():
                if inspect.isfunction(function) and function.__module__ == module.__name__:
                    yield inspect.unwrap(function)


def test_a_function_ends_where_its_code_does() -> None:
    found = [x for x in functions() if x.__code__.co_filename != "<string>"]
    assert len(found) > 300
    for function in found:
        if function.__name__ != "<lambda>":
            assert source_of(function) == inspect.getsource(function), function


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def first", "# a line more, as after an upgrade\ndef first"),
        ("x + 1", "x + 2"),
        ("return x + 1", "return (x +"),
    ],
)
def test_files_that_change_while_python_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, after: str
) -> None:
    file = tmp_path / "upgraded.py"
    text = "def first(x):\n    return x + 1\n\n\ndef second(x):\n    return x - 1\n"
    file.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "upgraded", raising=False)
    module = importlib.import_module("upgraded")
    assert source_of(module.second) == text[text.index("def second") :]
    file.write_text(text.replace(before, after))
    linecache.clearcache()
    with pytest.raises(UnsupportedError, match=r"upgraded\.first .*not that of") as caught:
        source_of(module.first)
    assert caught.value.hint == "start Python anew"
    assert source_of(module.second) == text[text.index("def second") :]  # as it was read


def test_programs_without_source_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "frozen.py"
    file.write_text("def first(x):\n    return x + 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("frozen")
    file.unlink()
    linecache.clearcache()
    monkeypatch.setitem(vars(module), "__loader__", None)
    with pytest.raises(UnsupportedError, match=r"frozen\.first") as caught:
        source_of(module.first)
    assert "py files" in str(caught.value.hint)
