"""Programs for CuPy, as far as they can be tested without a device.

The modules run with NumPy behind CuPy's names, their kernels compiled by g++; where CuPy is
installed, every call that a module makes is held against CuPy's own names and signatures.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import host_device
import numpy as np
import pytest
from host_cupy import COMPILER, Workshop, cupy_installed, load, module, require_cupy_has
from host_device import DeviceArray
from hypothesis import HealthCheck, given, settings
from random_graphs import INPUTS, data, graphs

import tcalc
from tcalc import gallery, interpret
from tcalc.codegen.emit import emit
from tcalc.codegen.launches import most_operands
from tcalc.codegen.lower import lower
from tcalc.codegen.program import Call, Fused
from tcalc.codegen.signature import signature_of
from tcalc.codegen.targets.captured import CapturedCuPy, obstacle
from tcalc.codegen.targets.cupy import CuPy
from tcalc.codegen.targets.kernels import translatable
from tcalc.codegen.targets.porting import ported
from tcalc.errors import UnsupportedError
from tcalc.expr import build
from tcalc.expr.nodes import Node, Var
from tcalc.primitives.elementwise import BY_NAME, Elementwise
from tcalc.primitives.elementwise import named as elementwise_named
from tcalc.primitives.gamma import polygamma
from tcalc.primitives.routines import routine_of

needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C++ compiler for the kernels")
NAMES = gallery.names()


@cache
def derived(name: str) -> tuple[list[Node], tuple[Var, ...], dict[str, Any]]:
    """A model's value and first derivatives, its variables and its data."""
    model = gallery.load(name)
    f = tcalc.parse(model.program)
    roots = [f.node, *(tcalc.derivative(f, wrt).node for wrt in model.wrt)]
    return roots, tuple(f.variables.values()), gallery.make_data(name)


@cache
def sources() -> dict[str, str]:
    """Every gallery model as a module for CuPy."""
    texts = {}
    for name in NAMES:
        roots, variables, arrays = derived(name)
        texts[name] = module(roots, variables, gallery_sizes(variables, arrays))
    return texts


def gallery_sizes(variables: tuple[Var, ...], arrays: dict[str, Any]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for variable in variables:
        for dim, size in zip(variable.dims, np.shape(arrays[variable.name]), strict=True):
            if dim.is_name:
                sizes[str(dim)] = size
    return sizes


@pytest.fixture(scope="module")
def workshop() -> Workshop:
    return Workshop()


@pytest.fixture(scope="module")
def loaded(workshop: Workshop) -> dict[str, dict[str, Any]]:
    """All modules, so that one run of the compiler makes all kernels."""
    cupy = host_device.modules(workshop)
    return {name: load(source, workshop, cupy) for name, source in sources().items()}


@needs_compiler
@pytest.mark.parametrize("name", NAMES)
def test_gallery(name: str, loaded: dict[str, dict[str, Any]]) -> None:
    roots, variables, arrays = derived(name)
    names = signature_of(roots, variables).names
    given = {key: np.array(arrays[key], float).view(DeviceArray) for key in names}
    found = loaded[name]["evaluate"](**given)
    due = interpret.evaluate(roots, arrays, gallery_sizes(variables, arrays))
    for mine, other in zip(found, due, strict=True):
        assert isinstance(mine, DeviceArray)
        scale = float(np.abs(other).max(initial=1e-3))
        plain = np.asarray(mine).view(np.ndarray)
        np.testing.assert_allclose(plain, other, rtol=1e-9, atol=1e-9 * scale)


@needs_compiler
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(graphs())
def test_any_graph(roots: list[Node]) -> None:
    sizes = {"m": 2, "n": 3, "k": 4}
    names = signature_of(roots, INPUTS).names
    arrays = data(sizes)
    for checked in (True, False):
        namespace = load(module(roots, INPUTS, sizes, checked), Workshop())
        found = namespace["evaluate"](**{name: np.asarray(arrays[name]) for name in names})
        for mine, other in zip(found, interpret.evaluate(roots, arrays, sizes), strict=True):
            scale = max(1.0, float(np.abs(other).max(initial=0)))
            np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-9 * scale)


