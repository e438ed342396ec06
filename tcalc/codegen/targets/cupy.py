"""Programs as CuPy: the arrays stay on the device, and element-wise steps become one kernel.

The straight line is NumPy's, with three differences:

- Groups of element-wise statements are `ElementwiseKernel` objects of the module, with the sum over
  axes that ends a group in a `ReductionKernel`; a launch takes longer than most of their work.
- Functions that the module embeds are those of NumPy, respelled (`porting`), unless a primitive's
  file gives one for devices.  Where CuPy has no routine at all (a Schur form), the function goes
  through the host, and says so.
- What a group of statements needs is arranged for devices first: see `tcalc.codegen.launches`.
- The memory of an operand is written into only where that saves a copy.

With checks (the default) a matrix that cannot be factorised raises, as on the host, for which each
factorisation waits for the device.  Without, nothing waits, and such a matrix gives NaN.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from tcalc.codegen import checks, device, device_checks
from tcalc.codegen.fusion import fused, inputs
from tcalc.codegen.launches import arranged
from tcalc.codegen.program import Call, Fused, Program, Solver, Statement, Value, View
from tcalc.codegen.targets.kernels import bare, steps_text, translatable
from tcalc.codegen.targets.numpy import NumPy
from tcalc.codegen.targets.porting import ported
from tcalc.codegen.targets.target import Writer, embed_all
from tcalc.primitives.distances import squared_distances
from tcalc.primitives.routines import Embedded


class CuPy(NumPy):
    """The target for CuPy arrays."""

    name = "cupy"
    module = "cp"
    dotted = 0
    laid_out = 0
    concatenates = False
    arrays = "CuPy arrays of float32 or float64"
    imports: ClassVar[Mapping[str, str]] = {
        "cp.": "import cupy as cp",
        "numpy.": "import numpy",
        "linalg.": "from cupyx.scipy import linalg",
        "special.": "from cupyx.scipy import special",
        "host.": "from scipy import linalg as host",
    }
    argument = "Array"
    array = number = "cp.ndarray"
    integers_follow = False  # each call would wait for a look at their values

    def __init__(self, checked: bool = True) -> None:
        self.checked = checked

    def prepared(self, program: Program) -> Program:
        return fused(arranged(program), writable)

    def notes(self, functions: Collection[Callable[..., Any]]) -> list[str]:
        if device.sylvester_schur not in functions:
            return []
        return ["Through the host, where matrices are not symmetric: sylvester_schur."]

    def spelled(self, code: str) -> str:
        return ported(code, checked=True)

    def source(self, function: Callable[..., Any]) -> str:
        text = super().source(function)
        of_arguments = function.__module__ in (checks.__name__, device_checks.__name__)
        return text if self.checked or of_arguments else ported(text, checked=False)

    def embedded(self, function: Callable[..., Any], solver: Solver | None, writer: Writer) -> str:
        if solver is Solver.SPD and function in device.OF_CHOLESKY:
            return writer.embed(device.OF_CHOLESKY[function])
        if solver is Solver.GENERAL and function in device.OF_LU:
            return writer.embed(device.OF_LU[function])
        if function is checks.as_arrays:
            return writer.embed(device_checks.device_arrays)
        return embed_all(device.VARIANTS.get(function, (function,)), writer)

    def write(
        self,
        statement: Statement,
        names: tuple[str, ...],
        writer: Writer,
        over: Value | None,
    ) -> list[str]:
        if isinstance(statement.operation, Fused):
            return [f"{names[0]} = {self._launched(statement.operation, statement, writer)}"]
        return super().write(statement, names, writer, over)

    def _call(self, call: Call, writer: Writer) -> str:
        if isinstance(call.routine, Embedded) and call.routine.function is squared_distances:
            kernel = writer.define("kernel", DISTANCES)
            given = ", ".join(self.operand(view, writer) for view in call.arguments)
            return f"{writer.embed(device.squared_distances_by)}({kernel}, {given})"
        if isinstance(call.routine, Embedded) and call.routine.requires:
            # Some are for complex numbers only.
            text = ported(super().source(call.routine.function))
            if not any(re.search(rf"\b{f.__name__}\b", text) for f in call.routine.requires):
                call = replace(call, routine=replace(call.routine, requires=()))
        return super()._call(call, writer)

    def _launched(self, operation: Fused, statement: Statement, writer: Writer) -> str:
        """The definition of a kernel for a group, and the call of it."""
        views = inputs(operation)
        body, result = written(operation, views)
        given = [self.operand(view, writer) for view in views]
        if operation.axes is None:
            kernel = writer.define("kernel", elementwise_kernel(len(views), body, result))
            return f"{kernel}({', '.join(given)})"
        count = len(operation.steps[-1].results[0].dims)
        if len(operation.axes) == count == 1 and len(views) > 1:
            # CuPy adds up all of several operands in one block, and all of one array in many.
            kernel = writer.define("kernel", elementwise_kernel(len(views), body, result))
            return f"{kernel}({', '.join(given)}).sum()"
        kernel = writer.define("kernel", reduction_kernel(len(views), body, result))
        if len(operation.axes) == count > 1:
            return f"{kernel}({', '.join(given)}, axis={count - 1}).sum()"
        if count > 1:
            given.append(f"axis={operation.axes}")
        return f"{kernel}({', '.join(given)})"


DISTANCES = """\
cp.ElementwiseKernel(
    "raw T a, raw T b, int64 length, int64 columns",
    "T y",
    \"""
    T sum = 0;
    for (long long k = 0; k < length; k++) {{
        T difference = a[i / columns * length + k] - b[k * columns + i % columns];
        sum += difference * difference;
    }}
    y = sum;
    \""",
    "{name}",
)"""
"""The squared distances between the rows of a matrix and the columns of another."""


def writable(call: Call) -> bool:
    """Whether the routine of a call can be written into a kernel."""
    return translatable(call.routine, len(call.arguments))


def written(operation: Fused, views: Sequence[View]) -> tuple[list[str], str]:
    """The lines of a kernel over ``x0``, ``x1``, …, and the expression of its result."""
    return steps_text(operation, {view: f"x{k}" for k, view in enumerate(views)})


def elementwise_kernel(count: int, lines: Sequence[str], result: str) -> str:
    """The definition of a kernel that writes one element of its result."""
    code = [*lines, f"y = {bare(result)};"]
    return "\n".join(
        (
            "cp.ElementwiseKernel(",
            f'    "{_parameters(count)}",',
            '    "T y",',
            '    """',
            *(f"    {line}" for line in code),
            '    """,',
            '    "{name}",',
            ")",
        )
    )


def reduction_kernel(count: int, lines: Sequence[str], result: str) -> str:
    """The definition of a kernel that adds up what a function of its operands gives."""
    arguments = ", ".join(f"x{k}" for k in range(count))
    definition = ['    preamble="""', "    template <typename T>"]
    signature = ", ".join(f"T x{k}" for k in range(count))
    definition.append(f"    __device__ T {{name}}_term({signature}) {{{{")
    definition += [f"        {line}" for line in (*lines, f"return {bare(result)};")]
    definition += ["    }}", '    """,']
    return "\n".join(
        (
            "cp.ReductionKernel(",
            f'    "{_parameters(count)}",',
            '    "T y",',
            f'    "{{name}}_term<T>({arguments})",',
            '    "a + b",',
            '    "y = a",',
            '    "0",',
            '    "{name}",',
            *definition,
            ")",
        )
    )


def _parameters(count: int) -> str:
    return ", ".join(f"T x{k}" for k in range(count))
