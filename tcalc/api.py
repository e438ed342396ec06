"""The public functions: the only composer of passes.

Everything a user does in Python goes through here: parse, differentiate, print, compile, check.
Rooms that need NumPy are imported where they are first used, so that printing a derivative stays
quick from a cold start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, Never, overload

from tcalc import calculus, language
from tcalc.custom import UserFunction
from tcalc.errors import ArgumentError, UnsupportedError
from tcalc.expr.nodes import Var
from tcalc.expr.traverse import postorder
from tcalc.expression import (
    Context,
    Expression,
    Names,
    require_expression,
    require_expressions,
    require_scalar,
    require_sizes,
)

LONGEST_TITLE = 60
"""The most nodes of an expression that is written into the docstring of its module."""

if TYPE_CHECKING:
    from numpy.random import Generator

    from tcalc.checking import CheckReport
    from tcalc.derivation import Derivation
    from tcalc.estimation import HessianOperator, LaplaceApproximation
    from tcalc.optimisation import Given, Problem
    from tcalc.runtime import CompiledFunction, FactoredFunction, Layout


def parse(
    text: str,
    declarations: str = "",
    *,
    functions: Iterable[UserFunction] = (),
    **parameters: float,
) -> Expression:
    """The value of a program in the tcalc language.

    `declarations` may declare the variables (``"X[m,n], K[n,n] spd, w[n]"``); names without a
    declaration are guessed as MatrixCalculus does, and the guesses are in `Expression.guesses`.
    `functions` are those made with `elementwise` and `function`, to be known by their names beside
    the language's own.  `parameters` are numbers for names in loop bounds (``T=200``).  Raises
    `TcalcError`, pointing into the text, for anything that is not a program.

    >>> f = parse("norm2(X*w - y)^2 / 2", "X[m,n], w[n], y[m]")
    >>> f.shape, list(f.variables)
    ((), ['X', 'w', 'y'])
    """
    known = [function.entry for function in functions]
    program = language.parse(text, declarations, functions=known, given=None, **parameters)
    return Expression(
        program.value,
        Context(program.variables, program.guesses, program.definitions, program.places),
        program.orientation == "row",
    )


def symbols(declarations: str) -> Any:
    """The declared inputs as expressions, one or a tuple, for building formulas in Python.

    Which of the two it is stands in the text, where no type checker sees it: hence `Any`.

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
def gradient(f: Expression, wrt: str, mode: str = ...) -> Expression: ...
@overload
def gradient(f: Expression, wrt: Names, mode: str = ...) -> dict[str, Expression]: ...
def gradient(
    f: Expression, wrt: str | Names, mode: str = "cross-country"
) -> Expression | dict[str, Expression]:
    """The gradient of a scalar, of the shape of the variable.

    `wrt` is a name, or a list of names: then the result is a dictionary by name.  `mode` is
    ``"forward"``, ``"reverse"``, ``"cross-country"``, ``"least-degree"`` or ``"tensor-order"``: the
    same tensor by different routes, whose costs `tcalc.cost` compares.

    >>> print(gradient(parse("x'*A*x", "A[n,n] symmetric, x[n]"), "x"))
    2*A*x
    """
    require_scalar(f, "gradient")
    return jacobian(f, wrt, mode)


@overload
def jacobian(F: Expression, wrt: str, mode: str = ...) -> Expression: ...
@overload
def jacobian(F: Expression, wrt: Names, mode: str = ...) -> dict[str, Expression]: ...
def jacobian(
    F: Expression, wrt: str | Names, mode: str = "cross-country"
) -> Expression | dict[str, Expression]:
    """The derivative of a tensor of any order: the axes of `F`, then those of the variable.

    >>> jacobian(parse("X*w", "X[m,n], w[n]"), "X").shape
    ('m', 'm', 'n')
    """
    names = list(wrt) if isinstance(wrt, list | tuple) else [wrt]
    inputs = [_input(F, name) for name in names]
    found = calculus.derivatives(F.node, inputs, mode)
    lead = F.node.order
    if not isinstance(wrt, list | tuple):
        return F.with_node(found[0], lead=lead)
    return {name: F.with_node(node, lead=lead) for name, node in zip(names, found, strict=True)}