ELEMENTWISE = ("exp", "log", "log1p", "expm1", "sigmoid", "softplus", "logaddexp", "tanh", "asinh",
               "relu", "step", "sign", "abs", "max", "min", "pow", "normcdf", "normpdf", "xlogx",
               "erf", "erfc", "gamma", "atan2", "reciprocal0", "log_normcdf", "normal_hazard",
               "normal_hazard_slope", "log_erfc", "erfc_hazard", "erfc_hazard_slope",
               "log1mexp", "log1mexp_slope", "lgamma")  # fmt: skip


@needs_compiler
def test_kernels_of_elementwise_functions() -> None:
    """Value for value what NumPy gives, at zero, at both infinities and at NaN too."""
    x = np.array([-np.inf, -800.0, -3.5, -0.5, -0.0, 0.0, 0.5, 2.0, 800.0, np.inf, np.nan])
    y = x[::-1].copy()
    workshop = Workshop()
    pending = []
    for name in ELEMENTWISE:
        primitive = elementwise_named(name)
        variables = tuple(build.var(v, INPUTS[1].dims) for v in "xy"[: primitive.arity])
        # Two steps, so that there is a kernel whatever the function is.
        root = build.scale(2, build.apply(primitive, *variables))
        text = module([root], variables, {"m": len(x)})
        assert "cp.ElementwiseKernel" in text
        pending.append((name, primitive, load(text, workshop)))
    for name, primitive, namespace in pending:
        arguments = {"x": x, "y": y} if primitive.arity == 2 else {"x": x}
        with np.errstate(all="ignore"):
            due = 2 * primitive.evaluate(*arguments.values())
            found = namespace["evaluate"](**arguments)[0]
        np.testing.assert_allclose(found, due, rtol=1e-12, err_msg=name)


def test_which_functions_have_no_kernel() -> None:
    missing = set()
    for name, primitive in BY_NAME.items():
        if type(primitive) is Elementwise:
            arguments = [build.var(v, ()) for v in "xyz"[: primitive.arity]]
            node = build.apply(primitive, *arguments)
            if not translatable(routine_of(node), primitive.arity):
                missing.add(name)
    assert missing == {"digamma"}  # and the family of its derivatives, which CUDA lacks too
    assert not translatable(routine_of(polygamma(build.var("x", ()), 2)), 1)


def test_only_elementwise_routines_are_taken_for_such() -> None:
    """No routine of a whole matrix passes for element-wise."""
    for name in NAMES:
        roots, variables, arrays = derived(name)
        sizes = gallery_sizes(variables, arrays)
        program = lower(roots, sizes)
        for statement in program.statements:
            operation = statement.operation
            if isinstance(operation, Call) and translatable(
                operation.routine, len(operation.arguments)
            ):
                shapes = {view.dims for view in operation.arguments}
                assert shapes <= {statement.results[0].dims}


def test_a_chain_is_one_launch() -> None:
    f = tcalc.parse("sum(log(1 + exp(-2*X*w)))")
    roots = [f.node]
    sizes = {"m": 4, "n": 3}
    program = CuPy().prepared(lower(roots, sizes))
    groups = [s.operation for s in program.statements if isinstance(s.operation, Fused)]
    assert len(groups) == 1
    assert groups[0].axes == (0,)
    kernel = module(roots, tuple(f.variables.values()), sizes)
    assert kernel.count("cp.ReductionKernel(") == 1
    # The sum of several arrays is that of one array, which CuPy adds up in many blocks.
    several = module([tcalc.parse("sum(log(1 + exp(-y.*(X*w))))").node], INPUTS_OF_LOSS, sizes)
    assert several.count("cp.ElementwiseKernel(") == 1
    assert "cp.ReductionKernel(" not in several
    assert "kernel1(y, t1).sum()" in several


