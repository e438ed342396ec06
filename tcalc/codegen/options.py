"""How a function is to be computed, apart from what it computes.

One value goes with a function from `tcalc.compile` to the text of its modules: what lowers reads
its `reorder`, what writes its `contiguous`, what runs its `check_finite`.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from tcalc.errors import ArgumentError, UnsupportedError
from tcalc.records import dataclass

Backend: TypeAlias = Literal["numpy", "c", "cupy"]
"""What runs: NumPy; C, for small arrays of NumPy's; or CuPy on a CUDA device."""
BACKENDS: tuple[Backend, ...] = get_args(Backend)
HostBackend: TypeAlias = Literal["numpy", "c"]
"""What runs on arrays of NumPy's."""
HOST_BACKENDS: tuple[HostBackend, ...] = get_args(HostBackend)
MEMORY_LIMIT = 8 * 2**30
"""The most bytes that the results of one call may take, unless another limit is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a function is computed.

    Raises `UnsupportedError` for a backend that is not there, and `ArgumentError` for options that
    contradict each other.
    """

    backend: Backend = "numpy"
    """What runs, and so the library of the arrays that are taken and returned."""
    contiguous: bool = False
    """Whether results lie in memory in row-major order; else they may be transposed views."""
    reuse: bool = False
    """Whether a call may overwrite the results of the one before; calls must not overlap then."""
    check_finite: bool = False
    """Whether NaN and infinities are refused, in arguments and in results."""
    memory_limit: float | None = MEMORY_LIMIT
    """The most bytes for results and temporaries of a call; None is no limit."""
    reorder: bool = True
    """Whether products are multiplied in the order that is planned, not in that of the graph."""
    checked: bool = True
    """Whether code for devices looks whether factorisations succeeded, and so waits for them."""
    graph: bool = False
    """Whether calls on a device are recorded, see `tcalc.runtime.recording`."""

    def __post_init__(self) -> None:
        if not isinstance(self.backend, str):
            kind = type(self.backend).__name__
            raise ArgumentError(
                f"a backend is a str, not an object of type {kind}",
                hint="several expressions are compiled as a list: compile([f, g])",
            )
        if self.backend not in BACKENDS:
            raise UnsupportedError(
                f"there is no backend {self.backend!r}", hint=f"backends: {', '.join(BACKENDS)}"
            )
        if self.graph and self.backend != "cupy":
            raise ArgumentError(
                f'graph=True records calls on a device, and the backend is "{self.backend}"',
                hint='give backend="cupy", or leave out graph=True',
            )

    @property
    def keeps_memory(self) -> bool:
        """Whether the function itself keeps memory between calls; CuPy's pool does of itself."""
        return self.reuse and self.backend == "numpy"


DEFAULTS = Options()
