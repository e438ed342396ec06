"""Products of derivatives with a direction or a cotangent, as expressions.

The direction is an input of the result like any other, so a product can be printed as a formula,
and compiled together with value and gradient, sharing their work (Pearlmutter, *Fast exact
multiplication by the Hessian*, 1994).  Shapes, for a function of shape ``[s]`` and a variable of
shape ``[t]``:

=====  =====================  =================  =========================
 name   what it multiplies     one at a time      several at once, ``[k]``
=====  =====================  =================  =========================
 jvp    the Jacobian, right    ``[t] -> [s]``     ``[t,k] -> [s,k]``
 vjp    the Jacobian, left     ``[s] -> [t]``     ``[k,s] -> [k,t]``
 hvp    the Hessian            ``[t] -> [t]``     ``[t,k] -> [t,k]``
=====  =====================  =================  =========================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import overload

from tcalc import calculus
from tcalc.errors import ArgumentError
from tcalc.expr import build
from tcalc.expr.dims import Dim, Shape
from tcalc.expr.index_names import AxisNames, IndexNames, of_axes
from tcalc.expr.names import free_names
from tcalc.expr.nodes import Node, Var
from tcalc.expression import Expression, Names, Variable, Variables
from tcalc.language.parser import is_name
from tcalc.requirements import (
    each_once,
    names_of,
    new_input,
    require_expression,
    require_scalar,
    variables_of,
)


def jvp(
    F: Expression,
    wrt: Variable | Variables,
    direction: str | Names | None = None,
    *,
    several: str | int | None = None,
) -> Expression:
    """The Jacobian times a direction, which is an input of the result with the variable's shape.

    `direction` is its name; by default, the direction of `x` is ``dx``.  With a list of variables,
    each has its own direction, and the result is the sum of their contributions.  `several` is the
    name or size of one more axis, the last one of directions and result, for several directions at
    once.

    Raises `UnknownNameError` for an unknown variable, `DimensionError` if a direction is already an
    input of another shape, and `ArgumentError` for names that directions cannot have.

    >>> import tcalc
    >>> f = tcalc.parse("A*sin(x)")
    >>> print(jvp(f, "x"))
    A*(dx.*cos(x))
    >>> jvp(f, "x", "V", several="k").shape
    ('m', 'k')
    """
    variables = _variables(F, wrt)
    axes = _axes(F, several)
    moves = _inputs(F, variables, direction, [(*x.dims, *axes) for x in variables], "d{}")
    node = calculus.jvp(F.node, dict(zip(variables, moves, strict=True)))
    known = _named([node, *moves], [F.axis_names(), *(_names(F, x) for x in variables)])
    return F.with_node(node, moves, index_names=known)


@overload
def vjp(
    F: Expression, wrt: Variable, cotangent: str | None = ..., *, several: str | int | None = ...
) -> Expression: ...
@overload
def vjp(
    F: Expression, wrt: Variables, cotangent: str | None = ..., *, several: str | int | None = ...
) -> dict[str, Expression]: ...
def vjp(
    F: Expression,
    wrt: Variable | Variables,
    cotangent: str | None = None,
    *,
    several: str | int | None = None,
) -> Expression | dict[str, Expression]:
    """A cotangent times the Jacobian; the cotangent is an input of the result with `F`'s shape.

    `cotangent` is its name, by default ``F_bar``.  A list of variables gives a dictionary by name.
    `several` is the name or size of one more axis, the first one of cotangents and results, for
    several cotangents at once.  The errors are those of `jvp`.

    >>> import tcalc
    >>> print(vjp(tcalc.parse("A*x"), "x", "u"))
    A'*u
    """
    variables = _variables(F, wrt)
    axes = _axes(F, several)
    # The names of variables have no place in that of a cotangent, which is of the value.
    (weight,) = _inputs(F, [build.var("F", F.node.dims)], cotangent, [axes + F.node.dims], "{}_bar")
    found: dict[str, Expression] = {}
    for x in variables:
        node = calculus.vjp(F.node, x, weight)
        known = _named([node, weight], [_names(F, x), F.axis_names()], first=len(axes))
        found[x.name] = F.with_node(node, [weight], index_names=known)
    return found if isinstance(wrt, list | tuple) else found[variables[0].name]


@overload
def hvp(
    f: Expression, wrt: Variable, direction: str | None = ..., *, several: str | int | None = ...
) -> Expression: ...
@overload
def hvp(
    f: Expression, wrt: Variables, direction: Names | None = ..., *, several: str | int | None = ...
) -> dict[str, Expression]: ...
def hvp(
    f: Expression,
    wrt: Variable | Variables,
    direction: str | Names | None = None,
    *,
    several: str | int | None = None,
) -> Expression | dict[str, Expression]:
    """The Hessian of a scalar times a direction, without forming the Hessian.

    It is the directional derivative of the gradient: forward over reverse mode.  `direction` is the
    name of the direction; by default, that of `x` is ``dx``.  A list of variables takes a direction
    for each, and gives the product with the whole Hessian, mixed derivatives included, as a
    dictionary by name.  `several` is the name or size of one more axis, the last one of directions
    and results, for several directions at once.  The errors are those of `jvp`, and
    `DimensionError` if `f` is not a scalar.

    >>> import tcalc
    >>> f = tcalc.parse("sum(exp(x))")
    >>> print(hvp(f, "x", "v"))
    v.*exp(x)
    >>> hvp(f, "x", several=3).shape
    ('m', '3')
    """
    require_scalar(f, "hvp")
    variables = _variables(f, wrt)
    axes = _axes(f, several)
    moves = _inputs(f, variables, direction, [(*x.dims, *axes) for x in variables], "d{}")
    along: dict[Var, Node] = dict(zip(variables, moves, strict=True))
    nodes = calculus.hvps(f.node, along)
    names = [_names(f, x) for x in variables]
    known = _named([*moves, *nodes], names * 2)
    made = [f.with_node(node, moves, index_names=known) for node in nodes]
    found = {x.name: result for x, result in zip(variables, made, strict=True)}
    return found if isinstance(wrt, list | tuple) else found[variables[0].name]


def _variables(F: Expression, wrt: Variable | Variables) -> list[Var]:
    require_expression(F)
    variables = [F.variable(variable) for variable in variables_of(wrt)]
    if not variables:
        raise ArgumentError("a product needs at least one variable", hint="hvp(f, 'w')")
    each_once([x.name for x in variables])
    return variables


def _axes(F: Expression, several: str | int | None) -> Shape:
    """The axis of several directions: none, or one."""
    if several is None:
        return ()
    if isinstance(several, str) and not is_name(several):
        raise ArgumentError(f"{several!r} is not a name for a dimension")
    if isinstance(several, str) and several in F.variables:
        raise ArgumentError(f"{several} is a variable, and cannot be a dimension too")
    if isinstance(several, bool):
        hint = "the name of one more axis, several='k', or how many, several=3"
        raise ArgumentError(f"several={several} does not say how many directions", hint=hint)
    if not isinstance(several, str) and (not isinstance(several, Integral) or several < 1):
        raise ArgumentError(f"{several} directions are none", hint="several=1 or more")
    return (Dim.of(several),)


def _names(F: Expression, x: Var) -> AxisNames:
    return of_axes(F.context.index_names, x)


def _named(nodes: Sequence[Node], names: Sequence[AxisNames], first: int = 0) -> IndexNames:
    """Names for the axes of tensors, but for the one of several directions."""
    found: dict[Node, AxisNames] = {}
    for node, known in zip(nodes, names, strict=True):
        blank: AxisNames = ((),) * first
        found[node] = (blank + known + ((),) * node.order)[: node.order]
    return found


def _inputs(
    F: Expression,
    of: Sequence[Var],
    given: str | Names | None,
    shapes: Sequence[Shape],
    pattern: str,
) -> list[Var]:
    """The new inputs: of the given names, or of names that nothing has yet."""
    known: Mapping[str, Var] = F.variables
    if given is None:
        free = free_names((pattern.format(x.name) for x in of), known)
        return [build.var(name, dims) for name, dims in zip(free, shapes, strict=True)]
    names = names_of(given)
    for name in names:
        if not isinstance(name, str):
            raise ArgumentError(
                f"a direction is given by a name, not by an object of type {type(name).__name__}",
                hint="hvp(f, 'w', 'v') has an input v of the shape of w; its value goes to the "
                "function that tcalc.compile makes",
            )
    if len(names) != len(of):
        raise ArgumentError(
            f"{len(names)} direction{'s' * (len(names) != 1)} for {len(of)} "
            f"variable{'s' * (len(of) != 1)}",
            hint="give a name for each",
        )
    if len(set(names)) < len(names):
        raise ArgumentError("two directions have one name", hint="give a name for each")
    return [new_input(name, dims, known) for name, dims in zip(names, shapes, strict=True)]
