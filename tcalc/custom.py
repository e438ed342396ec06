"""User-defined functions: element-wise ones from SymPy, and tensor functions from callables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from inspect import signature as parameters_of
from typing import Any

from tcalc import language
from tcalc.calculus.accumulate import pullback, pushforward
from tcalc.errors import ArgumentError, DimensionError, Source, TcalcError, UnknownNameError
from tcalc.expr import build
from tcalc.expr.nodes import Apply, Node, Var
from tcalc.expr.primitive import Operator
from tcalc.expr.traverse import dependents, postorder, variables
from tcalc.expression import Operand, combine
from tcalc.language.calls import FORMS
from tcalc.language.parser import RESERVED
from tcalc.primitives import REGISTRY
from tcalc.primitives.batch import over_batch
from tcalc.primitives.callables import Callables, derived
from tcalc.primitives.custom import (
    Called,
    Custom,
    Definition,
    OnArrays,
    Rule,
    cotangent_of,
    definition_of,
    direction_of,
    outputs_of,
)
from tcalc.primitives.function import Function, tensor_form
from tcalc.primitives.operators import is_zero, operator


@dataclass(frozen=True, slots=True)
class UserFunction:
    """A user-defined function, which programs can use, and which can be called on expressions.

    `supplied` maps names to the callables that a generated module needs if it is to run outside
    tcalc: ``module.supplied.update(f.supplied)``.
    """

    entry: Function
    supplied: Mapping[str, OnArrays] = field(default_factory=dict, compare=False)

    def __repr__(self) -> str:
        return f"<UserFunction {self.entry.summary}>"

    def __call__(self, *arguments: Operand) -> Any:
        """The function applied to expressions, as in a program: an `Expression`, or several."""
        names = [f"argument{k}" for k in range(len(arguments))]
        formula = f"{self.entry.name}({', '.join(names)})"
        given = dict(zip(names, arguments, strict=True))
        (form, *_) = self.entry.forms
        count = len(form.signature.outputs) if form.signature else 1
        if count == 1:
            return combine(formula, [self], **given)
        values = [f"value{k}" for k in range(count)]
        unpacked = f"{', '.join(values)} = {formula}"
        return tuple(combine(f"{unpacked}; {x}", [self], **given) for x in values)


def elementwise(name: str, expression: Any, *symbols: Any) -> UserFunction:
    """Define an element-wise function by a SymPy expression in the given symbols.

    SymPy differentiates it to every order and writes its NumPy code; text is never parsed.  Raises
    `ArgumentError` for a name that no function can have, and for an expression in other symbols.

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
    evaluate: OnArrays,
    *,
    pushforward: str | Mapping[str, str] | OnArrays | None = None,
    pullback: str | Mapping[str, str] | OnArrays | None = None,
    second: OnArrays | None = None,
    functions: Iterable[UserFunction] = (),
    batched: bool = False,
    analytic: bool = False,
) -> UserFunction:
    """Define a function of tensors by a callable on arrays and a derivative of your own.

    The signature declares arguments and value, ``"A[n,n], b[n] -> x[n]"``, or several values,
    ``"A[n,n] -> w[n], V[n,n]"``: then `evaluate` returns a tuple, and programs unpack it, ``w, V =
    f(A)``.  Scalars have no brackets, dimensions are names, and declared properties of a value
    (``-> Y[n,n] symmetric``) are trusted.  Give the derivative in one of two ways:

    - `pushforward` is a program for the directional derivative of the value, linear in the
      directions ``dA``, ``db``.  It may use the arguments, the values, and other `functions` of
      yours.  The pullback and all higher derivatives follow from it.  For several values there is
      one program each, ``{"w": ..., "V": ...}``.  The program may call the function itself if the
      function is linear in an argument and `pullback` has a program for the cotangent of each
      argument, ``{"A": ..., "b": ...}``, in terms of the cotangents ``x_bar`` of the values.
    - `pushforward`, `pullback` and `second` are callables on arrays.  With the value y = f(x),
      ``pushforward(*x, y, *dx)`` returns the directional derivative of y; ``pullback(*x, y, g)``
      returns the cotangent of the argument (a tuple for several arguments) for the cotangent g of
      y; and ``second(*x, y, g, *dx)`` returns the directional derivative of the latter, with g
      fixed.  Several values, or their cotangents, are passed one after the other:
      ``pullback(A, w, V, w_bar, V_bar)``.  Derivatives print by name, and are available up to the
      second order.

    With ``batched=True``, the callables map over leading axes themselves; otherwise they are called
    for one element of the batch after the other.  ``analytic=True`` declares that `evaluate`
    accepts complex arrays and is analytic, so that `check` can use the complex step.  The callables
    get read-only arrays.  Use `check` to verify your derivative.

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
    >>> halves = function(
    ...     "halves",
    ...     "x[n] -> s[n], c[n]",
    ...     lambda x: (np.sin(x), np.cos(x)),
    ...     pushforward={"s": "c.*dx", "c": "-s.*dx"},
    ... )
    >>> f = tcalc.parse("s, c = halves(x); s'*c", functions=[halves])
    >>> bool(tcalc.check(f, "x", order=3))
    True
    """
    _check_name(name)
    arguments, values = _read(name, signature)
    if not callable(evaluate):
        raise ArgumentError(f"{name}: evaluate must be a callable on arrays")
    rule = _rule(name, arguments, values, (pushforward, pullback, second), functions)
    _check_parameters(name, arguments, values, (evaluate, pushforward, pullback, second))
    definition = Definition(name, arguments, values, evaluate, rule, batched, analytic)
    primitive = Custom(definition)
    if isinstance(rule, _Formula):
        rule.verify(definition)
    supplied = {x.name: x for x in (primitive, *derived(definition))}
    return UserFunction(_entry(definition), supplied)