@needs_compiler
@pytest.mark.parametrize("order", [0, 1, 2])
def test_kernels_have_room_for_their_operands(order: int) -> None:
    """However long a sum, of which the first term has not all axes."""
    axes = ", ".join("n" * order)
    names = [f"x{k}" for k in range(300)]
    terms = [f"{x}'.*{names[k - 1]}" if order == 2 else x for k, x in enumerate(names)]
    program = f"exp(({' + '.join(['b', *terms])}) / 300)"
    f = tcalc.parse(program, ", ".join(["b[]", *(f"{x}[{axes}]" for x in names)]))
    text = module([f.node], tuple(f.variables.values()), {"n": 3})
    kernels = [
        len(ast.literal_eval(node.args[0]).split(", "))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in KERNELS
    ]
    assert 1 < len(kernels) < 20
    assert max(kernels) <= most_operands(order)
    rng = np.random.default_rng(0)
    data = {x: rng.uniform(size=(3,) * (order if x != "b" else 0)) for x in f.variables}
    found = load(text, Workshop())["evaluate"](**data)[0]
    np.testing.assert_allclose(found, tcalc.evaluate(f, **data), rtol=1e-12)


INPUTS_OF_LOSS = tuple(
    tcalc.parse("sum(log(1 + exp(-y.*(X*w))))").variables[name] for name in ("X", "y", "w")
)


def test_launches_of_models() -> None:
    """Scalars of sizes alone are NumPy's, copies and checks are spared, sums are whole kernels."""
    process = sources()["gaussian_process"]
    solves = [line for line in process.splitlines() if " = solve_lower_or_upper(" in line]
    assert solves
    assert not any("where=" in line for line in solves)
    assert "squared_distances_by(kernel" in process
    assert ".copy()" not in process
    assert "numpy.sqrt(" in sources()["attention"]


def compute_of(source: str) -> str:
    return source.partition("def compute")[2].partition("\ndef ")[0]


