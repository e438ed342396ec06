"""The array libraries that code can be generated for, each described by a `Target`."""

from __future__ import annotations

from typing import assert_never

from tcalc.codegen.options import Options
from tcalc.codegen.targets.numpy import NumPy
from tcalc.codegen.targets.target import Target, Writer

__all__ = ["NumPy", "Target", "Writer", "target_of"]


def target_of(options: Options) -> Target:
    """The target of a backend.

    Without `checked` code for devices leaves out the checks that wait for results; for a `graph` it
    has only steps that can be recorded.
    """
    match options.backend:
        case "numpy" | "c":
            return NumPy()
        case "cupy":
            # Imported here, so that nobody else waits for it.
            from tcalc.codegen.targets.captured import CapturedCuPy
            from tcalc.codegen.targets.cupy import CuPy

            return (CapturedCuPy if options.graph else CuPy)(options.checked)
        case _:
            assert_never(options.backend)
