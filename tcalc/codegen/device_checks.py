"""What a generated module for devices does with its arguments; its source is copied there."""

from __future__ import annotations

from typing import Any

from tcalc.primitives.arrays import Array, np


def device_arrays(**arguments: Any) -> list[Array]:
    """The arguments as arrays of one floating-point type; plain numbers follow the arrays."""
    types = []
    for name, argument in arguments.items():
        if isinstance(argument, np.ndarray):
            if argument.dtype.kind not in "biuf":
                message = f"{name} has the type {argument.dtype}, and should have real numbers"
                raise TypeError(message)
            types.append(argument.dtype if argument.dtype.kind == "f" else np.dtype(float))
        elif isinstance(argument, bool) or not isinstance(argument, (int, float)):
            kind = f"{type(argument).__module__}.{type(argument).__name__}"
            raise TypeError(
                f"{name} is a {kind}, and should be on the device: cupy.asarray({name})"
            )
    wide = np.result_type(*types, np.float32) if types else np.dtype(float)
    return [np.asarray(argument, dtype=wide) for argument in arguments.values()]
