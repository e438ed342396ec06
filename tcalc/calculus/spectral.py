"""Functions of eigenvalues, all treated alike, become functions of the matrix.

``spectral_sums``, for ``w = eigvalsh(A)`` and ``w, V = eigh(A)``:

    Σ_i g(w[i])               -> tr(g(A))
    Σ_i g(w[i]) V[k,i] V[l,i] -> g(A)[k,l]

and of singular values, for ``s = svdvals(A)`` and ``U, s, V = svd(A)``:

    Σ_i g(s[i])               -> one function of A (Σ s[i] is normnuc(A))
    Σ_i g(s[i]) U[k,i] V[l,i] -> its gradient, or that of another function

The right-hand sides are smooth where eigenvalues meet; the left-hand sides are too, but their
derivatives would subtract large terms there.  `g` is whatever element-wise functions, products and
sums make of w, numbers, and scalars that do not run with i, which become parameters of `g`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from tcalc.expr import build
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node, Var
from tcalc.expr.primitive import Labels
from tcalc.expr.traverse import postorder, rebuild
from tcalc.primitives.eigh import Eigh, Eigvalsh
from tcalc.primitives.elementwise import Elementwise
from tcalc.primitives.exponential import exp
from tcalc.primitives.norms import Direction
from tcalc.primitives.scalar import ARGUMENT, parameter
from tcalc.primitives.singular import singular, singular_sum
from tcalc.primitives.softmax import Softmax, logsumexp
from tcalc.primitives.spectral import spectral
from tcalc.primitives.svd import SingularValues, Svd
from tcalc.records import dataclass
from tcalc.simplify.flatten import is_contraction, open_product


@dataclass(frozen=True, slots=True)
class OfEigenvalues:
    """``g(w)`` for the eigenvalues of a matrix, or for its singular values.

    The parameters of g stand under their own names.
    """

    matrix: Node
    singular: bool
    function: Node
    parameters: dict[Var, Node]


def spectral_sums(roots: Sequence[Node]) -> list[Node]:
    """The roots with sums over eigenvalues as functions of the matrix; see the module."""
    kinds = (Eigh, Eigvalsh, Svd, SingularValues)
    order = postorder(roots)
    if not any(isinstance(x, Apply) and isinstance(x.primitive, kinds) for x in order):
        return list(roots)
    known: dict[Node, OfEigenvalues | None] = {}

    def rule(node: Node) -> Node:
        _learn(node, known)
        return _gathered(node, known) if is_contraction(node) else node

    return rebuild(roots, rule)


def _learn(node: Node, known: dict[Node, OfEigenvalues | None]) -> None:
    """Note whether a node is a function of eigenvalues; its operands were noted before."""
    match node:
        case Apply(primitive=Eigvalsh() | Eigh(), args=(matrix,), output=0):
            known[node] = OfEigenvalues(matrix, singular=False, function=ARGUMENT, parameters={})
        case (
            Apply(primitive=SingularValues(), args=(matrix,))
            | Apply(primitive=Svd(), args=(matrix,), output=1)
        ):
            known[node] = OfEigenvalues(matrix, singular=True, function=ARGUMENT, parameters={})
        case Apply(primitive=Elementwise() as function, args=args):
            known[node] = _combined(node, args, known, lambda *g: build.apply(function, *g))
        case Apply(primitive=Softmax(axes=1), args=(x,)) if known.get(x):
            total = logsumexp(x, 1)
            shifted = _combined(node, (x, total), known, build.subtract)
            known[node] = shifted and replace(shifted, function=exp(shifted.function))
        case Apply(primitive=Direction(axes=1) as unit, args=(x,)) if known.get(x):
            known[node] = _combined(node, (x, unit.reciprocal(x)), known, build.hadamard)
        case Add(terms=terms):
            numbers = [coefficient for coefficient, _ in terms]
            known[node] = _combined(
                node, node.operands, known, lambda *g: build.add(zip(numbers, g, strict=True))
            )
        case Einsum(factors=factors, subscripts=subscripts, output=output) if _is_entrywise(node):
            dims = dict(zip(output, node.dims, strict=True))
            spread = [
                factor if row == output else build.einsum([factor], [row], output[:-1], dims)
                for factor, row in zip(factors, subscripts, strict=True)
            ]
            known[node] = _combined(node, spread, known, build.hadamard)


def _is_entrywise(node: Einsum) -> bool:
    """Whether a product runs over its output alone, each factor over all of it or not the last."""
    *batch, last = node.output or (-1,)
    return not any(isinstance(factor, Delta) for factor in node.factors) and all(
        row == node.output or (last not in row and set(row) <= set(batch))
        for row in node.subscripts
    )


def _combined(
    node: Node,
    operands: Sequence[Node],
    known: dict[Node, OfEigenvalues | None],
    combine: Callable[..., Node],
) -> OfEigenvalues | None:
    """The function that `combine` makes of functions of one matrix, numbers, and parameters.

    Eigenvalues that run along an axis before the last one are parameters too.
    """
    parts = [known.get(operand) if operand.order == node.order else None for operand in operands]
    matrices = {(part.matrix, part.singular) for part in parts if part is not None}
    if len(matrices) != 1:
        return None
    functions: list[Node] = []
    parameters: dict[Var, Node] = {}
    for operand, part in zip(operands, parts, strict=True):
        if part is not None:
            functions.append(part.function)
            parameters |= part.parameters
        elif isinstance(operand, Const):
            functions.append(build.const(operand.value))
        elif (scalar := _without_last_axis(operand, node.order)) is not None:
            variable = build.var(scalar.digest.hex(), ())
            functions.append(variable)
            parameters[variable] = scalar
        else:
            return None
    matrix, singular = matrices.pop()
    return OfEigenvalues(matrix, singular, combine(*functions), parameters)


def _without_last_axis(x: Node, order: int) -> Node | None:
    """The tensor without the last of `order` axes, along which it is repeated; else None."""
    match x:
        case Einsum(factors=factors, subscripts=rows, output=(*rest, last)) if x.order == order:
            if any(last in row for row in rows):
                return None
            return build.einsum(factors, rows, rest, dict(zip(rest, x.dims, strict=False)))
        case _:
            return x if x.order == order - 1 else None


def _gathered(node: Einsum, known: dict[Node, OfEigenvalues | None]) -> Node:
    """The product with its sums over eigenvalues taken, directly or once its factors are opened."""
    found = _take_sums(node, known)
    if found is None and any(_holds_vectors(factor) for factor in node.factors):
        opened = open_product(node)
        if isinstance(opened, Einsum) and is_contraction(opened):
            found = _take_sums(opened, known)
    return node if found is None else found


def _holds_vectors(node: Node) -> bool:
    return is_contraction(node) and any(map(_is_vectors, node.factors))


def _is_vectors(node: Node) -> bool:
    match node:
        case Apply(primitive=Eigh(), output=1) | Apply(primitive=Svd(), output=0 | 2):
            return True
        case _:
            return False


def _take_sums(node: Einsum, known: dict[Node, OfEigenvalues | None]) -> Node | None:
    places = list(zip(node.factors, node.subscripts, strict=True))
    for label in sorted({x for row in node.subscripts for x in row} - set(node.output)):
        inside = [(factor, row) for factor, row in places if label in row]
        taken = _as_spectral(label, inside, known)
        if taken is not None:
            rest = [(factor, row) for factor, row in places if label not in row]
            factors, rows = zip(*rest, taken, strict=True)
            dims = dict(zip(node.output, node.dims, strict=True))
            return build.einsum(factors, rows, node.output, dims)
    return None


def _multiplied(functions: Sequence[OfEigenvalues]) -> tuple[Node, list[Node]]:
    """The product of functions of the same eigenvalues, and its parameters, numbered in order."""
    g: Node = build.const(1)
    given: dict[Var, Node] = {}
    for f in functions:
        g = build.hadamard(g, f.function)
        given |= f.parameters
    renamed: dict[Node, Node] = {v: parameter(k) for k, v in enumerate(given)}
    (g,) = rebuild([g], replacements=renamed)
    return g, list(given.values())


def _as_spectral(
    label: int, inside: Sequence[tuple[Node, Labels]], known: dict[Node, OfEigenvalues | None]
) -> tuple[Node, Labels] | None:
    """What the factors that run over eigenvalues sum up to, with its labels."""
    functions = [(known.get(factor), row) for factor, row in inside if not _is_vectors(factor)]
    vectors = [(factor, row) for factor, row in inside if _is_vectors(factor)]
    if len(vectors) not in (0, 2) or any(row.index(label) < len(row) - 1 for _, row in inside):
        return None
    batches = {row[:-1] for _, row in functions} | {row[:-2] for _, row in vectors}
    kinds = {(f.matrix, f.singular) for f, _ in functions if f}
    kinds |= {(v.args[0], isinstance(v.primitive, Svd)) for v, _ in vectors if isinstance(v, Apply)}
    if len(kinds) != 1 or len(batches) != 1 or not all(f for f, _ in functions):
        return None
    ((matrix, is_singular),), (batch,) = kinds, batches
    vectors.sort(key=lambda place: place[0].output if isinstance(place[0], Apply) else 0)
    if is_singular and vectors and vectors[0][0] is vectors[1][0]:
        return None
    g, given = _multiplied([f for f, _ in functions if f is not None])
    if is_singular and not vectors:
        return singular_sum(g, matrix, given), batch
    function = singular if is_singular else spectral
    value = function(g, matrix, given)
    if vectors:
        return value, (*batch, vectors[0][1][-2], vectors[1][1][-2])
    # The trace: a label of its own, the one that was summed.
    return value, (*batch, label, label)
