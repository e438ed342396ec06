"""CuPy's names on a machine without a device: NumPy's arrays, and kernels compiled by g++.

Kernels are the real texts that CuPy would compile, as C++ loops over contiguous doubles. Where
CuPy is installed, `require_cupy_has` holds every call of a module against CuPy itself, which can be
imported without a device.
"""

from __future__ import annotations

import ast
import ctypes
import importlib
import importlib.util
import inspect
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import scipy.special

from tcalc.codegen.emit import emit
from tcalc.codegen.lower import lower
from tcalc.codegen.signature import signature_of
from tcalc.codegen.targets.cupy import CuPy
from tcalc.expr.nodes import Node, Var

COMPILER = shutil.which("g++")
PROLOGUE = """
#include <cmath>
using namespace std;
#define __device__
typedef double T;
// What CUDA has and C++ has not: by erfc, and where that is small by the continued fraction.
static double erfcx(double x) {
    if (x < 4) return exp(x * x) * erfc(x);
    double below = 0;
    for (int k = 40; k > 0; k--) below = 0.5 * k / (x + below);
    return 0.56418958354775628695 / (x + below);
}
"""


COMPILED: dict[str, Any] = {}
"""The loops that there are, by the texts of their kernels."""


class Workshop:
    """Kernels defined and not yet compiled; one run of the compiler makes all of them."""

    def __init__(self) -> None:
        self.count = 0
        self.waiting: list[tuple[str, _Kernel]] = []

    def add(self, kernel: _Kernel, template: str) -> None:
        kernel.text = template
        kernel.loop = COMPILED.get(template)
        if kernel.loop is not None:
            return
        self.count += 1
        name = f"loop{self.count}"
        self.waiting.append((template.replace("LOOP", name), kernel))
        kernel.symbol = name

    def compile(self) -> None:
        assert COMPILER is not None
        with tempfile.TemporaryDirectory() as folder:
            source, library = Path(folder) / "kernels.cpp", Path(folder) / "kernels.so"
            source.write_text(PROLOGUE + "\n".join(text for text, _ in self.waiting))
            command = [COMPILER, "-shared", "-fPIC", "-O0", "-w", str(source), "-o", str(library)]
            subprocess.run(command, check=True, timeout=120)
            loaded = ctypes.CDLL(str(library))
        for _, kernel in self.waiting:
            kernel.loop = COMPILED[kernel.text] = loaded[kernel.symbol]
        self.waiting.clear()


class _Kernel:
    def __init__(self, inputs: str, workshop: Workshop) -> None:
        self.names = [part.split()[1] for part in inputs.split(", ")]
        self.workshop = workshop
        self.symbol = self.text = ""
        self.loop: Any = None

    def elements(self, arguments: tuple[Any, ...]) -> np.ndarray:
        if self.loop is None:
            self.workshop.compile()
        full = [np.ascontiguousarray(x) for x in np.broadcast_arrays(*arguments)]
        full = [x.astype(float) for x in full]
        result = np.empty(np.broadcast_shapes(*map(np.shape, arguments)))
        pointers = [x.ctypes.data_as(ctypes.c_void_p) for x in (*full, result)]
        self.loop(ctypes.c_long(result.size), *pointers)
        return result

    def parameters(self) -> str:
        return "".join(f", const double* p{name}" for name in self.names)

    def loads(self) -> str:
        return " ".join(f"T {name} = p{name}[k];" for name in self.names)


class ElementwiseKernel(_Kernel):
    """One with raw arrays is given the array of its results."""

    def __init__(
        self, in_params: str, out_params: str, operation: str, name: str, workshop: Workshop
    ) -> None:
        super().__init__(in_params, workshop)
        assert out_params == "T y"
        self.raw = "raw " in in_params
        if self.raw:
            parts = [part.split() for part in in_params.split(", ")]
            taken = "".join(
                f", const double* {part[-1]}" if part[0] == "raw" else f", long {part[-1]}"
                for part in parts
            )
            workshop.add(
                self,
                f'extern "C" void LOOP(long n{taken}, double* out) {{'
                f"for (long i = 0; i < n; i++) {{ T y; {operation} out[i] = y; }} }}",
            )
            return
        workshop.add(
            self,
            f'extern "C" void LOOP(long n{self.parameters()}, double* out) {{'
            f"for (long k = 0; k < n; k++) {{ {self.loads()} T y; {operation} out[k] = y; }} }}",
        )

    def __call__(self, *arguments: Any) -> Any:
        if not self.raw:
            return self.elements(arguments)[()]
        if self.loop is None:
            self.workshop.compile()
        result = arguments[-1]
        given = [
            x.ctypes.data_as(ctypes.c_void_p) if isinstance(x, np.ndarray) else ctypes.c_long(x)
            for x in arguments
        ]
        assert all(x.flags.c_contiguous for x in arguments if isinstance(x, np.ndarray))
        self.loop(ctypes.c_long(result.size), *given)
        return result