def _check_parameters(
    name: str, arguments: Sequence[Var], values: Sequence[Var], given: tuple[Any, ...]
) -> None:
    """Refuse callables that do not take as many arrays as they are called with."""
    x, y = [a.name for a in arguments], [v.name for v in values]
    dx, y_bar = [f"d{a}" for a in x], [f"{v}_bar" for v in y]
    calls = {
        "evaluate": x,
        "pushforward": [*x, *y, *dx],
        "pullback": [*x, *y, *y_bar],
        "second": [*x, *y, *y_bar, *dx],
    }
    for (keyword, names), function in zip(calls.items(), given, strict=True):
        try:
            parameters = parameters_of(function) if callable(function) else None
        except ValueError:  # as of some functions in C
            continue
        try:
            if parameters is not None:
                parameters.bind(*names)
        except TypeError as error:
            raise ArgumentError(
                f"{name}: {keyword} is called with {len(names)} arrays: {error}",
                hint=f"{keyword}({', '.join(names)})",
            ) from None


def _rule(
    name: str,
    arguments: Sequence[Var],
    values: Sequence[Var],
    given: tuple[Any, Any, Any],
    functions: Iterable[UserFunction],
) -> Rule | None:
    """The derivative, of what was given as pushforward, pullback and second."""
    match given:
        case (None, None, None):
            return None
        case (str() | Mapping() as pushes, None | str() | Mapping() as pulls, None):
            texts = _texts(name, "pushforward", pushes, values, "value")
            pulled = _texts(name, "pullback", pulls, arguments, "argument") if pulls else ()
            return _Formula(texts, pulled, tuple(f.entry for f in functions))
        case (push, pull, second) if (
            callable(push) and callable(pull) and (second is None or callable(second))
        ):
            return Callables(push, pull, second)
    raise ArgumentError(
        f"{name}: the derivative is a program for pushforward, or callables for pushforward and "
        "pullback",
        hint="second= goes with callables; all derivatives follow from a program",
    )


def _texts(
    name: str, keyword: str, given: str | Mapping[str, str], variables: Sequence[Var], each: str
) -> tuple[str, ...]:
    """The programs for variables, in their order; a single one may stand by itself."""
    if isinstance(given, str) and len(variables) == 1:
        return (given,)
    names = [x.name for x in variables]
    if isinstance(given, str) or given.keys() != set(names):
        raise ArgumentError(
            f"{name}: {keyword} has a program for each {each}",
            hint="{" + ", ".join(f'"{x}": ...' for x in names) + "}",
        )
    texts = tuple(given[x] for x in names)
    if not all(isinstance(text, str) for text in texts):
        raise ArgumentError(f"{name}: {keyword} has a program, as text, for each {each}")
    return texts


