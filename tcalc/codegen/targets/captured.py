"""Programs whose whole call can be recorded as a CUDA graph.

CuPy (to 14.2) refuses to call cuBLAS and cuSOLVER on a stream that is recorded, and a recording can
neither wait for the device nor move data from or to the host.  So contractions are kernels here,
each result element a sum of its own: good for small products, for whose launches a graph is made.
A program with a step that cannot be recorded is refused when its module is written, with the name
of the step and the reason.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from tcalc.codegen import checks, device_checks
from tcalc.codegen.fusion import fused
from tcalc.codegen.launches import arranged
from tcalc.codegen.program import EinSum, Program, Statement, Value
from tcalc.codegen.targets.cupy import CuPy, writable
from tcalc.codegen.targets.target import Writer
from tcalc.errors import UnsupportedError

PRODUCTS = frozenset(("dot", "inner", "matmul", "tensordot", "vdot", "vecdot"))
LIBRARIES = frozenset(("linalg", "cp.linalg", "np.linalg"))
LOOKS = frozenset(("all", "any", "item", "tolist", "bool", "float", "int"))


class CapturedCuPy(CuPy):
    """The target for CuPy arrays whose programs are recorded."""

    def prepared(self, program: Program) -> Program:
        return fused(arranged(program, captured=True), writable)

    def write(
        self, statement: Statement, names: tuple[str, ...], writer: Writer, over: Value | None
    ) -> list[str]:
        operation = statement.operation
        if isinstance(operation, EinSum) and len(operation.operands) > 1:
            raise refused("a contraction of diagonals", "is left to cuBLAS")
        return super().write(statement, names, writer, over)

    def source(self, function: Callable[..., Any]) -> str:
        text = super().source(function)
        if function.__module__ in (checks.__name__, device_checks.__name__):
            return text  # outside the recording
        reason = obstacle(text)
        if reason:
            raise refused(f"the step {function.__name__}", reason)
        return text


def refused(what: str, reason: str) -> UnsupportedError:
    """The error for a step that cannot be recorded."""
    looks = reason.startswith("looks")
    return UnsupportedError(
        f"{what} cannot be a part of a CUDA graph: it {reason}",
        hint="compile with checked=False, or without graph=True"
        if looks
        else "compile without graph=True",
    )


def obstacle(source: str) -> str:
    """Why the source of a function cannot be recorded; empty where nothing speaks against it."""
    looks = ""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.BinOp(op=ast.MatMult()):
                return "multiplies matrices by cuBLAS, which CuPy does not let be recorded"
            case ast.Call(func=function, args=arguments):
                if reason := _of_call(ast.unparse(function), len(arguments)):
                    return reason
            case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
                for inner in ast.walk(test):
                    if isinstance(inner, ast.Call) and _last(inner.func) in LOOKS:
                        looks = "looks at what the device has computed, and so waits for it"
            case _:
                continue
    return looks


def _of_call(dotted: str, count: int) -> str:
    library, _, name = dotted.rpartition(".")
    if library in LIBRARIES:
        return "calls cuSOLVER or cuBLAS, which CuPy does not let be recorded"
    if name in PRODUCTS or (name == "einsum" and count > 2):
        return "multiplies matrices by cuBLAS, which CuPy does not let be recorded"
    if library.startswith(("host", "numpy")) or name in ("asnumpy", "leggauss"):
        return "goes through the host"
    return ""


def _last(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else ast.unparse(function)
