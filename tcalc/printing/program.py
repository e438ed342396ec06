"""Whole results: which notation, which common subexpressions, which names.

A result is a list of statements, the last of which is its value.  Definitions come before it
where the result would be too long without them, where they are asked for, and where a tensor
stands in a place that only takes a name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import field, replace
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import chain, count
from typing import Literal, TypeAlias, get_args

from tcalc.errors import ArgumentError, LimitError, UnsupportedError
from tcalc.expr import build
from tcalc.expr.collector import collector_paused
from tcalc.expr.facts import symmetric_axes
from tcalc.expr.index_names import AxisNames, IndexNames
from tcalc.expr.nodes import Add, Apply, Einsum, Node, Var
from tcalc.expr.traverse import postorder
from tcalc.primitives.axis_names import inferred
from tcalc.primitives.power import Power
from tcalc.primitives.shifts import Shifts
from tcalc.printing.einstein import EinsteinNotation, repeated
from tcalc.printing.formula import (
    Formula,
    Statement,
    Sum,
    indices,
    renamed,
    scaled,
    with_symbols,
)
from tcalc.printing.indices import Lettering
from tcalc.printing.matrix import MatrixNotation
from tcalc.printing.names import Names, index_names, meaning
from tcalc.printing.opening import as_matrices
from tcalc.printing.sizes import with_deltas, with_ranges
from tcalc.printing.text import text_of
from tcalc.printing.writer import NeedsNameError, NoMatrixFormError, Writer
from tcalc.records import dataclass
from tcalc.simplify import tidy_all
from tcalc.simplify.expand import expand_unnamed, in_language
from tcalc.simplify.finishing import with_numbers_apart

Notation: TypeAlias = Literal["matrix", "einstein", "auto"]
Cse: TypeAlias = bool | Literal["auto"]

LONGEST = 150
"""The most nodes that a formula may have, written out, before definitions are made for it."""

HOPELESS = 4
"""A formula this many times longer than the longest gets definitions without a further look."""

MEDIUM = 44
"""The most nodes of a formula that may say the same thing over and over."""

REPETITIVE = 2.5
"""How often each node stands in a formula that does, on average."""

READABLE = 20_000
"""The most nodes of a formula that is written out where no definitions are wanted."""

REMEMBERED = 4
"""How many results are kept simplified, to be written again in another notation."""

MOST_FACTORS = 12
"""The most factors of a product that is left open where its parts may have names."""

PIECE = 40
"""The most nodes of a piece, where a formula is divided."""

SHARED = 6
"""The fewest nodes of a common subexpression that gets a name by itself."""

WISHED = 4
"""The fewest nodes of one that gets a name where names are asked for."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a result is to be written; `to_text` tells what comes from the user's program."""

    notation: Notation = "auto"
    order: Sequence[str] = ()
    neighbours: Collection[tuple[str, str]] = ()
    names: Sequence[str] = ()
    cse: Cse = "auto"
    called: str = ""
    index_names: IndexNames = field(default_factory=dict)
    simplify: bool = True

    def __post_init__(self) -> None:
        for what, value, known in (
            ("notation", self.notation, get_args(Notation)),
            ("choice of common subexpressions", self.cse, (True, False, "auto")),
        ):
            if value not in known:
                raise ArgumentError(
                    f"there is no {what} {value!r}", hint="one of " + ", ".join(map(repr, known))
                )


@collector_paused()
def statements(roots: Sequence[Node], wishes: Wishes) -> list[Statement]:
    """The program whose last statements are the values of the roots."""
    tidied, divide = written(roots, wishes.cse, wishes.notation, wishes.simplify)
    wanted = [wishes.index_names.get(root, ()) for root in roots]
    page = _Page(tidied, wishes, wanted)
    if divide:
        page.define_shared()
    found = page.write()
    if divide or not page.indexed or (wishes.cse, wishes.notation) != ("auto", "auto"):
        return found
    # With names for parts that have no matrix notation the whole may have one.
    named = _Page(tidied, wishes, wanted)
    named.define_shared()
    again = named.write() if named.chosen else found
    return again if not named.indexed and _length_of(again) < _length_of(found) else found


def _length_of(page: Sequence[Statement]) -> int:
    return sum(len(text_of(statement.value)) for statement in page)


