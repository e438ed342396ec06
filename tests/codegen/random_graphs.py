"""Random graphs over a few inputs, for the law that compiled code equals the interpreter."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from tcalc import runtime
from tcalc.codegen.options import Options
from tcalc.expr import Dim, build
from tcalc.expr.nodes import Node, Var
from tcalc.primitives.exponential import exp
from tcalc.primitives.inverse import inv
from tcalc.primitives.logdet import logdet
from tcalc.primitives.power import reciprocal
from tcalc.primitives.selection import lower, unit, window
from tcalc.primitives.softmax import logsumexp, softmax
from tcalc.primitives.trigonometric import sin

M, N, K = Dim.of("m"), Dim.of("n"), Dim.of("k")
INPUTS: tuple[Var, ...] = (
    build.var("s", ()),
    build.var("x", (M,)),
    build.var("y", (N,)),
    build.var("A", (M, N)),
    build.var("B", (N, K)),
    build.var("S", (N, N), ("symmetric",)),
    build.var("P", (N, N), ("spd",)),
    build.var("L", (N, N), ("lower",)),
    build.var("D", (N, N), ("diagonal",)),
    build.var("Q", (K, N, N)),
    build.var("T", (M, N, K)),
)
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def data(sizes: dict[str, int], seed: int = 0, dtype: Any = np.float64) -> dict[str, Any]:
    """Arrays for the inputs, all matrices well away from singular ones."""
    rng = np.random.default_rng(seed)
    arrays: dict[str, Any] = {}
    for variable in INPUTS:
        shape = tuple(dim.evaluate(sizes) for dim in variable.dims)
        array = rng.uniform(-1, 1, shape)
        if len(shape) > 1 and shape[-1] == shape[-2] and variable.dims[-1] == variable.dims[-2]:
            eye = np.eye(shape[-1])
            match variable.properties:
                case ("symmetric",):
                    array = array + array.T
                case ("spd",):
                    array = array @ array.T + 2 * eye
                case ("lower",):
                    array = np.tril(array) + 3 * eye
                case ("diagonal",):
                    array = (np.abs(array) + 1) * eye
                case _:
                    array = array + 3 * shape[-1] * eye
        arrays[variable.name] = array.astype(dtype)
    return arrays


@st.composite
def products(draw: st.DrawFn, pool: list[Node], most: int = 4) -> Node:
    """A product of a few nodes under random labels, unit tensors and selections among them."""
    factors: list[Node] = draw(st.lists(st.sampled_from(pool), min_size=1, max_size=most))
    if draw(st.booleans()):
        factors.append(build.delta(draw(st.sampled_from([M, N, K]))))
    labels: dict[str, Dim] = {}
    rows: list[str] = []
    for factor in factors:
        row = ""
        for dim in factor.dims:
            fitting = [letter for letter, other in labels.items() if other == dim]
            fresh = LETTERS[len(labels) : len(labels) + 1]
            letter = draw(st.sampled_from([*fitting, *fresh]))
            labels.setdefault(letter, dim)
            row += letter
        rows.append(row)
    for letter in draw(st.lists(st.sampled_from(sorted(labels) or [""]), max_size=2)):
        if not letter:
            continue
        kind = draw(st.sampled_from(["unit", "window", "mask"]))
        if kind == "unit":
            factors.append(unit(1, labels[letter]))
            rows.append(letter)
        elif kind == "window":
            short = LETTERS[len(labels) : len(labels) + 1]
            if short:
                factors.append(window(1, labels[letter], labels[letter]))
                start, stop = draw(st.sampled_from([(Dim.of(1), Dim.of(1)), (labels[letter],) * 2]))
                factors[-1] = window(start, stop, labels[letter])
                labels[short] = Dim.of(1)
                rows.append(short + letter)
        else:
            other = draw(st.sampled_from(sorted(labels)))
            if other != letter:
                offset = draw(st.sampled_from([-1, 0, 1]))
                factors.append(lower(labels[letter], labels[other], offset))
                rows.append(letter + other)
    output = draw(st.lists(st.sampled_from(sorted(labels) or ["a"]), max_size=min(3, len(labels))))
    if not labels:
        output = []
    return build.einsum(factors, rows, "".join(output))


@st.composite
def graphs(draw: st.DrawFn) -> list[Node]:
    """A few roots over shared nodes."""
    pool: list[Node] = list(INPUTS)
    for _ in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(["product", "product", "sum", "function", "matrix"]))
        node = draw(st.sampled_from(pool))
        match kind:
            case "product":
                node = draw(products(pool))
            case "sum":
                alike = [other for other in pool if other.dims == node.dims]
                terms = draw(st.lists(st.sampled_from(alike), min_size=1, max_size=4))
                coefficients = [Fraction(1), Fraction(-1), Fraction(1, 3), Fraction(2)]
                node = build.add([(draw(st.sampled_from(coefficients)), t) for t in terms])
                if draw(st.booleans()):
                    node = build.add([(1, node), (2, build.ones(node.dims))])
            case "function":
                plus = build.add([(1, build.apply(exp, node)), (1, build.ones(node.dims))])
                choices: list[Node] = [build.apply(sin, node), reciprocal(plus)]
                if node.order:
                    choices += [softmax(node, 1), logsumexp(node, 1)]
                node = draw(st.sampled_from(choices))
            case "matrix":
                square = build.var(*draw(st.sampled_from(_SQUARE)))
                node = draw(st.sampled_from([inv, inv, logdet]))(square)
        if node.order <= 4:
            pool.append(node)
    made = pool[len(INPUTS) :] or [pool[0]]
    return draw(st.lists(st.sampled_from(made), min_size=1, max_size=3))


_SQUARE = [(v.name, v.dims, v.properties) for v in INPUTS if v.name in ("P", "L", "D", "Q")]


def law(examples: int, derandomize: bool = False) -> settings:
    """For laws of code in C: compilers take time, so that little is tried, and nothing shrunk."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=derandomize,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def agree_in_c(roots: list[Node], sizes: dict[str, int]) -> None:
    """Assert that the C function of some graphs computes what NumPy's code does."""
    fun, due = (
        runtime.compile(roots, Options(backend=x), variables=INPUTS) for x in ("c", "numpy")
    )
    arrays = data(sizes)
    known = {name: arrays[name] for name in fun.signature.names}
    with np.errstate(all="ignore"):
        for found, expected in zip(fun(**known), due(**known), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)