def _check_name(name: str) -> None:
    if not isinstance(name, str) or not name.isidentifier():
        raise ArgumentError(f"{name!r} is not a name for a function")
    if name in RESERVED:
        raise ArgumentError(f"{name} is a word of the language", hint="choose another name")
    if name in REGISTRY or name in FORMS:
        raise ArgumentError(
            f"the language has a function {name} of its own", hint="choose another name"
        )


def _read(name: str, signature: str) -> tuple[tuple[Var, ...], tuple[Var, ...]]:
    """The arguments and the values that a signature declares."""
    hint = 'a signature is as "A[n,n], b[n] -> x[n]"'
    left, arrow, right = signature.partition("->") if isinstance(signature, str) else ("", "", "")
    if not arrow:
        raise ArgumentError(f"{name}: {signature!r} is no signature", hint=hint)
    if not left.strip() or not right.strip():
        raise ArgumentError(f"{name}: a signature has arguments, and values", hint=hint)
    try:
        # The places of both texts are the same.
        declared = tuple(language.parse_declarations(f"{left}, {right}").values())
        count = len(declared) - len(language.parse_declarations(right))
    except TcalcError as error:
        raise _of_signature(error, signature, len(left)) from None
    arguments, values = declared[:count], declared[count:]
    _require_dimensions(name, arguments, values, hint)
    _require_free_names(name, arguments, values)
    for x in arguments:
        if x.properties:
            raise ArgumentError(
                f"{name}: the argument {x.name} has a property",
                hint="declare it of the variables of a program; values may have properties",
            )
    return arguments, values


def _require_dimensions(
    name: str, arguments: Sequence[Var], values: Sequence[Var], hint: str
) -> None:
    """Refuse a dimension that is not a name, or that no argument has."""
    names = {dim for x in arguments for dim in x.dims}
    for dim in (*names, *(dim for y in values for dim in y.dims)):
        if not dim.is_name or dim not in names:
            raise ArgumentError(
                f"{name}: the dimension {dim} is not the name of one of an argument", hint=hint
            )


def _require_free_names(name: str, arguments: Sequence[Var], values: Sequence[Var]) -> None:
    """Refuse arguments and values with the names of directions and cotangents."""
    taken = {x.name for x in (*arguments, *values)}
    for x in arguments:
        if (direction := direction_of(x).name) in taken:
            raise ArgumentError(f"{name}: {direction} is the name of the direction of {x.name}")
    for y in values:
        if (cotangent := cotangent_of(y).name) in taken:
            raise ArgumentError(f"{name}: {cotangent} is the name of the cotangent of {y.name}")


def _of_signature(error: TcalcError, signature: str, arrow: int) -> TcalcError:
    """The error in the text of a signature, in which an arrow stands for a comma."""
    if error.span is not None:
        source = Source(signature, "the signature")
        error.span, error.source = replace(error.span, source=source), source
        error.places = tuple(
            replace(place, span=replace(place.span, source=source)) for place in error.places
        )
        if error.span.start == arrow:
            error.message = error.message.replace("`,`", "`->`")
            error.args = (error.message, *error.args[1:])
    return error


def _entry(definition: Definition) -> Function:
    """What the language needs to know of the function, and of its derivatives."""
    rule = definition.rule
    return replace(
        _described(Custom(definition), f"{definition.name}: {definition}"),
        derivative=", ".join(rule.texts) if isinstance(rule, _Formula) else "",
        companions=tuple(
            _described(x, f"a derivative of {definition.name}") for x in derived(definition)
        ),
    )


def _described(primitive: Called, summary: str) -> Function:
    """What a callable computes, as a function of the language."""
    names = list(dict.fromkeys(dim for x in primitive.inputs for dim in x.dims))
    letters = {dim: chr(ord("a") + k) for k, dim in enumerate(names)}
    inputs, outputs = (
        ",".join("..." + "".join(letters[dim] for dim in x.dims) for x in side)
        for side in (primitive.inputs, primitive.results)
    )
    form = tensor_form(f"{inputs}->{outputs}", _Application(primitive))
    return Function(primitive.name, (form,), summary)