def written(
    roots: Sequence[Node], cse: Cse, notation: Notation, simplify: bool = True
) -> tuple[list[Node], bool]:
    """The tensors as they are written, and whether with definitions for their parts."""
    tidied, divide = _tidied(tuple(roots), cse) if simplify else _as_built(roots, cse)
    pairs_opened = simplify or notation == "matrix"
    if notation != "einstein" and pairs_opened and all(root.order <= 2 for root in tidied):
        opened = as_matrices(tidied)
        if opened != tidied and cse == "auto":
            divide = divide or _wants_names(opened)
        return opened, divide
    return list(tidied), divide


@lru_cache(maxsize=REMEMBERED)
def _tidied(roots: Sequence[Node], cse: Cse) -> tuple[list[Node], bool]:
    """The tensors simplified: the same in all notations and for all media, and so remembered."""
    roots = expand_unnamed(roots)
    if cse and len(postorder(roots)) > LONGEST:
        return tidy_all(roots, inline="single"), True
    divided: list[Node] | None = None
    if cse and written_size(roots) > HOPELESS * LONGEST:
        # Opening all that is shared takes time, and like terms that then meet do not halve it.
        divided = tidy_all(roots, inline="single")
        if written_size(divided) > HOPELESS * LONGEST:
            return divided, True
    tidied = tidy_all(roots)
    size = written_size(tidied)
    if cse is True or (cse == "auto" and _wants_names(tidied)):
        divided = divided or tidy_all(roots, inline="single")
        open_products = any(len(node.operands) > MOST_FACTORS for node in postorder(tidied))
        best = divided if open_products else min(tidied, divided, key=_cost_with_names)
        return with_numbers_apart(best), True
    _require_readable(size)
    return tidied, False


def _as_built(roots: Sequence[Node], cse: Cse) -> tuple[list[Node], bool]:
    """The tensors as they are, and whether with definitions for their parts."""
    roots = in_language(roots)
    divide = cse is True or (cse == "auto" and _wants_names(roots))
    if not divide:
        _require_readable(written_size(roots))
    return roots, divide


def _require_readable(size: float) -> None:
    if size > READABLE:
        raise LimitError(
            f"written out, the formula would have about {size:,.0f} symbols",
            hint="ask for common subexpressions, which name what occurs more than once",
        )


def _cost_with_names(roots: Sequence[Node]) -> tuple[int, int]:
    """How many matrices do not look symmetric, and how many parts all nodes have, each once."""
    lopsided = sum(root.order == 2 and not symmetric_axes(root) for root in roots)
    return lopsided, sum(len(node.operands) for node in postorder(roots))


def _wants_names(roots: Sequence[Node]) -> bool:
    """Whether formulas are long, or say the same thing over and over."""
    size = written_size(roots)
    return size > LONGEST or (size > MEDIUM and size > REPETITIVE * len(postorder(roots)))


def written_size(roots: Sequence[Node]) -> float:
    """How many nodes the roots would show, written out; found without writing them."""
    sizes: dict[Node, float] = {}
    for node in postorder(roots):
        sizes[node] = 1.0 + sum(sizes[operand] for operand in node.operands)
    return sum(sizes[root] for root in roots)


