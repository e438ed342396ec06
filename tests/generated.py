"""The modules that tcalc generates, as tests read them."""

from __future__ import annotations

import ast
from typing import Protocol


class Generated(Protocol):
    """What has a generated module."""

    @property
    def source(self) -> str: ...


def body(function: Generated, name: str = "compute") -> str:
    """The text of one of the functions of a module: of the straight line, if no other is named."""
    source = function.source
    (found,) = (x for x in ast.parse(source).body if getattr(x, "name", None) == name)
    text = ast.get_source_segment(source, found)
    assert text is not None
    return text