class ReductionKernel(_Kernel):
    def __init__(
        self,
        in_params: str,
        out_params: str,
        map_expr: str,
        reduce_expr: str,
        post_map_expr: str,
        identity: str,
        name: str,
        preamble: str,
        workshop: Workshop,
    ) -> None:
        super().__init__(in_params, workshop)
        assert (reduce_expr, post_map_expr, identity) == ("a + b", "y = a", "0")
        # Names of functions are unique within a module only.
        space = "in_LOOP"
        workshop.add(
            self,
            f"namespace {space} {{ {preamble} }}\n"
            f'extern "C" void LOOP(long n{self.parameters()}, double* out) {{'
            f" using namespace {space}; "
            f"for (long k = 0; k < n; k++) {{ {self.loads()} out[k] = {map_expr}; }} }}",
        )

    def __call__(self, *arguments: Any, axis: tuple[int, ...] | int | None = None) -> Any:
        return self.elements(arguments).sum(axis=axis)


def modules(workshop: Workshop) -> dict[str, Any]:
    """What ``import cupy`` and its like are to give."""

    class CuPy(ModuleType):
        def __getattr__(self, name: str) -> Any:
            return getattr(np, name)

    cupy = CuPy("cupy")
    cupy.asnumpy = np.asarray
    cupy.ElementwiseKernel = lambda *a: ElementwiseKernel(*a, workshop)
    cupy.ReductionKernel = lambda *a, preamble: ReductionKernel(*a, preamble, workshop)
    scipy_like = SimpleNamespace(linalg=scipy.linalg, special=scipy.special)
    return {
        "cupy": cupy,
        "cupyx": SimpleNamespace(scipy=scipy_like),
        "cupyx.scipy": scipy_like,
    }


def module(
    roots: Sequence[Node], variables: Sequence[Var], sizes: Mapping[str, int], checked: bool = True
) -> str:
    """The module for CuPy of some roots at sizes, as text."""
    signature = signature_of(roots, variables)
    known = {name: sizes[name] for name in signature.sizes}
    return emit(lower(roots, known), signature, known, target=CuPy(checked)).source


def load(source: str, workshop: Workshop, cupy: dict[str, Any] | None = None) -> dict[str, Any]:
    """The globals of a module that imports CuPy, or what is to stand for it."""
    cupy = cupy or modules(workshop)
    before = {name: sys.modules.get(name) for name in cupy}
    sys.modules.update(cupy)
    try:
        namespace: dict[str, Any] = {"__name__": "device_module"}
        exec(compile(source, "<device module>", "exec"), namespace)
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
    return namespace


cupy_installed = pytest.mark.skipif(
    importlib.util.find_spec("cupy") is None, reason="CuPy is not installed"
)

MODULES = ("cp", "linalg", "special")


def calls(source: str) -> list[tuple[str, ast.Call]]:
    """The calls of a module's functions (``cp.linalg.solve``) and of methods (``.sum``)."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            base: ast.expr = node.func
            while isinstance(base, ast.Attribute):
                base = base.value
            if isinstance(base, ast.Name) and base.id in MODULES:
                found.append((ast.unparse(node.func), node))
            elif hasattr(np.ndarray, node.func.attr):
                found.append((f".{node.func.attr}", node))
    return found


def require_cupy_has(source: str) -> None:
    """Fail where a module calls what CuPy has not, or with arguments that it does not take."""
    import cupy

    for dotted, call in calls(source):
        keywords = {k.arg for k in call.keywords if k.arg}
        if dotted.startswith("."):
            method = getattr(cupy.ndarray, dotted[1:])
            # Compiled methods tell their arguments in the first line of their documentation.
            told = (method.__doc__ or "").split("\n", 1)[0]
            assert all(f"{keyword}=" in told for keyword in keywords), (dotted, told)
            continue
        function = resolved(dotted)
        if isinstance(function, ast.FunctionDef):
            known = {a.arg for a in (*function.args.args, *function.args.kwonlyargs)}
            assert keywords <= known, dotted
            continue
        if isinstance(getattr(function, "__self__", None), cupy.ufunc):
            # The methods of all others exist, and raise an error.
            assert function.__self__ in (cupy.add, cupy.multiply), dotted
            continue
        if isinstance(function, cupy.ufunc):
            assert keywords <= {"out", "dtype"}, dotted
            continue
        try:
            signature = inspect.signature(function)
        except ValueError:
            continue  # compiled code that does not tell
        if not any(isinstance(a, ast.Starred) for a in call.args):
            signature.bind(*call.args, **{k.arg: k.value for k in call.keywords if k.arg})


def resolved(dotted: str) -> Any:
    """What CuPy has under a name; for ``cupyx.scipy.linalg``, which needs a device to be
    imported, the definition in its source."""
    import cupy

    first, *rest = dotted.split(".")
    if first == "linalg":
        folder = Path(cupy.__file__).parents[1] / "cupyx" / "scipy" / "linalg"
        for path in sorted(folder.glob("*.py")):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.FunctionDef) and node.name == rest[0]:
                    return node
        raise AssertionError(f"CuPy has no {dotted}")
    found: Any = cupy if first == "cp" else importlib.import_module("cupyx.scipy.special")
    for part in rest:
        found = getattr(found, part)
    return found