class _Page:
    """Results on their way to statements."""

    def __init__(self, roots: Sequence[Node], wishes: Wishes, wanted: Sequence[AxisNames]) -> None:
        self.roots = roots
        self.wishes = wishes
        self.wanted = wanted
        self.nodes = postorder(roots)
        names = {node.name for node in self.nodes if isinstance(node, Var)}
        sizes = {name for node in self.nodes for dim in node.dims for name in dim.names()}
        self.taken = names | sizes
        # In sums of indices the names of sizes are read as these.
        shifted = any(isinstance(x, Apply) and isinstance(x.primitive, Shifts) for x in self.nodes)
        self.sizes = frozenset(sizes.union(wishes.names) if shifted else ())
        self.not_indices = self.taken.union(self.sizes, wishes.order)
        self.chosen: set[Node] = set()
        self.indexed: set[Node] = set()
        """The results that are written with indices."""
        rows = chain.from_iterable(wishes.index_names.values())
        self.indices = frozenset(chain.from_iterable(rows))

    @cached_property
    def axis_names(self) -> Mapping[Node, AxisNames]:
        """The names of axes of all that is on the page."""
        return inferred(self.nodes, self.wishes.index_names)

    def _name(self) -> None:
        """Names for the outputs of factorisations, then for what was chosen, in order."""
        others = (self.wishes.order, self.wishes.names, self.indices)
        self.names = Names(chain(self.taken, *others))
        self.defined: dict[Node, str] = {}
        self.unpacked: dict[Node, tuple[str, ...]] = {}
        for node in self.nodes:
            if isinstance(node, Apply) and node.primitive.outputs > 1:
                self._unpack(node)
        for node in self.nodes:
            if node in self.chosen:
                stem = meaning(node)
                named = self.names.fresh("t") if stem == "t" else self.names.wanted(stem)
                self.defined[node] = named

    def _unpack(self, node: Apply) -> None:
        """Names for all outputs of a factorisation, by the first of them that is used."""
        stems = node.primitive.output_names or ("t",) * node.primitive.outputs
        outputs = [
            build.apply(node.primitive, *node.args, output=k) for k in range(node.primitive.outputs)
        ]
        if outputs[0] not in self.defined:
            names = tuple(self.names.wanted(stem) for stem in stems)
            self.defined.update(zip(outputs, names, strict=True))
            self.unpacked[node] = names

    def define_shared(self) -> None:
        """Names for what is used more than once, and for parts of what is long."""
        least = WISHED if self.wishes.cse is True else SHARED
        uses: dict[Node, int] = {}
        for node in self.nodes:
            for operand in node.operands:
                uses[operand] = uses.get(operand, 0) + 1
        sizes: dict[Node, int] = {}
        whole = set(chain.from_iterable(map(_up_to_numbers, self.roots)))
        for node in self.nodes:
            named = (1 if x in self.chosen or _is_output(x) else sizes[x] for x in node.operands)
            size = 1 + sum(named)
            sizes[node] = size
            shared = uses.get(node, 0) > 1 and (size >= least or _is_of_matrix(node))
            long = size > PIECE and node not in whole
            if _can_be_named(node) and (shared or long) and node not in self.roots:
                self.chosen.add(_denominator(node) or node)

    def write(self) -> list[Statement]:
        while True:
            self._name()
            try:
                return self._written()
            except NeedsNameError as missing:
                if missing.node in self.chosen:
                    raise UnsupportedError(
                        f"no notation has a form for {missing.node!r}",
                        hint="it can be evaluated and compiled",
                    ) from None
                self.chosen.add(missing.node)

    def _written(self) -> list[Statement]:
        self.indexed.clear()
        found: list[Statement] = []
        known: dict[tuple[tuple[str, ...], str], str] = {}
        again: set[Node] = set()
        order = (*self.wishes.order, *sorted(self.taken))
        writer = Writer(order, self.axis_names, self.wishes.neighbours)
        taken = self.not_indices.union(self.defined.values())
        self.lettering = Lettering(writer.axes, self.indices, taken, self.sizes, writer.text)
        for node in self.nodes:
            if node in self.unpacked and isinstance(node, Apply):
                found.append(self._unpacking(node, writer))
            elif node in self.defined and not _is_output(node):
                name = self.defined[node]
                statement = self._statement(node, writer, name)
                says = statement.positions, writer.text(statement.value)
                writer.defined[node] = known.setdefault(says, name)
                if writer.defined[node] != name:
                    again.add(node)  # a product that is put together in another way
                    writer.next_page()
                    continue
                found.append(statement)
                writer.axes[name] = (self._names_on(statement, node), node.dims)
                writer.next_page([name])
        for place, root in enumerate(self.roots):
            called = self.wishes.called if place == len(self.roots) - 1 else ""
            found.append(self._statement(root, writer, called, self.wanted[place]))
        return self._without_gaps(found, again) if again else found

    def _without_gaps(self, found: list[Statement], again: set[Node]) -> list[Statement]:
        """The statements with names as they are without those of the definitions left out."""
        before = self.defined
        self.chosen -= again
        self._name()
        names = {before[node]: name for node, name in self.defined.items()}
        return [
            replace(
                statement,
                names=tuple([names.get(name, name) for name in statement.names]),
                value=with_symbols(statement.value, names),
            )
            for statement in found
        ]

    def _names_on(self, statement: Statement, node: Node) -> AxisNames:
        """The names of indices that the axes of a definition have, where they are the user's."""
        if not statement.positions:
            return self.axis_names.get(node, ())
        return tuple((at,) if at in self.indices else () for at in statement.positions)

    def _unpacking(self, node: Apply, writer: Writer) -> Statement:
        """``w, V = eigh(S)``."""
        names = self.unpacked[node]
        value = writer.run(MatrixNotation(writer).factorisation(node))
        for k, name in enumerate(names):
            writer.defined[build.apply(node.primitive, *node.args, output=k)] = name
        writer.next_page(names)
        return Statement(names, (), value)

    def _statement(
        self, node: Node, writer: Writer, name: str, wanted: AxisNames = ()
    ) -> Statement:
        if self.wishes.notation != "einstein":
            try:
                value = writer.run(MatrixNotation(writer).form(node))
                return Statement((name,) if name else (), (), value)
            except NoMatrixFormError as reason:
                indexed = self._with_indices(node, writer, name, wanted)
                if node in self.roots:
                    self.indexed.add(node)
                if self.wishes.notation == "matrix":
                    return replace(indexed, note=f"no matrix notation: {reason}")
                return indexed
        return self._with_indices(node, writer, name, wanted)

    def _with_indices(self, node: Node, writer: Writer, name: str, wanted: AxisNames) -> Statement:
        supply = index_names(self.not_indices)
        left = tuple(next(supply) for _ in range(node.order))
        whole = isinstance(node, Add) and node not in writer.defined
        terms = node.terms if whole and isinstance(node, Add) else ((Fraction(1), node),)
        own = (f"_{k}" for k in count())
        written: list[tuple[Fraction, Formula]] = []
        for coefficient, term in terms:
            notation = EinsteinNotation(writer, own, left)
            written.append((coefficient, writer.run(notation.element(term, left))))
        found = [indices(formula) for _, formula in written]
        seen = set(chain.from_iterable(found))
        missing = {x: dim for x, dim in zip(left, node.dims, strict=True) if x not in seen}
        # A single term stands in no order, and the names of the program come later.
        single = len(written) == 1 and not isinstance(written[0][1], Sum)
        if not missing and not (self.indices and single):
            written = [
                (c, self._with_letters(formula, left, order))
                for (c, formula), order in zip(written, found, strict=True)
            ]
        value = writer.sum([scaled(c, formula) for c, formula in written])
        if missing:
            # No tensor in the formula has these axes; and now it is one term, with other sums.
            value = repeated(value, missing)
            value = self._with_letters(value, left, indices(value))
        value = with_ranges(with_deltas(value, left), left)
        alone = not name and self._stands_alone(value, left, EinsteinNotation(writer, supply))
        if self.indices:
            wanted = wanted or self.wishes.index_names.get(node, ())
            value, left = self.lettering.named(value, left, node.dims, wanted)
        if alone:
            return Statement((), (), value)
        return Statement((name or self._result_name(),), left, value)

    def _with_letters(self, formula: Formula, left: Sequence[str], order: Sequence[str]) -> Formula:
        """A top-level term with letters for its sums, in the order of reading."""
        letters = (index for index in index_names(self.not_indices) if index not in left)
        return renamed(formula, {at: next(letters) for at in order if at not in left})

    def _result_name(self) -> str:
        free = (name for name in ("T", "R", "Result") if name not in self.names)
        return next(free, "") or self.names.fresh("T")

    def _stands_alone(
        self, value: Formula, left: Sequence[str], notation: EinsteinNotation
    ) -> bool:
        """Whether the formula has its axes in the right order without a left-hand side."""
        terms = [term for _, term in value.terms] if isinstance(value, Sum) else [value]
        for term in terms:
            counts = notation.occurrences(term)
            if any(counts.get(index, 0) != 1 for index in left):
                return False
            axes = indices(term, in_brackets=False)
            if [index for index in axes if index in left] != list(left):
                return False
        return True