@overload
def hessian(f: Expression, wrt: str, wrt2: str | None = ..., mode: str = ...) -> Expression: ...
@overload
def hessian(
    f: Expression, wrt: Names, wrt2: str | None = ..., mode: str = ...
) -> dict[str, Expression]: ...
def hessian(
    f: Expression, wrt: str | Names, wrt2: str | None = None, mode: str = "cross-country"
) -> Expression | dict[str, Expression]:
    """The Hessian of a scalar: the axes of the variable twice.

    With `wrt2` the mixed second derivative, first by `wrt`, then by `wrt2`.

    >>> print(hessian(parse("x'*A*x"), "x"))
    A + A'
    """
    require_scalar(f, "hessian")
    if isinstance(wrt, list | tuple):
        names = [_input(f, name).name for name in wrt]
        return {name: hessian(f, name, wrt2, mode) for name in names}
    return derivative(f, wrt, wrt2 or wrt, mode=mode)


def explain(f: Expression, wrt: str) -> Derivation:
    """The gradient of a scalar derived step by step, each with the rule that it uses.

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
    return derivation.explain(f.node, _input(f, wrt), tuple(f.variables))


def derivative(F: Expression, *wrt: str, mode: str = "cross-country") -> Expression:
    """The derivative by each of the variables in turn: the axes of `F`, then those of each.

    >>> print(derivative(parse("x^5", "x[]"), "x", "x", "x"))
    60*x^2
    """
    if not wrt:
        raise ArgumentError("derivative needs at least one variable", hint="derivative(f, 'x')")
    by = [_input(F, name) for name in wrt]
    node = calculus.derivative(F.node, by, mode)
    return F.with_node(node, lead=node.order - by[-1].order)


def compile(
    expressions: Expression | Sequence[Expression],
    backend: str = "numpy",
    *,
    form: Literal["dense", "factored", "auto"] = "dense",
    contiguous: bool = False,
    reuse: bool = False,
    check_finite: bool = False,
    memory_limit: float | None = None,
    reorder: bool = True,
    checked: bool = True,
    graph: bool = False,
) -> CompiledFunction | FactoredFunction:
    """A function of arrays: one result for one expression, a tuple for a list.

    The results share all common work.  Arguments are given by keyword, as arrays of any float
    type; results have their type.  See `tcalc.runtime.CompiledFunction` for what it offers:
    `source`, `source_for`, `signature`, `bind`.  ``contiguous=True`` makes results C-contiguous,
    ``reuse=True`` allows a call to overwrite the results of the one before, ``check_finite=True``
    refuses NaN and infinities, and `memory_limit`, in bytes, bounds results and temporaries.
    ``reorder=False`` multiplies products in the order in which the mode of the derivative leaves
    them, where otherwise the cheapest order is planned: so plain forward and reverse mode run.

    With ``backend="cupy"`` the arrays are CuPy's and stay on the device, and element-wise steps run
    as one kernel; ``checked=False`` lets a call return before its work is done, at the price that a
    matrix that cannot be factorised gives NaN where it raised an error.  CuPy is imported by the
    first call; the source can be read without it.  ``graph=True`` records the launches of a call
    for each combination of sizes and replays them as one CUDA graph: results are then overwritten
    by the next call, and steps that CuPy cannot record are refused; see
    `tcalc.runtime.recording`.  Products in float32 use TF32 only where the environment asks CuPy
    for it, by ``CUPY_TF32=1``.

    With ``form="factored"`` derivatives come as `tcalc.runtime.FactoredTensor`: the Hessian of a
    matrix factorisation is a small matrix and a unit tensor, and is applied and solved with as
    that, on the device where the backend is CuPy.  ``"auto"`` gives this form where the structure
    is of use, never by sizes.

    >>> f = parse("sum(log(1 + exp(-y .* (X*w))))", "X[m,n], y[m], w[n]")
    >>> fun = compile([f, gradient(f, "w")])
    >>> value, grad = fun(X=[[1.0, 2.0]], y=[1.0], w=[0.0, 0.0])
    >>> round(float(value), 4), grad.tolist()
    (0.6931, [-0.5, -1.0])
    """
    from tcalc import runtime

    single = isinstance(expressions, Expression)
    several = require_expressions(expressions)
    if not several:
        raise ArgumentError("there is nothing to compile", hint="give one expression or several")
    if form not in ("dense", "factored", "auto"):
        raise ArgumentError(f"there is no form {form!r}", hint="'dense', 'factored' or 'auto'")
    if graph and form != "dense":
        raise UnsupportedError(
            f"the form {form!r} keeps arrays that the next call of a CUDA graph writes over",
            hint="leave out graph=True or form=",
        )
    context = several[0].context
    for expression in several[1:]:
        context = context.merged(expression.context)
    limit = runtime.MEMORY_LIMIT if memory_limit is None else memory_limit
    layouts = [_layout(expression, form) for expression in several]
    factored = any(isinstance(layout.parts, tuple) for layout in layouts)
    roots = runtime.needed(layouts) if factored else [root for x in layouts for root in x.roots]
    function = runtime.compile(
        roots[0] if single and not factored else roots,
        backend=backend,
        variables=tuple(context.variables.values()),
        contiguous=contiguous,
        reuse=reuse,
        check_finite=check_finite,
        memory_limit=limit,
        reorder=reorder,
        checked=checked,
        graph=graph,
        title=cache(lambda: runtime.described(layouts) if factored else _title(several)),
        tables=runtime.tables(layouts) if factored else "",
    )
    if not factored:
        return function
    inputs = tuple(context.variables.values())
    return runtime.FactoredFunction(function, layouts, inputs, single, limit)


def _title(expressions: Sequence[Expression]) -> str:
    """The formulas that a module computes, for its docstring, where they are short."""
    texts: list[str] = []
    for expression in expressions:
        if len(postorder([expression.node])) > LONGEST_TITLE:
            return ""
        texts += [f"    {line}" for line in expression.text().splitlines()]
    return "\n".join(["Generated by tcalc, to compute", "", *texts])


def _layout(expression: Expression, form: str) -> Layout:
    """How a result is to be computed: as a dense array, or as the cores of its terms."""
    from tcalc.runtime import Layout

    (node,) = calculus.prepare([expression.node])
    if form == "dense" or not expression.lead or node.order < 2:
        return Layout(node.dims, node)
    terms = tuple(calculus.factored_terms(node))
    plain = all(len(t.factors) == 1 and len(set(t.output)) == node.order for t in terms)
    if form == "auto" and plain:
        return Layout(node.dims, node)
    return Layout(node.dims, terms, expression.lead, expression.factored)


def evaluate(
    expressions: Expression | Sequence[Expression], /, *positional: Never, **arrays: Any
) -> Any:
    """The values on data by the reference interpreter: slow, obvious, the yardstick of the tests.

    >>> evaluate(parse("x'*x"), x=[3.0, 4.0])
    array(25.)
    """
    from tcalc import interpret

    single = isinstance(expressions, Expression)
    several = require_expressions(expressions)
    nodes = [expression.node for expression in several]
    known = {name: v for expression in several for name, v in expression.variables.items()}
    if positional:
        from tcalc.runtime.arguments import refuse_positions

        refuse_positions(positional, known)
    values = interpret.evaluate_data(nodes, arrays, list(known.values()))
    return values[0] if single else tuple(values)


def check(
    F: Expression,
    wrt: str,
    order: int = 1,
    *,
    mode: str = "cross-country",
    form: Literal["dense", "factored"] = "dense",
    data: Mapping[str, Any] | None = None,
    sizes: Mapping[str, int] | None = None,
    directions: int = 5,
    seed: int | Generator = 0,
) -> CheckReport:
    """Verify the derivatives up to an order numerically, on given or on random data.

    The derivative of order k is compared with directional derivatives of that of order k - 1: by
    the complex step where every function on the way allows it, else by dual numbers, and by
    five-point differences too.  The report is on the highest order, or on the first that is wrong;
    then it says which function's local Jacobian is to blame.  ``form="factored"`` checks the
    factored form, as compiled code applies it.  Data at a kink are moved off it, and the report
    says so.

    >>> bool(check(parse("sum(exp(A*x))"), "x", order=2))
    True
    """
    from tcalc.checking import check_derivative

    if order < 1:
        raise ArgumentError(f"there is no derivative of order {order}", hint="order=1 or more")
    if form not in ("dense", "factored"):
        raise ArgumentError(f"there is no form {form!r}", hint="'dense' or 'factored'")
    variable = _input(F, wrt)
    require_sizes(F, sizes or {})
    for k in range(1, order + 1):
        below = calculus.derivative(F.node, [variable] * (k - 1), mode)
        full = calculus.derivative(below, [variable], mode)
        report = check_derivative(
            below,
            full,
            variable,
            order=k,
            data=data,
            inputs=list(F.variables.values()),
            sizes=sizes,
            directions=directions,
            seed=seed,
            product=_applied(F.with_node(full, lead=below.order)) if form == "factored" else None,
            form=form,
            places=F.context.places,
        )
        if not report:
            break
    return report


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


def problem(
    f: Expression,
    wrt: str | Names,
    data: Mapping[str, Any],
    *,
    bounds: Mapping[str, Any] | None = None,
    constraints: Sequence[Given] = (),
) -> Problem:
    """A function of one vector for SciPy's optimisers, with derivatives, bounds and constraints.

    A scalar is to be minimised, and has `fun`, `jac`, `hess`, `hessp` and `minimize`; the entries
    of any other tensor are residuals, with `fun`, `jac`, `least_squares` and `root`.  `data` are
    the other arguments, and first values of the variables.  `bounds` has a pair for some of the
    variables, ``{"w": (0, None)}``; `constraints` are texts over the names of the program, as
    ``"sum(w) == 1"``, or expressions, as ``(g, "<=", 0)``.  Their Jacobians, and the Hessian of the
    Lagrangian, are handed on.

    >>> data = {"X": [[1.0, 1.0], [1.0, 2.0]], "y": [3.0, 5.0]}
    >>> p = problem(parse("norm2(X*w - y)^2"), "w", data, constraints=["sum(w) == 2"])
    >>> p.minimize().variables["w"].round(6).tolist()
    [-1.0, 3.0]

    All of it goes into SciPy by hand too:

    >>> from scipy.optimize import minimize
    >>> p = problem(parse("norm2(X*w - y)^2"), "w", data)
    >>> found = minimize(p.fun, p.x0, jac=p.jac, hess=p.hess, method="trust-exact")
    >>> p.unpack(found.x)["w"].round(6).tolist()
    [1.0, 2.0]
    """
    from tcalc.optimisation import Problem, constraint

    names = [wrt] if isinstance(wrt, str) else list(wrt)
    variables = [_input(f, name) for name in names]
    required = [constraint(given, f) for given in constraints]
    return Problem(f.node, variables, tuple(f.variables.values()), data, bounds, required)


def hessian_operator(f: Expression, wrt: str | Names, data: Mapping[str, Any]) -> HessianOperator:
    """The Hessian of a scalar at given data, as a SciPy `LinearOperator` that is never formed.

    It estimates its trace, diagonal and log-determinant from products, finds its extreme
    eigenvalues, and solves; see `tcalc.estimation.HessianOperator`.

    >>> f = parse("sum(log(1 + exp(-y .* (X*w)))) + norm2(w)^2/2", "X[m,n], y[m], w[n]")
    >>> data = {"X": [[1.0, 2.0], [3.0, 4.0]], "y": [1.0, -1.0], "w": [0.0, 0.0]}
    >>> H = hessian_operator(f, "w", data)
    >>> value, error = H.trace(method="exact")
    >>> value, error, H.shape
    (9.5, 0.0, (2, 2))
    """
    from tcalc.estimation import HessianOperator

    require_scalar(f, "hessian")
    return HessianOperator(problem(f, wrt, data))


def laplace(
    f: Expression,
    wrt: str | Names,
    data: Mapping[str, Any],
    *,
    minimise: bool = True,
    method: str | None = None,
    samples: int = 30,
    seed: int | Generator = 0,
) -> LaplaceApproximation:
    """Laplace's approximation of ``log ∫ exp(-f)``: the evidence, f being ``-log p(data, wrt)``.

    f is minimised from the values among the data, by a `method` of `problem`'s, or they are the
    mode with ``minimise=False``.  The log-determinant of the Hessian is exact where its structure
    gives it or where it is small, else estimated from so many samples, and `error` tells.

    >>> f = parse("norm2(X*w - y)^2/2 + norm2(w)^2/2", "X[m,n], y[m], w[n]")
    >>> found = laplace(f, "w", {"X": [[1.0], [1.0]], "y": [1.0, 3.0]})
    >>> round(found.log_evidence, 6), found.mode["w"].round(6).tolist()
    (-1.963701, [1.333333])
    """
    from tcalc import estimation

    require_scalar(f, "evidence")
    return estimation.laplace(
        problem(f, wrt, data), minimise=minimise, method=method, samples=samples, seed=seed
    )


def _input(F: Expression, name: str) -> Var:
    return require_expression(F).variable(name)
