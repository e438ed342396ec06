"""Every primitive under every law: cases made from the list of functions.

A function of the language is enrolled by standing in `tcalc.primitives.FUNCTIONS`: its forms say
which arguments it takes.  `DOMAIN` has a line for those that normal numbers do not suit; `FURTHER`
has what the language applies by other means than a function's name.  Derivatives bring in the
primitives that occur nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import sympy

from tcalc.calculus import derivative
from tcalc.expr import build
from tcalc.expr.dims import Shape, shape
from tcalc.expr.nodes import Apply, Node, Var
from tcalc.expr.traverse import dependents, postorder
from tcalc.primitives import FUNCTIONS, Form, Function, Kind
from tcalc.primitives.absolute_powers import AbsolutePower, scaled_even_power, scaled_odd_power
from tcalc.primitives.determinant import Cofactors
from tcalc.primitives.exponential import scaled_power
from tcalc.primitives.function import Signature
from tcalc.primitives.hyperbolic import acosh_quotient, acosh_slope, atanh_slope, log_cosh
from tcalc.primitives.inverse import Inverse, inv
from tcalc.primitives.normal import erfc_hazard_slope, hazard_slope, log_erfc, log_normcdf
from tcalc.primitives.onehot import OneHot
from tcalc.primitives.piecewise import COMPARISONS, Where
from tcalc.primitives.polar_solve import polar_solve
from tcalc.primitives.power import Power, quotient0, sqrt0
from tcalc.primitives.radius import inverse_radius, over_radius
from tcalc.primitives.skew import cross, skew
from tcalc.primitives.symbolic import elementwise
from tcalc.primitives.trigonometric import asin_slope
from tcalc.simplify.expand import expand

SIZES = tuple(
    {"b": 2, "n": n, "m": m, "k": 2, "t": m + 1} for n, m in ((1, 2), (2, 1), (3, 2), (5, 3))
)


def normal(generator, shape):
    """Normal numbers, away from the kinks at 0."""
    x = generator.standard_normal(shape)
    return x + np.copysign(0.1, x)


def uniform(low, high):
    return lambda generator, shape: generator.uniform(low, high, shape)


def regular(generator, shape):
    """Matrices well away from the singular ones, with positive determinants."""
    return generator.uniform(-0.5, 0.5, shape) + shape[-1] * np.eye(shape[-1])


def spd(generator, shape):
    """Positive definite once symmetrised."""
    return generator.uniform(-0.4, 0.4, shape) + shape[-1] * np.eye(shape[-1])


def regular_tensor(generator, shape):
    """A tensor of order four that is a regular matrix over pairs of axes."""
    rows = shape[-1] * shape[-2]
    return regular(generator, (*shape[:-4], rows, rows)).reshape(shape)


def apart(generator, shape):
    """Matrices whose eigenvalues, and singular values, are positive and well apart."""
    steps = 1 + np.arange(shape[-1]) + generator.uniform(-0.2, 0.2, shape[-1])
    return 0.2 * generator.uniform(-1, 1, shape) + np.eye(shape[-2], shape[-1]) * steps


def ascending(generator, shape):
    """Vectors with elements well apart."""
    return np.arange(shape[-1]) + generator.uniform(-0.2, 0.2, shape)


positive = uniform(0.3, 2.5)
unit = uniform(-0.9, 0.9)

DOMAIN: dict[str, Any] = {
    "log": positive,
    "log0": positive,
    "log1p": positive,
    "log1mexp": uniform(-3.0, -0.1),
    "log2": positive,
    "log10": positive,
    "pow": positive,
    "sqrt": positive,
    "xlogx": positive,
    "xlogy": (normal, positive),
    "gamma": positive,
    "lgamma": positive,
    "digamma": positive,
    "polygamma": positive,
    "tan": unit,
    "asin": unit,
    "acos": unit,
    "atanh": unit,
    "acosh": uniform(1.2, 3.0),
    "inv": regular,
    "tensorinv": regular_tensor,
    "solve": (regular, normal),
    "trisolve": (regular, normal),
    "logdet": regular,
    "chol": spd,
    "logabsdet": regular,
    "slogdet": regular,
    "sylvester": (regular, regular, normal),
    "lyap": (regular, normal),
    "sqrtm": regular,
    "logm": spd,
    "powm": spd,
    "pinv": apart,
    "polar": apart,
    "normnuc": apart,
    "normspec": apart,
    "qr": apart,
    "lq": apart,
    "eigh": apart,
    "eigvalsh": apart,
    "svd": apart,
    "svdvals": apart,
    "gap": ascending,
    "gap2": ascending,
    "gap3": ascending,
    "svdreciprocals": positive,
    "positiveeig": positive,
}

DIRECTED = {"expm": normal, "logm": spd, "powm": spd}
"""Functions of a matrix that take directions too, which are normal."""

LITERALS = {
    "polygamma": (Fraction(2),),
    "powm": (Fraction(-1, 2),),
    "tril": (Fraction(-1),),
    "triu": (Fraction(1),),
}

LETTERS = {
    "qr": {"m": "t", "n": "m"},
    "lq": {"n": "t"},
    "sylvester": {"m": "k"},
    "kron": {"p": "k", "q": "k"},
}
"""Dimensions with other sizes: for shapes that a function demands, or for time."""


def lettered(axes: str) -> Shape:
    """The shape that letters and digits stand for: names and numbers."""
    return shape(*(int(x) if x.isdigit() else x for x in axes))


@dataclass(frozen=True)
class Case:
    """A function of nodes, the shapes that it takes as letters, and data for them."""

    id: str
    build: Callable[..., Node]
    letters: tuple[str, ...]
    makers: tuple[Callable[..., Any], ...]
    elementwise: bool = False

    @cached_property
    def arguments(self) -> tuple[Var, ...]:
        return tuple(
            build.var(f"x{k}", lettered(axes), ("integer",) * self.of_positions(k))
            for k, axes in enumerate(self.letters)
        )

    def of_positions(self, k: int) -> bool:
        """Whether an argument has positions on an axis of size m: integers, and nothing else."""
        return k == 1 and self.id.startswith("onehot")

    @cached_property
    def result(self) -> Node:
        return self.build(*self.arguments)

    @cached_property
    def first(self) -> tuple[Node, ...]:
        return tuple(derivative(self.result, [x]) for x in self.arguments)

    @cached_property
    def second(self) -> tuple[tuple[Node, ...], ...]:
        return tuple(tuple(derivative(D, [y]) for y in self.arguments) for D in self.first)

    def data(self, sizes: dict[str, int], seed: int = 0) -> dict[str, Any]:
        generator = np.random.default_rng([seed, sizes["n"]])
        drawn = {
            x.name: np.asarray(maker(generator, tuple(d.evaluate(sizes) for d in x.dims)))
            for x, maker in zip(self.arguments, self.makers, strict=True)
        }
        for k, x in enumerate(self.arguments):
            if self.of_positions(k):
                places = generator.integers(1, sizes["m"] + 1, drawn[x.name].shape)
                drawn[x.name] = places.astype(float)
        return drawn

    def applications(self) -> list[Apply]:
        """The applications of primitives in the function and its derivatives, each once."""
        roots = [self.result, *self.first, *(D for row in self.second for D in row)]
        return [node for node in postorder(expand(roots)) if isinstance(node, Apply)]


def is_analytic(root: Node, by: Var) -> bool:
    live = dependents([root], [by])
    applied = (node for node in postorder([root]) if isinstance(node, Apply) and node in live)
    return all(node.primitive.analytic for node in applied)


def cases() -> list[Case]:
    listed = (f for f in FUNCTIONS if not f.derivative.startswith("none"))
    return [*(case for f in listed for form in f.forms for case in _of_form(f, form)), *FURTHER]


def _of_form(function: Function, form: Form) -> list[Case]:
    makers = DOMAIN.get(function.name, normal)
    if function.name in DIRECTED and form.arity > 2:
        return []  # the derivatives of the others bring it in
    if function.name in DIRECTED:
        makers = (DIRECTED[function.name], *(normal,) * (form.arity - 1))
    makers = makers if isinstance(makers, tuple) else (makers,) * form.arity
    literals = LITERALS[function.name] if form.parameters else ()
    name = f"{function.name}[{literals[0]}]" if form.trailing else function.name

    def case(suffix: str, letters: tuple[str, ...], *extra: Any) -> Case:
        return Case(
            f"{name}-{suffix}",
            lambda *nodes: form.build(*literals, *nodes, *extra),
            letters,
            makers,
            form.kind is Kind.ELEMENTWISE,
        )

    match form.kind:
        case Kind.ELEMENTWISE:
            return [case("elementwise", ("mn",) * form.arity)]
        case Kind.REDUCTION:
            return [
                case("whole", ("mn",), None),
                case("last", ("mn",), 1),
                case("two-of-three", ("bmn",), 2),
            ]
        case Kind.NORMALISATION:
            return [case("last", ("mn",), 1), case("two-of-three", ("bmn",), 2)]
        case Kind.TENSOR:
            assert form.signature is not None
            made = [case(",".join(x), x) for x in _letters(function, form.signature)]
            count = len(form.signature.outputs)
            if count == 1:
                return made
            return [
                replace(one, id=f"{one.id}-{k}", build=_output(one.build, k))
                for one in made
                for k in range(count)
            ]


def _letters(function: Function, signature: Signature) -> list[tuple[str, ...]]:
    """The axes of the arguments of a function of tensors: plain ones, and stacks of them."""
    renamed = str.maketrans(LETTERS.get(function.name, {}))
    plain = tuple(pattern.letters.translate(renamed) for pattern in signature.inputs)
    if not any(pattern.batched for pattern in signature.inputs):
        return [plain]
    pairs = zip(signature.inputs, plain, strict=True)
    return [plain, tuple("b" * pattern.batched + letters for pattern, letters in pairs)]


def _output(build_all: Callable[..., Any], k: int) -> Callable[..., Node]:
    return lambda *nodes: build_all(*nodes)[k]


def _smooth_step() -> Any:
    x = sympy.Symbol("x")
    return elementwise("smoothstep", sympy.Piecewise((x**3, x < 1), (3 * x - 2, True)), x)


def _tensor_solve(h: Node, g: Node) -> Node:
    return build.einsum([inv(h, 2), g], "mnij,ij->mn")


def _product_with_rows(subscripts: str) -> Callable[..., Node]:
    """The product of tensors and the rows of zeros and a one that the second one stands for."""

    def product(x: Node, g: Node, y: Node) -> Node:
        rows = build.apply(OneHot(), g, build.ones(x.dims))
        return build.einsum([x, rows, y], subscripts)

    return product


def _saddle() -> Any:
    x, y = sympy.symbols("x y")
    return elementwise("saddle", sympy.sqrt(2) * x**2 * sympy.exp(-y) - sympy.pi * y**3, x, y)


FURTHER = (
    Case("inverse-radius", inverse_radius, ("mn",) * 2, (normal,) * 2, True),
    Case("over-radius", over_radius, ("mn",) * 2, (normal,) * 2, True),
    Case("log-cosh", log_cosh, ("mn",), (normal,), True),
    Case("log-normcdf", log_normcdf, ("mn",), (normal,), True),
    Case("log-erfc", log_erfc, ("mn",), (normal,), True),
    Case("erfc-hazard-slope", erfc_hazard_slope, ("mn",), (unit,), True),
    Case("hazard-slope", hazard_slope, ("mn",), (normal,), True),
    Case("asin-slope", asin_slope, ("mn",), (DOMAIN["asin"],), True),
    Case("atanh-slope", atanh_slope, ("mn",), (DOMAIN["atanh"],), True),
    Case("acosh-slope", acosh_slope, ("mn",), (DOMAIN["acosh"],), True),
    Case("acosh-quotient", acosh_quotient, ("mn",), (DOMAIN["acosh"],), True),
    *(
        Case(
            f"absolute-power({p}, {odd})", AbsolutePower(Fraction(p), odd), ("mn",), (normal,), True
        )
        for p in ("5/2", "1/2", "-3/2")
        for odd in (False, True)
    ),
    Case("scaled-power", scaled_power, ("mn",) * 3, (normal, positive, normal), True),
    Case("scaled-even-power", scaled_even_power, ("mn",) * 3, (normal,) * 3, True),
    Case("scaled-odd-power", scaled_odd_power, ("mn",) * 3, (normal,) * 3, True),
    Case("sqrt0", sqrt0, ("mn",), (positive,), True),
    Case("quotient0", quotient0, ("mn",) * 2, (normal, positive), True),
    Case("skew", skew, ("3",), (normal,)),
    Case("skew-batched", skew, ("b3",), (normal,)),
    Case("cross", cross, ("3", "3"), (normal,) * 2),
    Case("cross-batched", cross, ("b3", "b3"), (normal,) * 2),
    Case("polar-solve", polar_solve, ("mn",) * 2, (DOMAIN["polar"], normal)),
    Case("polar-solve-batched", polar_solve, ("bmn",) * 2, (DOMAIN["polar"], normal)),
    *(Case(f"where({c})", Where(c), ("mn",) * 4, (normal,) * 4, True) for c in COMPARISONS),
    *(
        Case(f"power({p})", Power(p), ("mn",), (positive,), True)
        for p in map(Fraction, ("3", "4", "-1", "-2", "-3", "1/2", "-1/2", "5/3", "0.1"))
    ),
    Case("inv(2)", lambda a: build.apply(Inverse(2), a), ("mnmn",), (regular_tensor,)),
    Case("inv(2)-batched", lambda a: build.apply(Inverse(2), a), ("bnknk",), (regular_tensor,)),
    Case("tensor-solve", _tensor_solve, ("mnmn", "mn"), (regular_tensor, normal)),
    Case("cofactors(2)", lambda a: build.apply(Cofactors(2), a), ("nn",), (normal,)),
    *(
        Case(f"onehot({x})", _product_with_rows(x), ("m", *axes), (normal,) * (1 + len(axes)))
        for x, *axes in (
            ("j,gj,jk->gk", "n", "mk"),
            ("j,bgj,jk->kbg", "bn", "mk"),
            ("j,gj,gj->g", "n", "nm"),
            ("j,gj,gk->jk", "n", "nk"),
            ("j,bgj,bkg->bjk", "bn", "bkn"),
        )
    ),
    Case("symbolic-piecewise", _smooth_step(), ("mn",), (normal,), True),
    Case("symbolic-two-arguments", _saddle(), ("mn",) * 2, (normal,) * 2, True),
)
