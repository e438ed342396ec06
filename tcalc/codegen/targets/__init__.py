"""The array libraries that programs are written for, each one a `Target`."""

from __future__ import annotations

from tcalc.codegen.targets.cupy import CuPy
from tcalc.codegen.targets.numpy import NumPy
from tcalc.codegen.targets.target import Target, Writer
from tcalc.errors import UnsupportedError

__all__ = ["CuPy", "NumPy", "Target", "Writer", "target_named"]

_TARGETS = {"numpy": NumPy, "cupy": CuPy}


def target_named(name: str) -> Target:
    """The target of a backend; raises `UnsupportedError` for one that is not there."""
    if name not in _TARGETS:
        raise UnsupportedError(
            f"the backend {name!r} is not built yet", hint="backends: " + ", ".join(_TARGETS)
        )
    return _TARGETS[name]()
