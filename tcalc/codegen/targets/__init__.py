"""The array libraries that programs are written for, each one a `Target`."""

from __future__ import annotations

from tcalc.codegen.targets.numpy import NumPy
from tcalc.codegen.targets.target import Target, Writer
from tcalc.errors import UnsupportedError

__all__ = ["NumPy", "Target", "Writer", "target_named"]


def target_named(name: str, checked: bool = True, graph: bool = False) -> Target:
    """The target of a backend; raises `UnsupportedError` for one that is not there.

    Without `checked` code for devices leaves out the checks that wait for results; for a `graph` it
    has only steps that can be recorded.
    """
    match name:
        case "numpy":
            return NumPy()
        case "cupy":
            # Imported here, so that nobody else waits for it.
            from tcalc.codegen.targets.captured import CapturedCuPy
            from tcalc.codegen.targets.cupy import CuPy

            return CapturedCuPy(checked) if graph else CuPy(checked)
        case _:
            raise UnsupportedError(f"there is no backend {name!r}", hint="backends: numpy, cupy")