@pytest.mark.parametrize("name", NAMES)
def test_no_general_contraction_is_left_where_one_operand_has_all_axes(name: str) -> None:
    for node in ast.walk(ast.parse("def compute" + compute_of(sources()[name]))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "cp.einsum":
            text = ast.literal_eval(node.args[0])
            rows, _, output = text.partition("->")
            labels = [set(row) for row in rows.split(",")]
            assert len(labels) == 1 or set().union(*labels) not in labels, (text, output)


def test_golden_kernel() -> None:
    f = tcalc.parse("exp(-x.^2/2) .* sigmoid(x)", "x[n]")
    text = module([f.node], tuple(f.variables.values()), {"n": 5})
    start = text.index("kernel1 = ")
    assert text[start : text.index(")\n", start) + 2] == GOLDEN


GOLDEN = '''kernel1 = cp.ElementwiseKernel(
    "T x0",
    "T y",
    """
    T t1 = x0 * x0;
    T t2 = -T(0.5) * t1;
    T t3 = exp(t2);
    T t4 = fabs(x0);
    T t5 = exp((-t4));
    T t6 = (x0 < T(0) ? t5 : T(1)) / (T(1) + t5);
    y = t3 * t6;
    """,
    "kernel1",
)
'''


def test_porting_keeps_comments_and_drops_checks() -> None:
    source = '''def f(A: Array, *, where: str) -> Array:
    """Text with np.linalg in it."""
    if (A < 0).any():
        raise np.linalg.LinAlgError(f"{where}: é")
    try:
        x = np.abs(A).max(axis=-1, initial=0)  # größer
        return x
    except np.linalg.LinAlgError:
        return np.full_like(A, np.nan)
'''
    assert (
        ported(source, checked=False)
        == '''def f(A: Array, *, where: str) -> Array:
    """Text with np.linalg in it."""
    x = cp.abs(A).max(axis=-1)  # größer
    return x
'''
    )
    # Its ufuncs reduce by sums and products only.
    assert ported("np.minimum.reduce(x, axis=None)") == "cp.min(x, axis=None)"
    kept = ported(source)
    assert 'raise cp.linalg.LinAlgError(f"{where}: é")' in kept
    assert "except cp.linalg.LinAlgError" in kept


def test_arguments_must_be_on_the_device() -> None:
    f = tcalc.parse("sum(x.^2)", "x[n]")
    text = module([f.node], tuple(f.variables.values()), {"n": 5})
    assert "device_arrays(x=x)" in text
    assert "should be on the device: cupy.asarray(" in text


@cupy_installed
@pytest.mark.parametrize("name", NAMES)
def test_calls_fit_the_signatures_of_cupy(name: str) -> None:
    require_cupy_has(sources()[name])


def cuda(title: str, call: ast.Call) -> str:
    """A kernel as CUDA C++ for both types, of the shape that CuPy gives it."""
    texts = [ast.literal_eval(x) for x in call.args]
    given = [part.split() for part in texts[0].split(", ")]
    if ast.unparse(call.func) == "cp.ReductionKernel":
        names = ", ".join(f"T {part[-1]}" for part in given)
        (preamble,) = (ast.literal_eval(x.value) for x in call.keywords)
        code = (
            f"namespace in_{title} {{ {preamble} template <typename T> __global__ void "
            f"{title}({names}, T* out) {{ *out = {texts[2]}; }} }}"
        )
        kinds = "TYPE, " * len(given)
        space = f"in_{title}::"
    else:
        # An array as it is, a number, or an element.
        written = {
            "raw": "const T* {}",
            "int64": "long long {}",
            "T": "T {}",
        }
        names = ", ".join(written[part[0]].format(part[-1]) for part in given)
        code = (
            f"template <typename T> __global__ void {title}({names}, long long i, T* out)"
            f"{{ T y; {texts[2]} *out = y; }}"
        )
        kinds = "".join(
            {"raw": "const TYPE*, ", "int64": "long long, ", "T": "TYPE, "}[x[0]] for x in given
        )
        kinds += "long long, "
        space = ""
    made = [
        f"template __global__ void {space}{title}({kinds.replace('TYPE', kind)}{kind}*);"
        for kind in ("double", "float")
    ]
    return "\n".join([code, *made])


KERNELS = ("cp.ElementwiseKernel", "cp.ReductionKernel")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("nvcc") is None, reason="nvcc is not installed")
def test_kernels_compile_for_devices(tmp_path: Path) -> None:
    texts = []
    modules = {**sources(), **{f"{x}_recorded": y for x, y in recorded_sources().items()}}
    for name, source in modules.items():
        texts += [
            cuda(f"{name}_{ast.literal_eval(named(node))}", node)
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Call) and ast.unparse(node.func) in KERNELS
        ]
    assert len(texts) > 100
    assert any("in_" in text for text in texts)
    assert any("const T* a" in text for text in texts)
    path = tmp_path / "kernels.cu"
    path.write_text("\n".join(texts))
    command = ["nvcc", "--ptx", str(path), "-o", str(tmp_path / "kernels.ptx")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def named(call: ast.Call) -> ast.expr:
    """The argument that is the kernel's name."""
    return call.args[3 if ast.unparse(call.func) == "cp.ElementwiseKernel" else 6]


def recorded_sources() -> dict[str, str]:
    """The models whose calls can be recorded, as modules for that."""
    found = {}
    for name in NAMES:
        roots, variables, arrays = derived(name)
        sizes = gallery_sizes(variables, arrays)
        signature = signature_of(roots, variables)
        program = lower(roots, {x: sizes[x] for x in signature.sizes})
        try:
            found[name] = emit(program, signature, sizes, target=CapturedCuPy(False)).source
        except UnsupportedError:
            continue
    return found


def test_which_models_can_be_recorded() -> None:
    """Those without factorisations: for these a graph has no cuBLAS, no cuSOLVER, no host."""
    found = recorded_sources()
    assert len(found) >= 12
    assert {"deep_net", "logistic", "masked_factorisation", "power"} <= set(found)
    assert not {"gaussian_process", "inverse", "kalman_filter", "pca"} & set(found)
    for source in found.values():
        # Numbers that sizes alone decide are NumPy's.
        line = re.sub(r"numpy\.\w+\(", "abs(", compute_of(source))
        assert obstacle("def compute" + line) == ""
