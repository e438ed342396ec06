"""The linearised graph of a function, to look at and to apply: ``dx = L dx + D dp``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias, get_args, overload

from tcalc import calculus
from tcalc.context import Context
from tcalc.errors import ArgumentError, DimensionError
from tcalc.expr import build
from tcalc.expr.index_names import AxisNames, merged, of_axes
from tcalc.expr.nodes import Node, Var
from tcalc.expr.traverse import postorder
from tcalc.expression import Expression, Variable, Variables
from tcalc.requirements import new_input, require_expression, require_expressions, variables_of

if TYPE_CHECKING:
    from tcalc.backslash.blocks import Block
    from tcalc.backslash.numbers import Point
    from tcalc.backslash.system import Steps, System
    from tcalc.backslash.writing import Entry, Writing

Functions: TypeAlias = Expression | Sequence[Expression] | Mapping[str, Expression]

MOST_SHOWN = 60
"""More vertices than these are not written out unless asked for."""


class Linearization:
    """The linearisation of a function: vertices, inputs, and the operators between them.

    The differentials of the vertices `x` and the inputs `p` of a graph satisfy the block-triangular
    system ``dx = L dx + D dp``.  The derivative ``g' (I - L)^{-1} D`` is computed from the right,
    by forward substitution (`forward`), or from the left, by back substitution (`reverse`).  `str`
    prints all of it; `blocks` has the operators, with `apply`, `adjoint`, `dense` and `notation`.
    """

    def __init__(
        self,
        outputs: Mapping[str, Node],
        inputs: Sequence[Var],
        context: Context,
        steps: Steps,
    ) -> None:
        from tcalc.backslash.system import linearised

        defined = list(context.definitions.items())
        prepared = calculus.linearisable([*outputs.values(), *(node for _, node in defined)])
        roots, named = prepared[: len(outputs)], prepared[len(outputs) :]
        self.system: System = linearised(roots, inputs, named, steps)
        self._context = context
        self._outputs = dict(zip(outputs, roots, strict=True))
        names = {node: name for (name, _), node in reversed(list(zip(defined, named, strict=True)))}
        names |= {node: name for name, node in self._outputs.items() if name}
        self._names = names

    @cached_property
    def _writing(self) -> Writing:
        from tcalc.backslash.writing import Writing

        style = self._context.style
        return Writing(
            self.system, self._names, style["order"], style["index_names"], style["names"]
        )

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the variables that vary."""
        return tuple(variable.name for variable in self.system.inputs)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the functions."""
        return tuple(map(self._writing.name, self.system.outputs))

    @property
    def vertices(self) -> dict[str, Expression]:
        """The vertices by name, operands before what is computed with them."""
        return {
            self._writing.name(vertex): Expression(vertex, self._context)
            for vertex in self.system.vertices
        }

    @property
    def blocks(self) -> dict[tuple[str, str], Block]:
        """The operators of L and D that are not zero, by the names of row and column."""
        name = self._writing.name
        return {
            (name(vertex), name(node)): block
            for vertex in self.system.vertices
            for node, block in self.system.rows[vertex]
        }

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The same as texts: row, column, kind, notation, and notation of the adjoint."""
        return tuple(self._writing.entries)

    def forward(self, **directions: str) -> dict[str, Expression]:
        """The differentials of all vertices, by forward substitution.

        Directions are names of new inputs: in ``forward(w="v")``, the direction of `w` is `v`.

        >>> from tcalc import parse
        >>> F = parse("y = A*x; sin(y)", "A[m,n], x[n]")
        >>> print(linearize(F, "x").forward(x="v")["y"])
        A*v
        """
        known = {variable.name: variable for variable in self.system.inputs}
        moves = self._moves(directions, known, "input")
        return self._found(self.system.forward(moves), moves)

    def reverse(self, **cotangents: str) -> dict[str, Expression]:
        """The derivatives by all vertices and inputs, by back substitution.

        Cotangents are names of new inputs: in ``reverse(f="u")``, that of the output `f` is `u`.
        By default, the cotangent of a single scalar output is 1.

        >>> from tcalc import parse
        >>> f = parse("r = X*w - y; f = r'*r", "X[m,n], w[n], y[m]")
        >>> print(linearize(f, "w").reverse()["w"])
        2*X'*(X*w - y)
        """
        known = dict(zip(self.outputs, self.system.outputs, strict=True))
        if cotangents:
            weights = self._moves(cotangents, known, "output")
            return self._found(self.system.reverse(weights), weights)
        (root, *others) = self.system.outputs
        if others or root.order:
            raise DimensionError(
                "only a single scalar output has a cotangent of its own",
                hint="name one: reverse(" + ", ".join(f'{name}="u"' for name in known) + ")",
            )
        return self._found(self.system.reverse({root: build.const(1)}), {})

    def at(self, /, **data: Any) -> Point:
        """The linear map at a point, for products with arrays.

        The point has `jacobian(output, input)` and `hessian(input)`, operators of SciPy, and
        `forward(directions)` and `reverse(cotangents)`, with arrays by name.

        >>> from tcalc import parse
        >>> J = linearize(parse("sin(A*x)"), "x").at(A=[[1.0, 2.0]], x=[0.0, 0.0]).jacobian()
        >>> J.shape, J @ [1.0, 1.0], J.T @ [1.0]
        ((1, 2), array([3.]), array([1., 2.]))
        """
        from tcalc.backslash.numbers import Point

        named = dict(zip(self.outputs, self.system.outputs, strict=True))
        return Point(self.system, named, self._context.variables, data)

    def text(self, limit: int | None = MOST_SHOWN) -> str:
        """The system as text: vertices, differentials, cotangents, and both matrices.

        `limit` bounds the number of vertices that are written; None is no bound.
        """
        count = len(self.system.vertices)
        if limit is not None and count > limit:
            return (
                f"{count} vertices and {len(self.system.blocks)} blocks: too many to be read; "
                f"text(limit=None), or --limit {count}, writes them all"
            )
        page = self._writing
        inputs, outputs = ", ".join(self.inputs), ", ".join(self.outputs)
        parts = [
            ("The vertices, one a row:", page.values),
            (f"Forward substitution, dx = L dx + D dp, given d of {inputs}:", page.differentials()),
            (f"Back substitution, x_bar = (I - L)' \\ g, given g at {outputs}:", page.cotangents()),
            ("where", page.asides),
            ("I - L, from vertices to vertices:", page.lower().splitlines() if count else []),
            ("D, from inputs to vertices:", page.right().splitlines() if count else []),
        ]
        blocks = [
            "\n".join([title, "", *("  " + line for x in lines for line in x.splitlines())])
            for title, lines in parts
            if lines
        ]
        return "\n\n".join([*blocks, *self._legend()])

    def __str__(self) -> str:
        return self.text()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What IPython and notebooks show."""
        printer.text(str(self))

    def __repr__(self) -> str:
        return (
            f"<Linearization: {len(self.system.vertices)} vertices, "
            f"{len(self.system.blocks)} blocks>"
        )

    def _legend(self) -> list[str]:
        """What the signs mean that occur."""
        written = " ".join(x for e in self.entries for x in (e.notation, e.adjoint))
        meanings = [
            ("⊗", "A ⊗ B: X -> B*X*A'"),
            ("diag(", "diag(H): X -> H.*X"),
            ("⟨", "⟨G, ·⟩: X -> sum(G.*X)"),
            ("\\", "A\\: X -> A\\X"),
            ("(/", "/A: X -> X/A"),
            (") T", "T: X -> X'"),
            ("[", "[1,:]: X -> X[1,:]"),
            ("sym", "sym: X -> (X + X')/2"),
            ("∂", "∂k f: the derivative of f by its k-th argument, applied"),
        ]
        if "#" in self._writing.lower() + self._writing.right():
            meanings.append(("", "# is a block written above"))
        known = [meaning for sign, meaning in meanings if sign in written]
        return ["Operators act from the right.  " + ";  ".join(known) + "."] if known else []

    def _moves(
        self, chosen: Mapping[str, str], known: Mapping[str, Node], what: str
    ) -> dict[Node, Var]:
        """For each chosen input, or output, the new input that is named for it."""
        inputs = dict(self._context.variables)
        moves: dict[Node, Var] = {}
        for name, wish in chosen.items():
            if name not in known:
                raise ArgumentError(
                    f"there is no {what} {name!r}", hint=f"the {what}s: {', '.join(known)}"
                )
            made = new_input(wish, known[name].dims, inputs)
            inputs[wish] = moves[known[name]] = made
        return moves

    def _found(
        self, nodes: Mapping[Node, Node], moves: Mapping[Node, Var]
    ) -> dict[str, Expression]:
        variables = {**self._context.variables, **{x.name: x for x in moves.values()}}
        known = self._context
        directions: dict[Node, AxisNames] = {
            move: of_axes(known.index_names, node) for node, move in moves.items()
        }
        names = merged(known.index_names, directions)
        context = replace(known, variables=variables, index_names=names)
        name = self._writing.name
        return {name(node): Expression(value, context) for node, value in nodes.items()}


@overload
def linearize(
    F: Functions, wrt: Variable | Variables | None = ..., *, steps: Steps = ..., at: None = ...
) -> Linearization: ...
@overload
def linearize(
    F: Functions,
    wrt: Variable | Variables | None = ...,
    *,
    steps: Steps = ...,
    at: Mapping[str, Any],
) -> Point: ...
def linearize(
    F: Functions,
    wrt: Variable | Variables | None = None,
    *,
    steps: Steps = "auto",
    at: Mapping[str, Any] | None = None,
) -> Linearization | Point:
    """The linearised graph of a function, or of several, as a block-triangular system.

    `wrt` names the variables that vary, by default all.  The vertices are the definitions of the
    program or, if it has none, its functions; `steps` may be ``"definitions"``, ``"functions"`` or
    ``"operations"`` (sums and products too).  With data as `at`, the result is the linear map at
    this point, as `Linearization.at` returns it.  (Akyürek, Edelman, Wang, *Backpropagation through
    Back Substitution with a Backslash*, 2024.)

    Raises `ArgumentError` for something that is not an expression, and `UnknownNameError` for a
    name that is not a variable.

    >>> from tcalc import parse
    >>> f = parse("x1 = tanh(w1*x0 + b1); x2 = tanh(w2*x1 + b2)", "x0[], w1[], b1[], w2[], b2[]")
    >>> lin = linearize(f, ["w1", "b1"])
    >>> for (row, column), block in lin.blocks.items():
    ...     print(row, column, block.kind)
    x1 w1 scalar
    x1 b1 scalar
    x2 x1 scalar
    >>> J = linearize(parse("A*x"), "x", at={"A": [[1.0, 2.0]], "x": [0.0, 0.0]}).jacobian()
    >>> J.matvec([1.0, 1.0])
    array([3.])
    """
    from tcalc.backslash.system import Steps

    if steps not in get_args(Steps):
        raise ArgumentError(
            f"there are no steps {steps!r}", hint=", ".join(map(repr, get_args(Steps)))
        )
    outputs = _outputs(F)
    context = Context()
    for expression in outputs.values():
        context = context.merged(expression.context)
    whole = Expression(next(iter(outputs.values())).node, context)
    if wrt is None:
        needed = set(postorder([expression.node for expression in outputs.values()]))
        inputs = [variable for variable in whole.variables.values() if variable in needed]
    else:
        inputs = list(dict.fromkeys(whole.variable(x) for x in variables_of(wrt)))
    if not inputs:
        raise ArgumentError("there is no variable to differentiate by")
    full = replace(context, variables=whole.variables)
    nodes = {name: expression.node for name, expression in outputs.items()}
    made = Linearization(nodes, inputs, full, steps)
    return made if at is None else made.at(**at)


def _outputs(F: Functions) -> dict[str, Expression]:
    """The functions by name; one that stands alone has an empty name here."""
    if isinstance(F, Expression):
        return {"": F}
    if isinstance(F, Mapping):
        named = {name: require_expression(expression) for name, expression in F.items()}
    else:
        named = {f"F{k}": expression for k, expression in enumerate(require_expressions(F), 1)}
    if not named:
        raise ArgumentError("there is nothing to linearize")
    return named
