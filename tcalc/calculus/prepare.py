"""What is rewritten before differentiation, so that the derivative is right and cheap.

- forms that overflow, as ``log(1 + exp(x))``, become functions that do not (`tcalc.simplify`);
- ``spectral_sums``: ``Σ g(eigvalsh(A)) -> tr(g(A))``, smooth where eigenvalues meet;
- ``square_of_norm``: ``norm2(x)^(2k) -> (Σ x^2)^k``, which has a derivative at 0;
- ``regular_branches``: ``where(c, f(x), b) -> where(c, f(where(c, x, s)), b)``, with `s` a point
  at which `f` and its derivatives are finite: a branch that is not taken may be NaN or infinite,
  and 0 times its derivative must still be 0;
- ``inverse_of_diagonal``: ``inv(diag(x)) -> diag(1./x)``, so that no matrix is formed; a zero in x
  is still an error;
- ``split_product``: a product of more than four factors becomes a tree of products, along a
  cheap order of contraction: k·(k - 1) factors in its k cotangents otherwise.

Values do not change.  The rewriting is idempotent, so that a function and its derivatives, each
prepared by itself, share their nodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple, TypeGuard

from tcalc.calculus.branches import regular_branches
from tcalc.calculus.spectral import spectral_sums
from tcalc.calculus.terms import nominal
from tcalc.expr import build
from tcalc.expr.facts import holds
from tcalc.expr.nodes import Add, Apply, Delta, Einsum, Node
from tcalc.expr.primitive import Fact
from tcalc.expr.traverse import orders_kept, postorder, rebuild
from tcalc.planning import plan
from tcalc.primitives.inverse import Inverse
from tcalc.primitives.norms import Norm2
from tcalc.primitives.power import Power, inverse_entries, power, square
from tcalc.primitives.reductions import total
from tcalc.primitives.singular import Singular, written_out
from tcalc.simplify import stable
from tcalc.simplify.definite import without_factors
from tcalc.simplify.factorisations import quadratic_form_of_factor
from tcalc.simplify.pairs import in_pairs
from tcalc.simplify.special import special_among

LONGEST_PRODUCT = 4
"""The most factors of a product that stays one."""


@orders_kept()
def prepare(roots: Sequence[Node]) -> list[Node]:
    """The same tensors, ready to be differentiated."""
    return regular_branches(rebuild(spectral_sums(stable(roots)), _rule))


@orders_kept()
def linearisable(roots: Sequence[Node]) -> list[Node]:
    """The same tensors prepared, as graphs whose every step has a local Jacobian."""
    return singular_written_out(prepare(roots))


class Differentiable(NamedTuple):
    """A function as it is differentiated, and what its arrays are in the value where that differs.

    What a derivative is in terms of one, it is in terms of the other: so a derivative that is
    `shared` has arrays of the value, and code for both computes these once.
    """

    function: Node
    arrays: Mapping[Node, Node]

    def shared(self, derivatives: Sequence[Node]) -> list[Node]:
        """The derivatives with the arrays of the value."""
        return rebuild(derivatives, replacements=self.arrays) if self.arrays else [*derivatives]


@orders_kept()
def differentiable(root: Node) -> Differentiable:
    """The same for a function to differentiate: equal wherever the function has a value.

    Functions of Cholesky factors become those of the matrix (`tcalc.simplify.definite`), and those
    of singular values that have had two derivatives are written out.
    """
    prepared = prepare([root])
    free, arrays = without_factors(prepared)
    if free != prepared:
        prepared = prepare(free)
    (function,) = singular_written_out(prepared)
    return Differentiable(function, arrays)


def singular_written_out(roots: Sequence[Node]) -> list[Node]:
    """The roots with derivatives of functions of singular values as what can be differentiated."""
    if any(map(_is_second, postorder(roots))):
        return rebuild(roots, lambda node: written_out(node) if _is_second(node) else node)
    return list(roots)


def _is_second(node: Node) -> TypeGuard[Apply]:
    match node:
        case Apply(primitive=Singular(k=1)):
            return True
        case _:
            return False


def _rule(node: Node) -> Node:
    match node:
        case Apply(primitive=Power() as p, args=(Apply(primitive=Norm2() as n) as norm,)):
            return square_of_norm(node, p.exponent, norm, n.axes)
        case Apply(primitive=Inverse(axes=1), args=(matrix,)):
            return inverse_of_diagonal(node, matrix)
        case Einsum(factors=factors) if len(factors) > LONGEST_PRODUCT:
            return split_product(node)
        case _:
            return node


def square_of_norm(node: Apply, exponent: Fraction, norm: Apply, axes: int) -> Node:
    """``norm2(x)^(2k) -> (Σ x^2)^k``, where Σ x^2 may be a quadratic form ``y'*inv(K)*y``."""
    half = exponent / 2
    if half.denominator != 1 or half < 1:
        return node
    x = norm.args[0]
    if x.order == axes:
        product = build.einsum([x, x], [range(axes)] * 2, ())
        form = quadratic_form_of_factor(product) if isinstance(product, Einsum) else None
        if form is not None:
            return power(form, half)
    return power(total(square(x), axes), half)


def inverse_of_diagonal(node: Apply, matrix: Node) -> Node:
    """``inv(diag(x)) -> diag(1./x)``, for sums of such matrices and unit matrices too."""
    *lead, i = range(matrix.order - 1)
    parts = matrix.terms if isinstance(matrix, Add) else ((Fraction(1), matrix),)
    diagonals: list[tuple[Fraction, Node]] = []
    for coefficient, part in parts:
        if not (isinstance(part, Delta) or (isinstance(part, Einsum) and part.is_view)):
            return node
        entries = build.einsum([part], [(*lead, i, i)], (*lead, i))
        if build.einsum([entries], [(*lead, i)], (*lead, i, i)) is not part:
            return node
        diagonals.append((coefficient, entries))
    inverse = inverse_entries(build.add(diagonals))
    return build.einsum([inverse], [(*lead, i)], (*lead, i, i))


def split_product(node: Einsum) -> Node:
    """A product of many factors as a tree of products of two."""
    special = special_among(node.factors)
    moving = [
        factor
        for k, factor in enumerate(node.factors)
        if k not in special and holds(factor, Fact.CONSTANT) is not True
    ]
    if len(moving) <= LONGEST_PRODUCT:
        return node
    sizes = {
        label: nominal(dim)
        for factor, row in zip(node.factors, node.subscripts, strict=True)
        for label, dim in zip(row, factor.dims, strict=True)
    }
    return in_pairs(node, plan(node.subscripts, node.output, sizes, special).path)
