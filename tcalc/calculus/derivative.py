"""Derivatives of any order: ``F[s]`` by ``X[t1]``, ``Y[t2]``, … has the axes ``[s, t1, t2, …]``.

Each order is one accumulation; a declared structure of the variable is applied to its axes after
each: derivatives by a symmetric variable are symmetrised over its two axes, those by a diagonal
or triangular one are projected onto its pattern.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from math import inf
from typing import Literal, TypeAlias, get_args

from tcalc.calculus.accumulate import pullback, pushforward
from tcalc.calculus.cost import flops
from tcalc.calculus.crosscountry import (
    Allowance,
    TooManyTermsError,
    factored_jacobian,
    hessian_by_cut,
)
from tcalc.calculus.elimination import least_degree_jacobian
from tcalc.calculus.ordering import by_tensor_order
from tcalc.calculus.prepare import differentiable, singular_written_out
from tcalc.calculus.spectral import spectral_sums
from tcalc.errors import ArgumentError
from tcalc.expr import build
from tcalc.expr.collector import collector_paused
from tcalc.expr.dims import Shape
from tcalc.expr.facts import holds
from tcalc.expr.nodes import Node, Var
from tcalc.expr.primitive import Fact
from tcalc.expr.traverse import orders_kept, postorder
from tcalc.primitives.selection import LowerMask

Mode: TypeAlias = Literal["forward", "reverse", "cross-country", "least-degree", "tensor-order"]
MODES: tuple[Mode, ...] = get_args(Mode)
"""The orders in which local Jacobians are multiplied; all give the same tensor.

- forward, from the variables on, and reverse, from the function back: each vertex one dense tensor;
- cross-country: factored products, multiplied when it pays, by the cheapest route that is known;
- least-degree: elimination of the vertices by least degree;
- tensor-order: reverse, with products multiplied in order of their tensors' order.

The gradient of a scalar is reverse mode in the last three.
"""
PLAIN: tuple[str, ...] = ("forward", "reverse", "tensor-order")
"""The modes that fix the order of products; in the others planning orders what is multiplied."""

LARGEST_COMPARISON = 5_000
"""The most nodes of a tensor for which the routes to its derivative are compared by cost."""
LONG = 100
"""The nodes beyond which a graph is long: of shorter ones the number of nodes does not count."""


@collector_paused()
@orders_kept()
def derivative(root: Node, variables: Sequence[Var], mode: str = "cross-country") -> Node:
    """The derivative of `root` by each of the variables in turn.

    >>> from tcalc.expr import shape
    >>> x = build.var("x", shape("n"))
    >>> derivative(build.einsum([x, x], "i,i->"), [x, x]) is build.scale(2, build.delta(x.dims[0]))
    True
    """
    check_mode(mode)
    if mode == "cross-country" and root.order == 0 and len(variables) > 1:
        given = differentiable(root)
        first, *variables = variables
        (gradient,) = pullback(given.function, [first], unit(()), ())
        root = project(gradient, first)
        # Sums over eigenvalues must be taken before the gradient is differentiated, and functions
        # of singular values that it has differentiated once be written out.
        if singular_written_out(spectral_sums([root])) == [root]:
            root = _cheapest_jacobian(root, variables[0], given.function)
            variables = variables[1:]
        if not variables:
            (root,) = given.shared([root])
    for variable in variables:
        (root,) = derivatives(root, [variable], mode)
    return root


@collector_paused()
@orders_kept()
def derivatives(root: Node, variables: Sequence[Var], mode: str = "cross-country") -> list[Node]:
    """The first derivatives of `root` by several variables.

    Cross-country is reverse mode for a scalar: one sweep serves all variables.
    """
    check_mode(mode)
    given = differentiable(root)
    root = given.function
    if mode == "forward":
        found = [
            pushforward(root, {variable: unit(variable.dims)}, variable.dims)
            for variable in variables
        ]
    elif mode in ("reverse", "tensor-order") or root.order == 0:
        found = pullback(root, variables, unit(root.dims), root.dims)
        if mode == "tensor-order":
            found = [by_tensor_order(result) for result in found]
    elif mode == "least-degree":
        found = [least_degree_jacobian(root, variable) for variable in variables]
    else:
        return given.shared([_cheapest_jacobian(root, variable) for variable in variables])
    found = given.shared(found)
    return [project(result, variable) for result, variable in zip(found, variables, strict=True)]


def _cheapest_jacobian(root: Node, variable: Var, function: Node | None = None) -> Node:
    """The derivative of a tensor by the cheapest of the routes that are known.

    `root` may be a gradient of a scalar `function`.  The structure of the variable is applied.
    Factored routes are left where they have more terms on the way than reverse mode has nodes.
    """
    (reverse,) = pullback(root, [variable], unit(root.dims), root.dims)
    most = max(len(postorder([reverse])), LONG)
    candidates: list[Node] = []
    with suppress(TooManyTermsError):
        candidates.append(factored_jacobian(root, variable, Allowance(most)))
    if function is not None:
        with suppress(TooManyTermsError):
            candidates.append(hessian_by_cut(root, function, variable, Allowance(most)))
    candidates.append(reverse)
    found, *others = dict.fromkeys(project(result, variable) for result in candidates)
    if not others or most > LARGEST_COMPARISON:
        return found  # a factored one, where there is one
    least = _burden(found)
    for other in others:
        burden = _burden(other, least)
        if burden < least:
            found, least = other, burden
    return found


def _burden(node: Node, enough: int | None = None) -> int:
    """What routes are compared by: of long graphs one twice as long must save four times the work.

    The sizes are not known yet.  Where they are large the operations take the time; where they are
    small every node takes the same, as it does for whoever reads the formula.  The count ends where
    it has come to `enough`.
    """
    weight = max(len(postorder([node])), LONG) ** 2
    return flops([node], enough=inf if enough is None else -(-enough // weight)) * weight


def unit(dims: Shape) -> Node:
    """The unit tensor of order 2k over k dimensions: the derivative of a tensor by itself."""
    axes = tuple(range(len(dims)))
    return build.einsum([], [], axes + axes, dict(enumerate(dims)))


def project(result: Node, variable: Var) -> Node:
    """Apply the declared structure of a variable to the last axes of a derivative by it.

    symmetric: ``(G + G')/2``; diagonal, lower, upper: the entries of the pattern, zero elsewhere.
    """
    if variable.order < 2:
        return result
    axes = tuple(range(result.order))
    *lead, i, j = axes
    dim = variable.dims[-1]
    if holds(variable, Fact.DIAGONAL):
        return build.einsum([result, build.delta(dim)], [axes, (i, j)], axes)
    if holds(variable, Fact.SYMMETRIC):
        half = Fraction(1, 2)
        return build.add([(half, result), (half, build.transpose(result, (*lead, j, i)))])
    rows, columns = variable.dims[-2:]
    if holds(variable, Fact.LOWER):
        mask = build.apply(LowerMask(rows, columns, 0))
        return build.einsum([result, mask], [axes, (i, j)], axes)
    if holds(variable, Fact.UPPER):
        mask = build.apply(LowerMask(columns, rows, 0))
        return build.einsum([result, mask], [axes, (j, i)], axes)
    return result


def check_mode(mode: str) -> None:
    """Refuse what is no mode."""
    if mode not in MODES:
        raise ArgumentError(
            f"there is no mode {mode!r}", hint="the modes are " + ", ".join(map(repr, MODES))
        )
