"""Functions whose source is copied into generated modules."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any

from tcalc import codegen, primitives
from tcalc.codegen.targets.target import source_of


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
