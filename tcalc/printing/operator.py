"""Factored derivatives, and those between matrices as operators, for display.

A factored tensor is written with unit tensors and its cores, ``2 δ[i,k] (V'*V)[j,l]``, and where
it maps matrices to matrices also as an operator, ``2 (V'*V ⊗ I)``.

A tensor ``H[i,j,k,l]`` maps a matrix ``X[k,l]`` to a matrix.  Where each of its terms is a product
of a factor over the rows and one over the columns, it is a sum of operators

    A ⊗ B :  X -> B*X*A'         (A ⊗ B) T :  X -> B*X'*A'

This form is for display only, beside the formula itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from tcalc.calculus.factored import factored_terms
from tcalc.calculus.terms import components
from tcalc.expr import build
from tcalc.expr.build import OpenProduct
from tcalc.expr.nodes import Add, Node, Var
from tcalc.printing.names import index_names
from tcalc.simplify import tidy
from tcalc.simplify.parts import parts_of
from tcalc.simplify.products import multiplied_out

Text = Callable[[Node], str]

LONGEST = 40
"""The most characters of a core that is written inside a term."""


def operator_form(node: Node, text: Text) -> str | None:
    """The operator form of a tensor of order four, or None where it has none.

    `text` writes a matrix or a scalar in matrix notation.

    >>> from tcalc.expr import shape
    >>> V = build.var("V", shape("n", "k"))
    >>> H = build.einsum([V, V, build.delta(V.dims[0])], "aj,al,ik->ijkl")
    >>> operator_form(build.scale(2, H), lambda x: "V'*V")
    "2 (V'*V ⊗ I)"
    """
    if node.order != 4:
        return None
    written: list[tuple[Fraction, str]] = []
    for term in factored_terms(_multiplied_out(tidy(node))):
        operator = _operator(term, text)
        if operator is None:
            return None
        written.append((term.coefficient, operator))
    return _sum_of(written) if written else None


_LETTERS = "ijklmnopqrstuvwxyzabcdefgh"

MOST_TERMS = 64
"""The most terms of an operator form that arise by multiplying out."""


def _multiplied_out(node: Node) -> Node:
    """A sum of products without sums among their factors that couple rows and columns."""
    waiting = list(node.terms) if isinstance(node, Add) else [(Fraction(1), node)]
    found: list[tuple[Fraction, Node]] = []
    while waiting and len(waiting) + len(found) <= MOST_TERMS:
        coefficient, term = waiting.pop()
        parts = parts_of(term)
        sums = (k for k, x in enumerate(parts.factors) if isinstance(x, Add) and x.order > 2)
        place = next(sums, None)
        opened = multiplied_out(parts, place) if place is not None and term.operands else None
        if opened is None or opened is term:
            found.append((coefficient, term))
        elif isinstance(opened, Add):
            waiting += [(coefficient * c, x) for c, x in opened.terms]
        else:
            waiting.append((coefficient, opened))
    return build.add([*found, *waiting])


def factored_form(terms: Sequence[OpenProduct], text: Text, places: Sequence[str] = ()) -> str:
    """The terms of a factored tensor: ``2 δ[i,k] (V'*V)[j,l]``.

    `text` writes a core; one that takes more than a short formula gets a name, and a line below.
    `places` are the indices of the axes, by default i, j, k and so on.

    >>> from tcalc.expr import shape
    >>> V = build.var("V", shape("n", "k"))
    >>> H = build.einsum([V, V, build.delta(V.dims[0])], "aj,al,ik->ijkl")
    >>> factored_form(factored_terms(build.scale(2, H)), lambda x: "V'*V")
    "2 δ[i,k] (V'*V)[j,l]"
    """
    asides: dict[Node, str] = {}

    def name(core: Node) -> str:
        written = text(core)
        short = len(written) <= LONGEST and not set(written) & set("=\n[")
        if short or isinstance(core, Var):
            return fenced(written)
        return asides.setdefault(core, f"C{len(asides) + 1}")

    lines = [term_text(term, [name(core) for core in term.factors], places) for term in terms]
    shown = _sum_of([(term.coefficient, line) for term, line in zip(terms, lines, strict=True)])
    where = [f"{called}: {_aside(text(core), core)}" for core, called in asides.items()]
    return "\n".join([shown, *where])


def term_text(term: OpenProduct, names: Sequence[str], places: Sequence[str] = ()) -> str:
    """One term over index names, without its coefficient; `names` are those of its cores.

    `places` are the indices of its axes, by default i, j, k and so on.
    """
    order = len(term.output)
    places = places or [_LETTERS[k % 26] + "'" * (k // 26) for k in range(order)]
    fresh = index_names(places)
    letter: dict[int, str] = {}
    parts = [called for called, row in zip(names, term.subscripts, strict=True) if not row]
    for label, place in zip(term.output, places, strict=True):
        if label in letter:
            parts.append(f"δ[{letter[label]},{place}]")
        letter.setdefault(label, place)
    for row in term.subscripts:
        for label in row:
            if label not in letter:
                letter[label] = next(fresh)
    for called, row in zip(names, term.subscripts, strict=True):
        if row:
            parts.append(f"{called}[{','.join(letter[x] for x in row)}]")
    return " ".join(parts) or "1"


def fenced(text: str) -> str:
    """A text in brackets, where it has signs between its parts."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character in "([⟨") - (character in ")]⟩")
        if depth == 0 and (character in "+*/ " or (character == "-" and place > 0)):
            return f"({text})"
    return f"({text})" if text.startswith("-") else text


def _aside(written: str, core: Node) -> str:
    shape = f"[{','.join(map(str, core.dims))}]"
    single = " ".join(written.split())
    return f"{shape}, {single}" if len(single) <= 2 * LONGEST else f"{shape}, a long formula"


def _operator(term: OpenProduct, text: Text) -> str | None:
    """A term as ``s (A ⊗ B)``, transposed or not; None if its factors couple rows and columns."""
    i, j, k, m = term.output
    for transposed, rows, columns in ((False, (i, k), (j, m)), (True, (i, m), (j, k))):
        found = _sides(term, (rows, columns))
        if found is None:
            continue
        scalars, left, right = found
        a, b = ("I" if x is None else text(x) for x in (right, left))
        scale = [] if scalars is None else [text(scalars)]
        return " ".join([*scale, f"({a} ⊗ {b})", *(["T"] if transposed else [])])
    return None


def _sides(
    term: OpenProduct, ends: Sequence[tuple[int, int]]
) -> tuple[Node | None, Node | None, Node | None] | None:
    """The scalar, the row and the column factor of a term, None for one that is a unit."""
    (i, k), (j, m) = ends
    if len({i, k} & {j, m}):
        return None
    parts: list[list[int]] = [[], [], []]
    for group in components(term):
        free = {x for n in group for x in term.subscripts[n]} & set(term.output)
        place = next((p for p, s in ((0, set()), (1, {i, k}), (2, {j, m})) if free <= s), None)
        if place is None:
            return None
        parts[place] += group
    nodes: list[Node | None] = []
    for places, pair in zip(parts, ((), (i, k), (j, m)), strict=True):
        if not places:
            if pair and pair[0] != pair[1]:
                return None
            nodes.append(None)
            continue
        factors = [term.factors[n] for n in places]
        rows = [term.subscripts[n] for n in places]
        nodes.append(build.einsum(factors, rows, pair, {x: term.dims[x] for x in pair}))
    return nodes[0], nodes[1], nodes[2]


def _sum_of(terms: Sequence[tuple[Fraction, str]]) -> str:
    parts: list[str] = []
    for coefficient, operator in terms:
        size = abs(coefficient)
        body = operator if size == 1 else f"{size} {operator}"
        sign = "-" if coefficient < 0 else "+"
        parts.append(f" {sign} {body}" if parts else body if sign == "+" else f"-{body}")
    return "".join(parts)