@dataclass(frozen=True, slots=True)
class _Application:
    """The node, or the nodes, of a callable on tensors: an object, which pickles as no closure."""

    primitive: Called

    def __call__(self, *nodes: Node) -> Node | tuple[Node, ...]:
        found = outputs_of(build.apply(self.primitive, *nodes))
        return found if len(found) > 1 else found[0]


@dataclass(frozen=True, slots=True)
class _Formula:
    """A derivative given as programs for the directions of the values.

    Its adjoint is that of the programs, differentiated by the direction, unless there are
    programs for the cotangents of the arguments too.
    """

    texts: tuple[str, ...]
    pulls: tuple[str, ...]
    functions: tuple[Function, ...]

    def jacobian(self, node: Apply, position: int) -> Operator:
        """The local Jacobian of an application by its argument at `position`."""
        definition, o = definition_of(node), node.output
        count = len(definition.arguments)
        directions, cotangents = _directions(definition), _cotangents(definition)

        def push(d: Node, *xy: Node) -> Node:
            zeros = [build.zeros(x.dims) for x in xy[:count]]
            moved = [*zeros[:position], d, *zeros[position + 1 :]]
            return self._applied(definition, self.texts[o], xy, directions, moved)

        def pull(bar: Node, *xy: Node) -> Node:
            zeros = [build.zeros(y.dims) for y in xy[count:]]
            given = [*zeros[:o], bar, *zeros[o + 1 :]]
            return self._applied(definition, self.pulls[position], xy, cotangents, given)

        context = (*node.args, *outputs_of(node))
        applied = operator(node, position, context, push, pull, definition.values[o].order)
        if self.pulls:
            return applied
        argument = node.args[position]
        # No name of a program has a space.
        direction = build.var(f"direction of {argument.digest.hex()}", argument.dims)
        change = push(direction, *context)

        def adjoint(cotangent: Node) -> Node:
            output = cotangent.dims[: cotangent.order - node.order]
            return pullback(change, [direction], cotangent, output)[0]

        return Operator(applied.push, adjoint)

    def _applied(
        self,
        definition: Definition,
        text: str,
        xy: Sequence[Node],
        linear: Sequence[Var],
        given: Sequence[Node],
    ) -> Node:
        """A program on tensors with the same batch axes."""
        lead = xy[0].order - definition.arguments[0].order
        sizes = {
            str(name): dim
            for variable, x in zip(definition.arguments, xy, strict=False)
            for name, dim in zip(variable.dims, x.dims[lead:], strict=True)
        }
        root, inputs = self._elaborated(definition, text, linear)
        values: dict[Node, Node] = dict(zip(inputs, (*xy, *given), strict=True))
        return over_batch(root, values, xy[0].dims[:lead], sizes)

    def _elaborated(
        self, definition: Definition, text: str, linear: Sequence[Var]
    ) -> tuple[Node, tuple[Var, ...]]:
        """The program, and what it may name: arguments, values, directions or cotangents."""
        inputs = (*definition.arguments, *definition.values, *linear)
        given = {x.name: language.Given(x) for x in inputs}
        known = (*self.functions, _entry(definition))
        try:
            return language.parse(text, functions=known, given=given).value, inputs
        except TcalcError as error:
            raise error.advise(f"this is in the derivative of {definition.name}") from None

    def verify(self, definition: Definition) -> None:
        """Refuse programs that give tensors of another shape, or are not linear."""
        for value, text in zip(definition.values, self.texts, strict=True):
            self._verify(definition, text, value, _directions(definition))
        for argument, text in zip(definition.arguments, self.pulls, strict=bool(self.pulls)):
            self._verify(definition, text, argument, _cotangents(definition))

    def _verify(
        self, definition: Definition, text: str, result: Var, linear: Sequence[Var]
    ) -> None:
        name = definition.name
        root, inputs = self._elaborated(definition, text, linear)
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
        moving = set(linear)
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
                f"the derivative of {name} is not linear in " + ", ".join(x.name for x in linear),
                hint='that of inv, with the value Y, is "-Y*dA*Y"',
            )


def _directions(definition: Definition) -> list[Var]:
    return [direction_of(x) for x in definition.arguments]


def _cotangents(definition: Definition) -> list[Var]:
    return [cotangent_of(y) for y in definition.values]