def _up_to_numbers(root: Node) -> Iterator[Node]:
    """What a tensor is a multiple of, by numbers and scalars: with a name, just that is said."""
    while True:
        match root:
            case Add(terms=((_, term),)):
                root = term
            case Einsum(factors=factors) if not root.is_view:
                tensors = [x for x in factors if x.order]
                if len(tensors) != 1:
                    return
                (root,) = tensors
            case _:
                return
        yield root


def _denominator(node: Node) -> Node | None:
    """The u of ``1/u`` and ``1/u^2``, where that can have a name: a quotient reads better so."""
    match node:
        case Apply(primitive=Power(exponent=p), args=(base,)) if p < 0 and not node.order:
            return base if _can_be_named(base) else None
    return None


def _is_output(node: Node) -> bool:
    return isinstance(node, Apply) and node.primitive.outputs > 1


def _is_of_matrix(node: Node) -> bool:
    """Whether a node is an expensive function of a matrix, named however short it is."""
    return isinstance(node, Apply) and bool(node.primitive.compound)


def _can_be_named(node: Node) -> bool:
    if _is_output(node):
        return False
    match node:
        case Add(terms=terms):
            return len(terms) > 1
        case Einsum():
            return not node.is_view
        case Apply(args=args):
            return bool(args)
    return False
