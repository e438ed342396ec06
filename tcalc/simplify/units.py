"""Rules for unit tensors within sums, which tie indices of the product that the sum is in.

As in derivatives of functions of all pairs of rows.
"""

from __future__ import annotations

from tcalc.expr import build
from tcalc.expr.nodes import Add, Delta, Einsum, Node
from tcalc.simplify.engine import of_products_having
from tcalc.simplify.parts import Parts, parts_of

MOST_TERMS = 6
"""The most terms of a sum that is looked at for unit tensors."""


@of_products_having(Add)
def unit_of_all_terms(node: Einsum) -> Node | None:
    """``Σ_k (A[i,j]*δ[k,l] - B[i,j]*δ[k,l])*y[k] -> (A - B)[i,j]*y[l]``.

    The number of unit tensors falls.
    """
    parts = parts_of(node)
    for k, (factor, row) in enumerate(zip(parts.factors, parts.rows, strict=True)):
        if not isinstance(factor, Add) or factor.order < 3 or len(factor.terms) > MOST_TERMS:
            continue
        terms = [parts_of(term) for _, term in factor.terms]
        for i, j in sorted(set.intersection(*map(_units, terms))):
            if row[i] in parts.output and row[j] in parts.output:
                continue
            rests = [
                (c * term.coefficient, _without_unit(term, i, j))
                for (c, _), term in zip(factor.terms, terms, strict=True)
            ]
            unit = build.delta(factor.dims[i])
            inner = tuple(label for x, label in enumerate(row) if x not in (i, j))
            new = parts.replaced((k,), (build.add(rests), unit), (inner, (row[i], row[j])))
            return new.build()
    return None


def _units(parts: Parts) -> set[tuple[int, int]]:
    """The pairs of axes that are those of a unit tensor and of nothing else in a product."""
    found: set[tuple[int, int]] = set()
    for factor, row in zip(parts.factors, parts.rows, strict=True):
        alone = all(label in parts.output and parts.uses(label) == 1 for label in row)
        if isinstance(factor, Delta) and alone:
            i, j = sorted(map(parts.output.index, row))
            found.add((i, j))
    return found


def _without_unit(parts: Parts, i: int, j: int) -> Node:
    """A product without the unit tensor that has two of its axes, and without these."""
    ends = {parts.output[i], parts.output[j]}
    k = next(k for k, row in enumerate(parts.rows) if ends == set(row))
    rest = parts.replaced((k,), (), ())
    output = tuple(label for label in parts.output if label not in ends)
    return build.einsum(rest.factors, rest.rows, output, rest.dims)


RULES = (unit_of_all_terms,)
