"""Compilation of expressions to functions of arrays."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from numbers import Real
from typing import TYPE_CHECKING, Literal, TypeAlias, overload

from tcalc import calculus
from tcalc.codegen.options import MEMORY_LIMIT, Backend, Options
from tcalc.errors import ArgumentError, UnsupportedError
from tcalc.expr.collector import collector_paused
from tcalc.expr.nodes import Node
from tcalc.expr.traverse import at_most, orders_kept
from tcalc.expression import Expression
from tcalc.requirements import require_outlined
from tcalc.simplify import has_branches

LONGEST_TITLE = 60
"""The most nodes of an expression that is written into the docstring of its module."""

Expressions: TypeAlias = "Expression | Sequence[Expressions] | Mapping[str, Expressions]"
"""Expressions, in lists and dictionaries or by themselves."""

if TYPE_CHECKING:
    from tcalc.runtime import CompiledFunction, FactoredFunction, Layout


@overload
def compile(
    expressions: Expressions,
    backend: Backend = ...,
    *,
    form: Literal["dense"] = ...,
    contiguous: bool = ...,
    reuse: bool = ...,
    check_finite: bool = ...,
    memory_limit: float | None = ...,
    reorder: bool = ...,
    checked: bool = ...,
    graph: bool = ...,
) -> CompiledFunction: ...
@overload
def compile(
    expressions: Expressions,
    backend: Backend = ...,
    *,
    form: Literal["dense", "factored", "auto"],
    contiguous: bool = ...,
    reuse: bool = ...,
    check_finite: bool = ...,
    memory_limit: float | None = ...,
    reorder: bool = ...,
    checked: bool = ...,
    graph: bool = ...,
) -> CompiledFunction | FactoredFunction: ...
@collector_paused()
@orders_kept()
def compile(
    expressions: Expressions,
    backend: Backend = "numpy",
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
    """Compile expressions to a function of arrays.

    One expression gives one result, a list a tuple.  A dictionary of expressions, as
    `tcalc.gradient` returns for several variables, gives a dictionary of arrays, also within a
    list.  All results share common subexpressions.

    Pass arguments by keyword, as arrays of any float type; results have that type.  The function
    has the attributes of `tcalc.runtime.CompiledFunction`: `source`, `source_for`, `signature`,
    `bind`.  ``contiguous=True`` makes results C-contiguous.  ``reuse=True`` lets each call
    overwrite the results of the one before; do not write to such results, because zeros in them are
    written only once.  ``check_finite=True`` refuses NaN and infinities, and `memory_limit`, in
    bytes, bounds results and temporaries.  ``reorder=False`` multiplies products in the order that
    the mode of the derivative leaves, as plain forward and reverse mode would; by default, the
    cheapest order is planned.

    With ``backend="c"``, the program becomes one C function for each combination of sizes.  The
    first call with these sizes compiles it with your C compiler, in some tenths of a second.  Use
    it for small arrays and many calls, where it is several times as fast.  Sparse, complex and
    empty arguments, and matrices that may be singular, are left to the NumPy code.  The source is
    self-contained, and can be read without a compiler.

    With ``backend="cupy"``, the arrays are CuPy's and stay on the device, and successive
    element-wise steps run as one kernel.  ``checked=False`` lets a call return before its work is
    done; in exchange, a matrix that cannot be factorised gives NaN instead of an error.  CuPy is
    imported by the first call; the source can be read without it.  ``graph=True`` records the
    launches of a call for each combination of sizes and replays them as one CUDA graph: the next
    call then overwrites the results, and steps that CuPy cannot record are refused; see
    `tcalc.runtime.recording`.  Products in float32 use TF32 only if the environment variable
    ``CUPY_TF32=1`` asks for it.

    With ``form="factored"``, derivatives are returned as `tcalc.runtime.FactoredTensor`: the
    Hessian of a matrix factorisation, for example, is kept as a small matrix and a unit tensor, and
    is applied and solved with in that form (on the device, if the backend is CuPy).  ``"auto"``
    chooses this form if the structure makes it useful, whatever the sizes.

    Raises `ArgumentError` if there is nothing to compile or options contradict each other, and
    `UnsupportedError` for a backend that does not exist.  For what calls raise, see
    `tcalc.runtime.CompiledFunction`; in C, the first call raises `UnsupportedError` if there is no
    compiler, or a function has no C code (see `tcalc.functions`).

    >>> import tcalc
    >>> f = tcalc.parse("sum(log(1 + exp(-y .* (X*w))))", "X[m,n], y[m], w[n]")
    >>> fun = compile([f, tcalc.gradient(f, "w")])
    >>> value, grad = fun(X=[[1.0, 2.0]], y=[1.0], w=[0.0, 0.0])
    >>> round(float(value), 4), grad.tolist()
    (0.6931, [-0.5, -1.0])

    >>> fun = compile([f, tcalc.gradient(f, ["X", "w"])])
    >>> fun(X=[[1.0, 2.0]], y=[1.0], w=[0.0, 0.0])[1]["w"].tolist()
    [-0.5, -1.0]

    >>> fun = compile(tcalc.parse("c*x", "c, x[n]"), backend="c")
    >>> "int compute(const real *c, const real *x" in fun.source_for(n=3)
    True
    """
    from tcalc import runtime

    outline, several = require_outlined(expressions)
    if not several:
        raise ArgumentError("there is nothing to compile", hint="give one expression or several")
    _check_options(form, graph, memory_limit)
    limit = MEMORY_LIMIT if memory_limit is None else memory_limit
    options = Options(
        backend=backend,
        contiguous=contiguous,
        reuse=reuse,
        check_finite=check_finite,
        memory_limit=limit,
        reorder=reorder,
        checked=checked,
        graph=graph,
    )
    context = several[0].context
    for expression in several[1:]:
        context = context.merged(expression.context)
    nodes = _prepared(several)
    layouts = [_layout(x, node, form) for x, node in zip(several, nodes, strict=True)]
    factored = any(isinstance(layout.parts, tuple) for layout in layouts)
    roots = runtime.needed(layouts) if factored else [root for x in layouts for root in x.roots]
    function = runtime.compile(
        roots,
        options,
        variables=tuple(context.variables.values()),
        title=cache(lambda: runtime.described(layouts) if factored else _title(several)),
        tables=runtime.tables(layouts) if factored else "",
        outline=None if factored else outline,
    )
    if not factored:
        return function
    inputs = tuple(context.variables.values())
    return runtime.FactoredFunction(function, layouts, inputs, outline, limit)


def _check_options(form: str, graph: bool, memory_limit: float | None) -> None:
    if form not in ("dense", "factored", "auto"):
        raise ArgumentError(f"there is no form {form!r}", hint="'dense', 'factored' or 'auto'")
    if graph and form != "dense":
        raise UnsupportedError(
            f"the form {form!r} keeps arrays that the next call of a CUDA graph writes over",
            hint="leave out graph=True or form=",
        )
    if memory_limit is not None and not (isinstance(memory_limit, Real) and memory_limit > 0):
        raise ArgumentError(
            f"memory_limit is {memory_limit!r}, and should be a number of bytes", hint="8e9"
        )


def _title(expressions: Sequence[Expression]) -> str:
    """The formulas that a module computes, for its docstring, where they are short."""
    if not all(at_most(LONGEST_TITLE, expression.node) for expression in expressions):
        return ""
    texts = [textwrap.indent(expression.text(), "    ") for expression in expressions]
    # Each formula names parts of its own.
    between = "\n\n" if any("\n" in text for text in texts) else "\n"
    return f"Generated by tcalc, to compute\n\n{between.join(texts)}"


def _prepared(expressions: Sequence[Expression]) -> list[Node]:
    """The nodes of expressions ready for code: together, since they share most of their graphs.

    One with branches is rewritten by fewer rules, and then each comes by itself.
    """
    nodes = [expression.node for expression in expressions]
    if has_branches(nodes):
        return [prepared for node in nodes for prepared in calculus.prepare([node])]
    return calculus.prepare(nodes)


def _layout(expression: Expression, node: Node, form: str) -> Layout:
    """How a result is to be computed: as a dense array, or as the cores of its terms."""
    from tcalc.runtime import Ends, Layout

    if form == "dense" or not expression.lead or node.order < 2:
        return Layout(node.dims, node)
    terms = tuple(calculus.factored_terms(node))
    plain = all(len(t.factors) == 1 and len(set(t.output)) == node.order for t in terms)
    if form == "auto" and plain:
        return Layout(node.dims, node)
    ends = None if expression.ends is None else Ends(expression.ends)
    if ends is not None and ends.kind == "symmetric":
        ends = replace(ends, half=calculus.half_of(terms))
    return Layout(node.dims, terms, expression.lead, expression.factored, ends)
