"""Functions of the user's own: element-wise ones by SymPy, and tensor functions by callables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tcalc import language
from tcalc.calculus.accumulate import pullback, pushforward
from tcalc.errors import ArgumentError, DimensionError, TcalcError, UnknownNameError
from tcalc.expr import build
from tcalc.expr.nodes import Apply, Node, Var
from tcalc.expr.primitive import Operator
from tcalc.expr.traverse import dependents, postorder, variables
from tcalc.expression import Expression, Operand, combine
from tcalc.language.calls import FORMS
from tcalc.primitives import REGISTRY
from tcalc.primitives.batch import over_batch
from tcalc.primitives.callables import Callables, derived
from tcalc.primitives.custom import Custom, Definition, Rule
from tcalc.primitives.function import Function, tensor_form
from tcalc.primitives.operators import is_zero, operator

Arrays: TypeAlias = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class UserFunction:
    """A function of the user's: callable on expressions, and usable in programs.

    `supplied` are the callables, by name, that a generated module needs of it when it is to run
    outside of tcalc: ``module.supplied.update(f.supplied)``.
    """

    entry: Function
    supplied: Mapping[str, Arrays] = field(default_factory=dict, compare=False)

    def __call__(self, *arguments: Operand) -> Expression:
        """The function applied to expressions, as in a program."""
        names = [f"argument{k}" for k in range(len(arguments))]
        formula = f"{self.entry.name}({', '.join(names)})"
        return combine(formula, [self.entry], **dict(zip(names, arguments, strict=True)))


def elementwise(name: str, expression: Any, *symbols: Any) -> UserFunction:
    """An element-wise function given as a SymPy expression in the given symbols.

    SymPy differentiates it to every order and writes its NumPy code; text is never parsed.

    >>> import sympy, tcalc
    >>> t = sympy.Symbol("t")
    >>> huber = elementwise("huber", sympy.sqrt(1 + t**2) - 1, t)
    >>> f = tcalc.parse("sum(huber(X*w - y))", functions=[huber])
    >>> bool(tcalc.check(f, "w", order=2))
    True
    """
    from tcalc.primitives import symbolic

    _check_name(name)
    return UserFunction(symbolic.elementwise(name, expression, *symbols).function)


def function(
    name: str,
    signature: str,
    evaluate: Arrays,
    *,
    pushforward: str | Arrays | None = None,
    pullback: str | Mapping[str, str] | Arrays | None = None,
    second: Arrays | None = None,
    functions: Iterable[UserFunction] = (),
    batched: bool = False,
    analytic: bool = False,
) -> UserFunction:
    """A function of tensors, computed by a callable on arrays, with a derivative of your own.

    The signature declares arguments and value, ``"A[n,n], b[n] -> x[n]"``; scalars have no
    brackets, dimensions are names, and properties of the value (``-> Y[n,n] symmetric``) are
    believed.  The derivative is given in one of two ways:

    - `pushforward` is a program: the direction of the value for the directions ``dA``, ``db``,
      in which it is linear.  It may name the arguments, the value, and other `functions` of
      yours.  The pullback and all higher derivatives follow.  A function that is linear in an
      argument may be named in its own derivative, if `pullback` has a program for the cotangent
      of each argument, ``{"A": ..., "b": ...}``, in the cotangent ``x_bar`` of the value.
    - `pushforward`, `pullback` and `second` are callables on arrays, with the value y = f(x):
      ``pushforward(*x, y, *dx)`` gives the direction of y, ``pullback(*x, y, g)`` the cotangent
      of the argument for the cotangent g of y (a tuple for several arguments), and
      ``second(*x, y, g, *dx)`` how that changes in a direction, g being fixed.  Derivatives print
      by name, and end with the second.

    With `batched` the callables map over leading axes themselves; else they are called for one
    cell after the other.  `analytic` tells that `evaluate` takes complex arrays and is analytic,
    so that `check` is exact.  Arrays are handed over read-only.  `check` finds a wrong derivative.

    Raises `TcalcError` for a signature or a derivative that does not fit.

    >>> import numpy as np, tcalc
    >>> resolvent = function(
    ...     "resolvent", "A[n,n] -> Y[n,n]", np.linalg.inv, pushforward="-Y*dA*Y", batched=True
    ... )
    >>> f = tcalc.parse("x'*resolvent(A)*x", functions=[resolvent])
    >>> print(tcalc.gradient(f, "A"))
    -resolvent(A)'*x*x'*resolvent(A)'
    >>> bool(tcalc.check(f, "A", order=2))
    True
    """
    _check_name(name)
    arguments, value = _read(name, signature)
    if not callable(evaluate):
        raise ArgumentError(f"{name}: evaluate must be a callable on arrays")
    rule = _rule(name, arguments, (pushforward, pullback, second), functions)
    definition = Definition(name, arguments, value, evaluate, rule, batched, analytic)
    primitive = Custom(definition)
    if isinstance(rule, _Formula):
        rule.verify(definition)
    supplied = {x.name: x for x in (primitive, *derived(definition))}
    return UserFunction(_entry(definition), supplied)


def _rule(
    name: str,
    arguments: Sequence[Var],
    given: tuple[Any, Any, Any],
    functions: Iterable[UserFunction],
) -> Rule | None:
    """The derivative, of what was given as pushforward, pullback and second."""
    match given:
        case (None, None, None):
            return None
        case (str() as text, None | str() | Mapping() as pulls, None):
            pulls = {arguments[0].name: pulls} if isinstance(pulls, str) else pulls or {}
            if pulls and pulls.keys() != {x.name for x in arguments}:
                raise ArgumentError(
                    f"{name}: pullback has a program for each argument, or none",
                    hint=", ".join(x.name for x in arguments),
                )
            texts = tuple(pulls[x.name] for x in arguments) if pulls else ()
            return _Formula(text, texts, tuple(f.entry for f in functions))
        case (push, pull, second) if (
            callable(push) and callable(pull) and (second is None or callable(second))
        ):
            return Callables(push, pull, second)
    raise ArgumentError(
        f"{name}: the derivative is a program for pushforward, or callables for pushforward and "
        "pullback",
        hint="second= goes with callables; all derivatives follow from a program",
    )


def _check_name(name: str) -> None:
    if not isinstance(name, str) or not name.isidentifier():
        raise ArgumentError(f"{name!r} is not a name for a function")
    if name in REGISTRY or name in FORMS:
        raise ArgumentError(
            f"the language has a function {name} of its own", hint="choose another name"
        )


def _read(name: str, signature: str) -> tuple[tuple[Var, ...], Var]:
    """The arguments and the value that a signature declares."""
    hint = 'a signature is as "A[n,n], b[n] -> x[n]"'
    left, arrow, right = signature.partition("->") if isinstance(signature, str) else ("", "", "")
    if not arrow:
        raise ArgumentError(f"{name}: {signature!r} is no signature", hint=hint)
    *arguments, value = language.parse_declarations(f"{left}, {right}").values()
    if not arguments or len(language.parse_declarations(right)) != 1:
        raise ArgumentError(f"{name}: a signature has arguments, and one value", hint=hint)
    names = {dim for x in arguments for dim in x.dims}
    for dim in (*names, *value.dims):
        if not dim.is_name or dim not in names:
            raise ArgumentError(
                f"{name}: the dimension {dim} is not the name of one of an argument", hint=hint
            )
    for x in arguments:
        if x.properties:
            raise ArgumentError(
                f"{name}: the argument {x.name} has a property",
                hint="declare it of the variables of a program; the value may have properties",
            )
    taken = {x.name for x in (*arguments, value)}
    for x in arguments:
        if f"d{x.name}" in taken:
            raise ArgumentError(f"{name}: d{x.name} is the name of the direction of {x.name}")
    return tuple(arguments), value


def _entry(definition: Definition) -> Function:
    """What the language needs to know of the function."""
    names = list(dict.fromkeys(dim for x in definition.arguments for dim in x.dims))
    letters = {dim: chr(ord("a") + k) for k, dim in enumerate(names)}
    inputs, output = (
        ",".join("..." + "".join(letters[dim] for dim in x.dims) for x in side)
        for side in (definition.arguments, (definition.value,))
    )
    primitive = Custom(definition)

    def applied(*nodes: Node) -> Node:
        return build.apply(primitive, *nodes)

    rule = definition.rule
    return Function(
        definition.name,
        (tensor_form(f"{inputs}->{output}", applied),),
        f"{definition.name}: {definition}",
        derivative=rule.text if isinstance(rule, _Formula) else "",
    )


@dataclass(frozen=True, slots=True)
class _Formula:
    """A derivative given as a program for the direction of the value.

    Its adjoint is that of the program, differentiated by the direction, unless there are
    programs for the cotangents of the arguments too.
    """

    text: str
    pulls: tuple[str, ...]
    functions: tuple[Function, ...]

    def jacobian(self, node: Apply, position: int) -> Operator:
        """The local Jacobian of an application by its argument at `position`."""
        assert isinstance(node.primitive, Custom)
        definition = node.primitive.definition

        def push(d: Node, *xy: Node) -> Node:
            zeros = [build.zeros(x.dims) for x in xy[:-1]]
            directions = [*zeros[:position], d, *zeros[position + 1 :]]
            return self._applied(definition, self.text, xy, directions)

        def pull(bar: Node, *xy: Node) -> Node:
            return self._applied(definition, self.pulls[position], xy, [bar])

        core = definition.value.order
        applied = operator(node, position, (*node.args, node), push, pull, core)
        if self.pulls:
            return applied
        argument = node.args[position]
        # No name of a program has a space.
        direction = build.var(f"direction of {argument.digest.hex()}", argument.dims)
        change = push(direction, *node.args, node)

        def adjoint(cotangent: Node) -> Node:
            output = cotangent.dims[: cotangent.order - node.order]
            return pullback(change, [direction], cotangent, output)[0]

        return Operator(applied.push, adjoint)

    def _applied(
        self, definition: Definition, text: str, xy: Sequence[Node], linear: Sequence[Node]
    ) -> Node:
        """A program on tensors with the same batch axes."""
        lead = xy[-1].order - definition.value.order
        sizes = {
            str(name): dim
            for variable, x in zip(definition.arguments, xy, strict=False)
            for name, dim in zip(variable.dims, x.dims[lead:], strict=True)
        }
        root, inputs = self._elaborated(definition, text)
        values: dict[Node, Node] = dict(zip(inputs, (*xy, *linear), strict=True))
        return over_batch(root, values, xy[-1].dims[:lead], sizes)

    def _elaborated(self, definition: Definition, text: str) -> tuple[Node, tuple[Var, ...]]:
        """The program, and what it may name: arguments, value, directions or the cotangent."""
        arguments, value = definition.arguments, definition.value
        if text is self.text:
            linear = [build.var(f"d{x.name}", x.dims) for x in arguments]
        else:
            linear = [build.var(f"{value.name}_bar", value.dims)]
        inputs = (*arguments, value, *linear)
        given = {x.name: language.Given(x) for x in inputs}
        known = (*self.functions, _entry(definition))
        try:
            return language.parse(text, functions=known, given=given).value, inputs
        except TcalcError as error:
            raise error.advise(f"this is in the derivative of {definition.name}") from None

    def verify(self, definition: Definition) -> None:
        """Refuse programs that give tensors of another shape, or are not linear."""
        arguments, value = definition.arguments, definition.value
        self._verify(definition, self.text, value, arguments)
        for argument, text in zip(arguments, self.pulls, strict=bool(self.pulls)):
            self._verify(definition, text, argument, (value,))

    def _verify(
        self, definition: Definition, text: str, result: Var, linear: Sequence[Var]
    ) -> None:
        name = definition.name
        root, inputs = self._elaborated(definition, text)
        for variable in variables([root]):
            if variable not in inputs:
                raise UnknownNameError(
                    f"the derivative of {name} names {variable.name}",
                    hint="it may name " + ", ".join(x.name for x in inputs),
                )
        if root.dims != result.dims:
            raise DimensionError(
                f"the derivative of {name} has the axes [{', '.join(map(str, root.dims))}], and "
                f"should have those of {result!r}"
            )
        moving = set(inputs[-len(linear) :])
        live = dependents([root], moving)
        itself = any(isinstance(x, Apply) and x.primitive == Custom(definition) for x in live)
        if itself and not self.pulls:
            raise ArgumentError(
                f"the derivative of {name} applies {name} to a direction, so that its adjoint "
                "does not follow from it",
                hint="give pullback= as well, a program for each argument",
            )
        rest = over_batch(root, {d: build.zeros(d.dims) for d in moving}, (), {})
        affine = not any(map(is_zero, postorder([rest])))
        slopes = [pushforward(root, {d: build.var(f"{d.name} ", d.dims)}, ()) for d in moving]
        if affine or set(variables(slopes)) & moving:
            raise ArgumentError(
                f"the derivative of {name} is not linear in "
                + ", ".join(x.name for x in inputs[-len(linear) :]),
                hint='that of inv, with the value Y, is "-Y*dA*Y"',
            )
