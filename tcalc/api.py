"""The public functions that read programs, differentiate, evaluate, explain and check.

Those for compiling, costs, products, problems and pictures have modules of their own, which
`tcalc.public` lists.  Modules that need NumPy are imported where they are first used, so that
printing a derivative is quick from a cold start.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Never, overload

from tcalc import calculus, language
from tcalc.calculus import Mode
from tcalc.codegen.options import HostBackend
from tcalc.compilation import Expressions, compile
from tcalc.context import Context
from tcalc.custom import UserFunction
from tcalc.errors import (
    ArgumentError,
    DimensionError,
    ParseError,
    Source,
    TcalcError,
    UnknownNameError,
    suggestion,
)
from tcalc.expr.nodes import Var
from tcalc.expr.outline import arranged
from tcalc.expression import Expression, Variable, Variables, combine
from tcalc.primitives.function import entries
from tcalc.requirements import (
    require_expression,
    require_on_host,
    require_order,
    require_outlined,
    require_scalar,
    require_seed,
    require_sizes,
    variables_of,
)

if TYPE_CHECKING:
    from numpy.random import Generator

    from tcalc.checking import CheckReport
    from tcalc.derivation import Derivation
    from tcalc.language import Inputs
    from tcalc.recurrences import Recurrence


_FILE = re.compile(r"\S+\.tc")
"""What is no formula, but the name of a file with a program."""


def parse(
    text: str,
    declarations: str = "",
    *,
    functions: Iterable[UserFunction] = (),
    **parameters: float,
) -> Expression:
    """The value of a program in the tcalc language.

    `declarations` may declare variables (``"X[m,n], K[n,n] spd, w[n]"``); the kinds of undeclared
    names are guessed as on MatrixCalculus.org, and `Expression.guesses` lists the guesses.
    `functions` are functions made with `elementwise` and `function`, which the program may call by
    name.  `parameters` are the values of names in loop bounds (``T=200``).  Raises `TcalcError`,
    pointing into the text, if the text is not a valid program.

    >>> f = parse("norm2(X*w - y)^2 / 2", "X[m,n], w[n], y[m]")
    >>> f.shape, list(f.variables)
    ((), ['X', 'w', 'y'])
    """
    known = entries(functions)
    try:
        program = language.parse(text, declarations, functions=known, given=None, **parameters)
    except ParseError as error:
        if _FILE.fullmatch(text.strip()):
            error.hint = f"a program is a text: tcalc.parse(pathlib.Path({text!r}).read_text())"
        raise
    return Expression(
        program.value,
        Context(
            program.variables,
            program.guesses,
            program.definitions,
            program.places,
            program.index_names,
            program.reading,
        ),
        program.orientation == "row",
    )


def recurrence(
    text: str,
    declarations: str = "",
    *,
    backend: HostBackend = "numpy",
    functions: Iterable[UserFunction] = (),
    **parameters: float,
) -> Recurrence:
    """A program with loops as a function of arrays, for series of any length.

    The arguments are those of `parse`, which unrolls loops; here a loop is kept, and its bound
    may be a dimension: ``for t = 1:T`` runs through tensors declared like ``Y[T,p]``.  One step is
    differentiated and compiled, and run as often as there are steps, so thousands of steps take no
    longer to compile than two.  A step may use slices such as ``Y[t,i]`` and ``Y[t-1,i]``, values
    of earlier steps, ``m{t-1}``, and the number ``t``; the value, after the loop, uses the last
    step, ``f{T}``.  A later loop may run through what an earlier one has made, as a smoother does
    behind a filter.  `tcalc.recurrences.Recurrence` has the methods for gradients, products and
    trajectories.

    With ``backend="c"`` the loop runs in C: much faster if steps are small, after some tenths of a
    second for the compiler.

    Raises `TcalcError`, pointing into the text, if the text is not such a program, and
    `UnsupportedError` for a backend that cannot run loops.

    >>> import tcalc
    >>> walk = tcalc.recurrence('''
    ... s{0} = x[1]
    ... f{0} = 0
    ... for t = 1:T
    ...     s{t} = a*s{t-1} + x[t]
    ...     f{t} = f{t-1} + s{t}^2
    ... end
    ... f{T}''', "x[T], a")
    >>> value, slopes = walk.value_and_gradient(["a", "x"])(x=[1.0, 2.0, 3.0], a=0.5)
    >>> float(value), float(slopes["a"]), slopes["x"].tolist()
    (28.953125, 46.8125, [11.90625, 9.875, 8.75])
    """
    from tcalc.language.recurrences import parse_recurrence
    from tcalc.recurrences import Recurrence

    known = entries(functions)
    require_on_host(backend, "a loop that is kept")
    program = parse_recurrence(text, declarations, functions=known, **parameters)
    return Recurrence(program, backend)


def inputs(text: str, declarations: str = "") -> Inputs:
    """The variables of a program, with the guesses made, even if the program has errors.

    A form or an editor can use it to let users declare variables before the program is right.  If
    `parse` succeeds, `Expression.variables` has more: here the dimensions of undeclared axes are
    not inferred.  Raises `TcalcError`, pointing into the text, on a syntax error.

    >>> found = inputs("s^2*eye(n) + K", "K[n,n]")
    >>> found.variables, found.guesses
    ({'K': K[n,n], 's': s[m]}, {'s': 'vector'})
    """
    return language.inputs(text, declarations)


def symbols(declarations: str) -> Any:
    """The declared inputs as expressions, for building formulas in Python.

    One declaration gives an expression, several give a tuple; type checkers cannot tell which, so
    the result is annotated as `Any`.  Raises `TcalcError`, pointing into the text, if the text is
    not a list of declarations.

    >>> X, w = symbols("X[m,n], w[n]")
    >>> print(X @ w)
    X*w
    """
    declared = language.parse_declarations(declarations)
    made = tuple(
        Expression(variable, Context({name: variable})) for name, variable in declared.items()
    )
    return made[0] if len(made) == 1 else made


@overload
def gradient(f: Expression, wrt: Variable, mode: Mode = ...) -> Expression: ...
@overload
def gradient(f: Expression, wrt: Variables, mode: Mode = ...) -> dict[str, Expression]: ...
def gradient(
    f: Expression, wrt: Variable | Variables, mode: Mode = "cross-country"
) -> Expression | dict[str, Expression]:
    """The gradient of a scalar; it has the shape of the variable.

    `wrt` is a variable, by its name or as `symbols` makes it, or a list of variables; for a list,
    the result is a dictionary by name.  `mode` is ``"forward"``, ``"reverse"``,
    ``"cross-country"``, ``"least-degree"`` or ``"tensor-order"``: all give the same tensor at
    different costs, which `tcalc.cost` compares.

    Raises `DimensionError` if `f` is not a scalar, `UnknownNameError` for a name that is not one of
    its variables, and `ArgumentError` for an unknown mode, or if `f` is not an expression.

    >>> print(gradient(parse("x'*A*x", "A[n,n] symmetric, x[n]"), "x"))
    2*A*x
    """
    require_scalar(f, "gradient")
    return jacobian(f, wrt, mode)


@overload
def jacobian(F: Expression, wrt: Variable, mode: Mode = ...) -> Expression: ...
@overload
def jacobian(F: Expression, wrt: Variables, mode: Mode = ...) -> dict[str, Expression]: ...
def jacobian(
    F: Expression, wrt: Variable | Variables, mode: Mode = "cross-country"
) -> Expression | dict[str, Expression]:
    """The derivative of a tensor of any order: the axes of `F`, then those of the variable.

    The arguments and errors are those of `gradient`, but `F` may have axes.

    >>> jacobian(parse("X*w", "X[m,n], w[n]"), "X").shape
    ('m', 'm', 'n')
    """
    inputs = [_input(F, variable) for variable in variables_of(wrt)]
    found = calculus.derivatives(F.node, inputs, mode)
    made = [
        F.with_node(node, lead=F.node.order, index_names={node: F.axis_names(variable)})
        for node, variable in zip(found, inputs, strict=True)
    ]
    if not isinstance(wrt, list | tuple):
        return made[0]
    return {x.name: derived for x, derived in zip(inputs, made, strict=True)}


@overload
def hessian(
    f: Expression, wrt: Variable, wrt2: Variable | None = ..., mode: Mode = ...
) -> Expression: ...
@overload
def hessian(
    f: Expression, wrt: Variables, wrt2: Variable | None = ..., mode: Mode = ...
) -> dict[str, Expression]: ...
@overload
def hessian(
    f: Expression, wrt: Variable, wrt2: Variables, mode: Mode = ...
) -> dict[str, Expression]: ...
@overload
def hessian(
    f: Expression, wrt: Variables, wrt2: Variables, mode: Mode = ...
) -> dict[str, dict[str, Expression]]: ...
def hessian(
    f: Expression,
    wrt: Variable | Variables,
    wrt2: Variable | Variables | None = None,
    mode: Mode = "cross-country",
) -> Expression | dict[str, Expression] | dict[str, dict[str, Expression]]:
    """The Hessian of a scalar; it has the axes of the variable twice.

    With `wrt2`, it is the mixed second derivative by `wrt` and then by `wrt2`.  `mode` and the
    errors are those of `gradient`.

    A list of names gives a dictionary with the Hessian by each, that is, the diagonal blocks of the
    Hessian by all of them.  Two lists give all blocks: ``blocks["w"]["c"]``.

    >>> print(hessian(parse("x'*A*x"), "x"))
    A + A'
    >>> blocks = hessian(parse("c*x'*x"), ["x", "c"], ["x", "c"])
    >>> print(blocks["x"]["x"], blocks["x"]["c"], blocks["c"]["x"], blocks["c"]["c"], sep="; ")
    2*c*eye(m); 2*x; 2*x; 0
    """
    require_scalar(f, "hessian")
    first = [_input(f, variable).name for variable in variables_of(wrt)]
    if isinstance(wrt2, list | tuple):
        second = [_input(f, variable).name for variable in wrt2]
        blocks = {
            name: {other: derivative(f, name, other, mode=mode) for other in second}
            for name in first
        }
        return blocks if isinstance(wrt, list | tuple) else blocks[first[0]]
    if isinstance(wrt, list | tuple):
        return {x: derivative(f, x, x if wrt2 is None else wrt2, mode=mode) for x in first}
    return derivative(f, wrt, wrt if wrt2 is None else wrt2, mode=mode)


def explain(f: Expression, wrt: Variable) -> Derivation:
    """The gradient of a scalar, derived step by step, with the rule used in each step.

    Steps that the program defines keep their names.

    Raises what `gradient` does, and `LimitError` if there are too many steps to read.

    >>> print(explain(parse("sum(exp(A*x))"), "x"))
    The function, one operation at a time:
    <BLANKLINE>
      t1 = A*x
      t2 = exp(t1)
      f = sum(t2)
    <BLANKLINE>
    The derivatives of f by each step, from the last one back:
    <BLANKLINE>
      f_bar = 1                                       the derivative of f by itself
      t2_bar = ones(m)                                f: a sum over elements passes it on to each
      t1_bar = t2                                     t2: chain rule, exp' = exp(x)
      x_bar = A'*t1_bar                               t1: a linear product
    <BLANKLINE>
    Put together and simplified:
    <BLANKLINE>
      df/dx = A'*exp(A*x)
    """
    from tcalc import derivation

    require_scalar(f, "derivation")
    named = f.context.definitions
    return derivation.explain(f.node, _input(f, wrt), **f.context.style, definitions=named)


def derivative(F: Expression, *wrt: Variable, mode: Mode = "cross-country") -> Expression:
    """The derivative by each of the variables in turn.

    It has the axes of `F`, then those of each variable.  `mode` and the errors are those of
    `gradient`, but `F` may have axes; `ArgumentError` is also raised if no variable is given.

    >>> print(derivative(parse("x^5", "x[]"), "x", "x", "x"))
    60*x^2
    """
    if not wrt:
        raise ArgumentError("derivative needs at least one variable", hint="derivative(f, 'x')")
    by = [_input(F, variable) for variable in wrt]
    node = calculus.derivative(F.node, by, mode)
    ends = by[0] if not F.shape and len(by) == 2 and by[0] is by[1] else None
    lead = node.order - by[-1].order
    return F.with_node(node, lead=lead, ends=ends, index_names={node: F.axis_names(*by)})


def evaluate(expressions: Expressions, /, *positional: Never, **arrays: Any) -> Any:
    """The values on data, by the reference interpreter, which is simple and slow.

    Like `compile`, it first replaces forms that overflow or lose digits (`tcalc.simplify.stable`)
    and cancels what meets element by element, so that both have values, and raise errors, at the
    same points.  Arrays are given by the names of the inputs.  Raises `ArgumentError` for arrays
    that do not fit, `DomainError` where a function has no value, and `LimitError` if memory does
    not suffice.

    >>> evaluate(parse("x'*x"), x=[3.0, 4.0])
    array(25.)
    """
    from tcalc import interpret

    outline, several = require_outlined(expressions)
    nodes = [expression.node for expression in several]
    known = {name: v for expression in several for name, v in expression.variables.items()}
    if positional:
        from tcalc.runtime.arguments import refuse_positions

        refuse_positions(positional, known)
    made = calculus.simplified(calculus.prepare(nodes))
    values = interpret.evaluate_data(made, arrays, list(known.values()))
    return arranged(outline, values)


def check(
    F: Expression,
    wrt: Variable,
    order: int = 1,
    *,
    mode: Mode = "cross-country",
    form: Literal["dense", "factored"] = "dense",
    claim: Expression | str | None = None,
    data: Mapping[str, Any] | None = None,
    sizes: Mapping[str, int] | None = None,
    directions: int = 5,
    seed: int | Generator = 0,
) -> CheckReport:
    """Verify the derivatives up to an order numerically, on given or random data.

    The derivative of order k is compared with directional derivatives of the one of order k - 1:
    by the complex step if all functions involved allow it, else by dual numbers, and in addition by
    five-point differences.  The report is about the highest order, or about the first that is
    wrong; then it names the function whose local Jacobian is at fault.  ``form="factored"`` checks
    the factored form, as compiled code applies it.  `claim` is a formula of the variables, or an
    expression, such as a derivative that you worked out by hand: it is checked instead of tcalc's
    own derivative of that order.  Data at a kink are moved off it, and the report says so.  `sizes`
    are the sizes of random data; `directions` is the number of random directions; `seed` determines
    both.

    Raises `ArgumentError` for data and sizes that do not fit, `DimensionError` for a claim of
    another shape, and `DomainError` if the function or the derivative has no finite value, or if
    rounding errors alone would decide the outcome.

    >>> bool(check(parse("sum(exp(A*x))"), "x", order=2))
    True
    >>> bool(check(parse("x'*A*x"), "x", claim="2*A*x"))
    False
    """
    from tcalc.checking import check_derivative

    require_order(order)
    require_seed(seed)
    if directions < 1:
        raise ArgumentError(f"{directions} directions check nothing", hint="directions=1 or more")
    if form not in ("dense", "factored"):
        raise ArgumentError(f"there is no form {form!r}", hint="'dense' or 'factored'")
    variable = _input(F, wrt)
    claimed = None if claim is None else _claimed(F, [variable] * order, claim, form)
    function = F if claimed is None else _knowing(F, claimed)
    require_sizes(function, sizes or {})
    for k in range(1 if claimed is None else order, order + 1):
        below = calculus.derivative(function.node, [variable] * (k - 1), mode)
        full = calculus.derivative(below, [variable], mode) if claimed is None else claimed.node
        report = check_derivative(
            below,
            full,
            variable,
            order=k,
            data=data,
            inputs=list(function.variables.values()),
            sizes=sizes,
            directions=directions,
            seed=seed,
            product=_applied(function.with_node(full, lead=below.order))
            if form == "factored"
            else None,
            form=form if claimed is None else "claimed",
            places=function.context.places,
        )
        if not report:
            break
    return report


def _claimed(F: Expression, by: list[Var], claim: Expression | str, form: str) -> Expression:
    """What is claimed to be a derivative of a function, as an expression of its shape."""
    if form != "dense":
        raise ArgumentError(
            "a claim is checked as it is written, and has no factored form",
            hint="leave out `form`",
        )
    if isinstance(claim, str):
        inputs = {name: F.with_node(node) for name, node in F.variables.items()}
        try:
            found = combine(claim, **inputs)
        except TcalcError as error:
            if error.source is not None and error.source.text == claim:
                error.source = Source(claim, "claim")
            raise
        for name in found.variables:
            if name not in inputs:
                raise UnknownNameError(
                    f"the claim names {name!r}, which is not a variable of the function",
                    hint=suggestion(name, inputs, otherwise="its variables: " + ", ".join(inputs)),
                )
    else:
        found = require_expression(claim)
    shape = F.shape + tuple(str(dim) for variable in by for dim in variable.dims)
    if found.shape != shape:
        raise DimensionError(
            f"the derivative has the axes [{', '.join(shape)}], the claim "
            f"[{', '.join(found.shape)}]",
            hint="those of the function come first, then those of the variable",
        )
    return found


def _knowing(F: Expression, claimed: Expression) -> Expression:
    """The function, knowing the inputs of what is claimed to be its derivative."""
    merged = F.context.merged(claimed.context)
    return F.with_node(F.node, list(merged.variables.values()))


def _applied(derivative: Expression) -> Callable[[Mapping[str, Any], Any], Any]:
    """The factored form of a derivative, times a direction."""
    import numpy as np

    function = compile(derivative, form="factored")

    def product(values: Mapping[str, Any], direction: Any) -> Any:
        tensor = function(**values)
        if isinstance(tensor, np.ndarray | np.generic):
            return np.tensordot(tensor, direction, axes=np.ndim(direction))
        return tensor @ direction

    return product


def _input(F: Expression, variable: Variable) -> Var:
    return require_expression(F).variable(variable)
