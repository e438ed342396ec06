"""A call recorded as a CUDA graph, and replayed: one launch in place of many.

The arguments are copied into arrays that belong to the recording, the graph runs on the current
stream, and the results lie in its own memory.  What follows from that:

- There is one recording for each combination of sizes and types, made by the first call with it,
  which runs twice; a function keeps the latest `RECORDINGS`, each with the memory of its inputs,
  temporaries and results.
- A call overwrites the results of the one before it with the same sizes; copy what is to be kept.
- Steps that look at results, go through the host, or call cuBLAS or cuSOLVER, which CuPy does not
  let be recorded, are refused: so factorisations, eigenvalues and triangular systems.  Products
  of matrices run as kernels that are slower than cuBLAS, and large ones are refused.
- A function of the user's is recorded as it runs once, and must do nothing on the host.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from tcalc.errors import UnsupportedError

RECORDINGS = 8
"""How many recordings a function keeps."""


class Recording:
    """The launches of one call with certain sizes and types.

    `further` are what the function is given after the arrays; they must stay where they are.
    """

    def __init__(
        self,
        cupy: Any,
        function: Callable[..., Any],
        arrays: Sequence[Any],
        further: Sequence[Any] = (),
    ) -> None:
        self._cupy = cupy
        self._lock = threading.Lock()
        self._further = tuple(further)
        # Memory that others would get back from the common pool, a later replay would write to.
        self._pool = cupy.cuda.MemoryPool()
        stream = cupy.cuda.Stream(non_blocking=True)
        ready = cupy.cuda.get_current_stream().record()
        with cupy.cuda.using_allocator(self._pool.malloc), stream:
            stream.wait_event(ready)
            self._inputs = [cupy.array(x, order="C") for x in arrays]
            # Kernels are compiled, and memory is taken from the device, before the recording.
            function(*self._inputs, *self._further)
            stream.synchronize()
            stream.begin_capture()
            try:
                self._results = function(*self._inputs, *self._further)
            except Exception as error:
                with suppress(Exception):
                    stream.end_capture()
                raise _refused(error) from error
            try:
                self._graph = stream.end_capture()
            except Exception as error:
                raise _refused(error) from error

    def __call__(self, arrays: Sequence[Any]) -> Any:
        """The results for arrays of the same sizes and types, in the recording's memory."""
        with self._lock:
            for mine, array in zip(self._inputs, arrays, strict=True):
                self._cupy.copyto(mine, array)
            self._graph.launch(self._cupy.cuda.get_current_stream())
            return self._results


def _refused(error: Exception) -> UnsupportedError:
    return UnsupportedError(
        f"the call cannot be recorded as a CUDA graph: {error}", hint="compile without graph=True"
    )
