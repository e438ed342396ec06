"""What a derivative costs in each mode, dense and factored.

A flop is one multiplication or one addition.  An element-wise function of the array library counts
as one flop per element, and one that takes several steps as one for each; LAPACK routines count
by the leading terms given in textbooks (Cholesky n³/3, LU 2n³/3, a triangular solve n² per column,
a symmetric product ``B'B`` half).  Memory is that of results and temporaries, each dropped after
its last use; arguments are not counted, and of an expression of several steps only the value is.
Both are the costs of the program that `tcalc.compile` writes: arrays that count operations agree
within one per cent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from tcalc import calculus
from tcalc.calculus import Mode
from tcalc.errors import ArgumentError
from tcalc.expr.collector import collector_paused
from tcalc.expr.nodes import Node, Var
from tcalc.expr.polynomial import Polynomial
from tcalc.expr.traverse import postorder, variables
from tcalc.expression import Expression, Variable, Variables
from tcalc.requirements import require_expression, require_order, require_sizes, variables_of

Form: TypeAlias = Literal["dense", "factored"]

ITEM = 8
"""The bytes of a float64."""
SHOWN = 4
"""The most terms of a polynomial in a table."""
HEADINGS = ("mode", "form", "nodes", "order", "flops", "memory (numbers)")
HEADINGS_AT_SIZES = ("flops", "bytes")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one way to compute a derivative costs.

    `nodes` is the number of nodes of the graph, and `order` the highest tensor order of any of
    them, results included.  `flops` counts operations, and `memory` the most numbers held at one
    time, as polynomials in the dimensions; `operations` and `bytes` are the same at the sizes of
    the table.
    """

    mode: Mode
    form: Form
    nodes: int
    order: int
    flops: Polynomial
    memory: Polynomial
    operations: int
    bytes: int


@dataclass(frozen=True, slots=True)
class CostTable:
    """The costs of a derivative by mode and form.

    The order of each product is planned for `sizes`; they are nominal unless `given`.
    """

    wrt: tuple[str, ...]
    sizes: Mapping[str, int]
    given: bool
    rows: tuple[Cost, ...]

    def row(self, mode: Mode = "cross-country", form: Form = "dense") -> Cost:
        """The costs of a mode and form; `ArgumentError` for one that is not in the table."""
        for row in self.rows:
            if (row.mode, row.form) == (mode, form):
                return row
        raise ArgumentError(
            f"the table has no row {mode}, {form}",
            hint="it has " + "; ".join(f"{row.mode}, {row.form}" for row in self.rows),
        )

    def __iter__(self) -> Iterator[Cost]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What IPython and notebooks show."""
        printer.text(str(self))

    def __str__(self) -> str:
        cells: list[tuple[str, ...]] = [HEADINGS + (HEADINGS_AT_SIZES if self.given else ())]
        for row in self.rows:
            told: tuple[str, ...] = (row.mode, row.form, str(row.nodes), str(row.order))
            told += (row.flops.text(SHOWN), row.memory.text(SHOWN))
            if self.given:
                told += (f"{row.operations:.4g}", f"{row.bytes:.4g}")
            cells.append(told)
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join(
                text.rjust(width) if k in (2, 3, 6, 7) else text.ljust(width)
                for k, (text, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in cells
        ]
        sizes = ", ".join(f"{name} = {size}" for name, size in self.sizes.items())
        note = f"Products are ordered for {sizes}{'' if self.given else ' (nominal)'}."
        return "\n".join([*lines, note] if sizes else lines)


@collector_paused()
def cost(
    F: Expression,
    wrt: Variable | Variables,
    order: int | None = None,
    *,
    sizes: Mapping[str, int] | None = None,
    modes: Sequence[Mode] = calculus.MODES,
) -> CostTable:
    """The costs of a derivative in several modes, dense and factored.

    `wrt` is a variable, and `order` says how often to differentiate by it (by default twice for a
    scalar, once for a tensor); a list of variables means the derivative by each in turn.  `sizes`
    are the sizes of dimensions: products are ordered for these sizes, and costs are also stated as
    numbers; dimensions without a size count as 100, or as 10 where another is less by them.
    Gradients have no factored form.

    In the plain modes (forward, reverse, tensor-order), products are multiplied in the order that
    the mode leaves, as ``tcalc.compile(..., reorder=False)`` does; in the others, the cheapest
    order is planned.  Raises `ArgumentError` for an unknown dimension or mode.

    >>> import tcalc
    >>> f = tcalc.parse("sum(sin(X*w))", "X[m,n], w[n]")
    >>> table = cost(f, "w", modes=["reverse", "cross-country"], sizes={"m": 200, "n": 100})
    >>> print(table)  # doctest: +NORMALIZE_WHITESPACE
    mode           form      nodes  order  flops                   ...
    reverse        dense ...
    >>> print(table.row().flops.leading)
    2*m*n^2
    """
    require_expression(F)
    several = isinstance(wrt, list | tuple)
    wanted = variables_of(wrt) * (1 if several else _times(F, order))
    if not wanted or (several and order not in (None, len(wanted))):
        raise ArgumentError("the variables do not fit the order", hint="cost(f, 'w', order=2)")
    inputs = [F.variable(variable) for variable in wanted]
    for mode in modes:
        calculus.check_mode(mode)
    full = _sizes(F, sizes or {})
    given = bool(sizes) or not full
    rows = tuple(row for mode in modes for row in _rows(F.node, inputs, mode, full))
    return CostTable(tuple(x.name for x in inputs), full, given, rows)


def _times(F: Expression, order: int | None) -> int:
    if order is None:
        return 1 if F.shape else 2
    require_order(order)
    return order


def _sizes(F: Expression, given: Mapping[str, int]) -> dict[str, int]:
    """The sizes of all dimensions of the program, nominal where they are not given."""
    known = calculus.nominal_sizes(
        dim for variable in [*F.variables.values(), *variables([F.node])] for dim in variable.dims
    )
    require_sizes(F, given)
    return {**known, **given}


def _rows(
    function: Node, inputs: Sequence[Var], mode: Mode, sizes: Mapping[str, int]
) -> Iterator[Cost]:
    found = calculus.derivative(function, inputs, mode)
    (node,) = calculus.prepare([found])
    yield _row([node], mode, "dense", sizes)
    if node.order > 1 and node.order > inputs[-1].order:
        factors = [x for term in calculus.factored_terms(node) for x in term.factors]
        yield _row(list(dict.fromkeys(factors)), mode, "factored", sizes)


def _row(roots: Sequence[Node], mode: Mode, form: Form, sizes: Mapping[str, int]) -> Cost:
    from tcalc.codegen.lower import lower
    from tcalc.codegen.options import Options
    from tcalc.codegen.work import flops, peak_elements

    roots = calculus.simplified(roots)
    nodes = postorder(roots)
    order = max((node.order for node in nodes), default=0)
    program = lower(roots, sizes, Options(reorder=mode not in calculus.PLAIN))
    work, memory = flops(program), peak_elements(program, sizes)
    operations, held = work.evaluate(sizes), ITEM * memory.evaluate(sizes)
    return Cost(mode, form, len(nodes), order, work, memory, operations, held)
