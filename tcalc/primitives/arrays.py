"""NumPy and SciPy, imported when they are first used.

Printing a derivative must not pay for array libraries (SciPy's linear algebra alone takes most
of a second to import), so primitives take `np`, `linalg` and `special` from here: proxies that
type checkers see as the real modules.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

__all__ = ["Array", "NumPyArray", "linalg", "np", "special"]

Array: TypeAlias = Any
"""An array of the backend: its element type is known when it runs, not when it is written."""

NumPyArray: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
"""An array of NumPy's, of any shape and type, where no other backend can be."""

if TYPE_CHECKING:
    import numpy as np
    import scipy.linalg as linalg
    import scipy.special as special
else:

    class _Lazy:
        """A module that is imported when one of its names is first asked for."""

        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, attribute: str) -> Any:
            value = getattr(import_module(self._name), attribute)
            if not attribute.startswith("__"):
                setattr(self, attribute, value)
            return value

    np = _Lazy("numpy")
    linalg = _Lazy("scipy.linalg")
    special = _Lazy("scipy.special")
