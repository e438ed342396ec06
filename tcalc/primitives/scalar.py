"""Functions of one number, given as expressions: substituted, differentiated, evaluated.

A function of a matrix carries the function of a number that it applies to eigenvalues or singular
values: an expression of element-wise primitives, products, sums and numbers in `ARGUMENT` and, as
scalars that it is differentiated by as well, `parameter(0)`, `parameter(1)`, ….  Divided
differences need its derivatives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from tcalc.expr import build
from tcalc.expr.nodes import Add, Apply, Const, Einsum, Node, Var
from tcalc.expr.traverse import postorder, rebuild, variables
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.elementwise import Elementwise

T = TypeVar("T")

ARGUMENT = build.var("x", ())


def parameter(k: int) -> Var:
    """The variable that stands for the k-th parameter of a function."""
    return build.var(f"t{k}", ())


def split_arguments(
    arguments: Sequence[T], parameters: int
) -> tuple[T, tuple[T, ...], tuple[T, ...]]:
    """The matrix, the parameters of the function applied to it, and the directions."""
    cut = 1 + parameters
    return arguments[0], tuple(arguments[1:cut]), tuple(arguments[cut:])


def scalar_derivative(g: Node, by: Var) -> Node:
    """The derivative of a scalar expression by one of its variables.

    >>> x = build.var("x", ())
    >>> scalar_derivative(build.einsum([x, x], ",->"), x) is build.scale(2, x)
    True
    """
    found: dict[Node, Node] = {by: build.ones()}
    for node in postorder([g]):
        moving = [k for k, operand in enumerate(node.operands) if operand in found]
        if not moving:
            continue
        terms: list[tuple[build.Number, Node]] = []
        for k in moving:
            change = found[node.operands[k]]
            match node:
                case Add(terms=parts):
                    terms.append((parts[k][0], change))
                case Einsum(factors=factors):
                    terms.append((1, build.hadamard(change, *factors[:k], *factors[k + 1 :])))
                case Apply(primitive=Elementwise() as function):
                    terms.append((1, build.hadamard(function.slope(node, k), change)))
                case _:
                    raise TypeError(f"{node!r} is no function of numbers")
        found[node] = build.add(terms)
    return found.get(g, build.zeros())


def scalar_applied(g: Node, values: Mapping[Node, Node]) -> Node:
    """The expression, element by element, with tensors of one shape for its variables."""
    like = next(iter(values.values()))
    found: dict[Node, Node] = dict(values)
    for node in postorder([g]):
        operands = [found[operand] for operand in node.operands if operand in found]
        match node:
            case Var():
                continue
            case Const(value=value):
                found[node] = build.const(value, like.dims)
            case Add(terms=terms):
                found[node] = build.add((c, x) for (c, _), x in zip(terms, operands, strict=True))
            case Einsum():
                found[node] = build.hadamard(*operands)
            case Apply(primitive=primitive):
                found[node] = build.broadcast(build.apply(primitive, *operands), like.dims)
    return found[g]


def scalar_value(g: Node, values: Mapping[Node, Any]) -> Any:
    """The value of the expression on arrays that broadcast."""
    found: dict[Node, Any] = dict(values)
    for node in postorder([g]):
        operands = [found[operand] for operand in node.operands if operand in found]
        match node:
            case Const(value=value):
                found[node] = float(value)
            case Add(terms=terms):
                found[node] = sum(float(c) * x for (c, _), x in zip(terms, operands, strict=True))
            case Einsum():
                found[node] = 1.0
                for x in operands:
                    found[node] = found[node] * x
            case Apply(args=()):
                found[node] = node.primitive.constant((), {})
            case Apply(primitive=primitive):
                found[node] = primitive.evaluate(*operands)
    return found[g]


def applied_to(g: Node, x: Node, parameters: Sequence[Node]) -> Node:
    """The function of all elements of a tensor; a parameter has the first of its axes, or none."""
    axes = tuple(range(x.order))
    dims = dict(enumerate(x.dims))
    given: dict[Node, Node] = {
        parameter(k): build.einsum([t], [axes[: t.order]], axes, dims)
        for k, t in enumerate(parameters)
    }
    return scalar_applied(g, {ARGUMENT: x, **given})


def values_at(g: Node, x: Array, parameters: Sequence[Array]) -> Array:
    """The same on arrays."""
    given: dict[Node, Array] = {
        parameter(k): t.reshape(*t.shape, *[1] * (x.ndim - t.ndim))
        for k, t in enumerate(parameters)
    }
    return scalar_value(g, {ARGUMENT: x, **given}) + np.zeros_like(x)


def without_unused(g: Node, parameters: Sequence[Node]) -> tuple[Node, list[Node]]:
    """The function and its parameters, those left out that it does not use."""
    used = variables([g])
    kept = [k for k in range(len(parameters)) if parameter(k) in used]
    renamed: dict[Node, Node] = {parameter(k): parameter(j) for j, k in enumerate(kept)}
    (g,) = rebuild([g], replacements=renamed)
    return g, [parameters[k] for k in kept]
