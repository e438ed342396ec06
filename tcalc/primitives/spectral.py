"""Functions of a symmetric matrix and their derivatives of all orders, exact at ties.

For ``S = (A + A')/2 = V diag(w) V'`` and a function g of one number, ``g(S) = V diag(g(w)) V'``,
and its Fréchet derivative of order k in symmetric directions E_1, …, E_k is

    L_k(A; E_1, …, E_k) = Σ_π V[:,i_0] D[i_0, …, i_k] (V' E_π(1) V)[i_0,i_1] … V[:,i_k]'

with ``D[i_0, …, i_k] = g[w[i_0], …, w[i_k]]``, the divided differences (Daleckii & Krein 1965;
Bhatia, Matrix Analysis, V.3; Higham & Relton 2014).  The family is closed under differentiation
and its own adjoint.  No eigenvector is ever differentiated, so that nothing is lost where
eigenvalues meet.

The function may have parameters, as `tcalc.primitives.scalar` describes.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import permutations
from typing import Any

from tcalc.expr import build
from tcalc.expr.dims import Shape
from tcalc.expr.facts import holds as known
from tcalc.expr.nodes import Add, Apply, Const, Node
from tcalc.expr.primitive import (
    Fact,
    Holds,
    LinearMap,
    Notation,
    Operator,
    linear_map,
)
from tcalc.expr.traverse import rebuild, variables
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.divided_differences import (
    divided_difference,
    divided_differences,
    points_per_axis,
    simplex_points,
    simplex_points_of,
)
from tcalc.primitives.eigh import eigh, eigvalsh, symmetric_eigen
from tcalc.primitives.elementwise import Elementwise
from tcalc.primitives.exponential import log
from tcalc.primitives.function import Function, tensor_form
from tcalc.primitives.matrices import product, transpose
from tcalc.primitives.matrix_function import MatrixFunction
from tcalc.primitives.matrix_shapes import check_square
from tcalc.primitives.messages import described
from tcalc.primitives.operators import (
    is_zero,
    operator,
    taken_once,
    unit_multiple,
)
from tcalc.primitives.power import Power, power
from tcalc.primitives.routines import Coded, Embedded, Routine
from tcalc.primitives.scalar import (
    ARGUMENT,
    applied_to,
    parameter,
    scalar_applied,
    scalar_derivative,
    split_arguments,
    values_at,
    without_unused,
)

HALF = Fraction(1, 2)
_POSITIVE = build.var("x", (), ("positive",))


class Spectral(MatrixFunction):
    """``g(A)`` for the symmetric part of A, or its derivative in k directions."""

    name = "spectral"

    def __init__(self, g: Node, parameters: int, k: int) -> None:
        super().__init__(g, parameters, k)
        self.blamed = "eigh" if self.function == self.name else self.function

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        check_square(self.name, arguments[0])
        return super().shapes(*arguments)

    def of(
        self, scalar: Node, a: Node, parameters: Sequence[Node], directions: Sequence[Node]
    ) -> Node:
        return spectral(scalar, a, parameters, directions)

    def derivatives(self) -> list[Node]:
        """g and its derivatives up to the order k."""
        found = [self.scalar]
        for _ in range(self.k):
            found.append(scalar_derivative(found[-1], ARGUMENT))
        return found

    def jacobian(self, node: Apply, position: int) -> LinearMap | Operator:
        if (found := self.by_parameter(node, position)) is not None:
            return found
        A, t, E = split_arguments(node.args, self.parameters)
        # By A: L_{k+1}(A; dA, ..).  By E_1: L_k(A; dE_1, ..).  Both are their own adjoints.
        at = position - 1 - self.parameters
        kept = E if position == 0 else (*E[:at], *E[at + 1 :])

        def rule(d: Node, A: Node, *rest: Node) -> Node:
            cut = self.parameters
            return spectral(self.scalar, A, rest[:cut], (d, *rest[cut:]))

        return operator(node, position, (A, *t, *kept), rule, rule)

    def evaluate(self, *arrays: Any) -> Any:
        A, t, E = split_arguments(arrays, self.parameters)
        w, V = symmetric_eigen(A, where=self.function)
        if self.definite:
            w = positive_eigenvalues(w, self.function)
        values: list[Any] = []
        for k, g in enumerate(self.derivatives()):
            x = simplex_points(w, k, points_per_axis(k)) if k else w
            values.append(values_at(g, x, t))
        D = divided_differences(w, *values)
        i = "ijklmnop"[: self.k + 1]
        turned = [
            np.einsum("...ai,...ab,...bj->...ij", V, (e + e.swapaxes(-1, -2)) / 2, V) for e in E
        ]
        pairs = "".join(f",...{i[j]}{i[j + 1]}" for j in range(self.k))
        subscripts = f"...a{i[0]},...{i}{pairs},...b{i[-1]}->...ab"
        total = np.zeros_like(A)
        for order in permutations(turned):
            total = total + np.einsum(subscripts, V, D, *order, V)
        return total

    def expansion(self, node: Apply) -> Node:
        A, t, E = split_arguments(node.args, self.parameters)
        # One matrix for many directions, as in a whole Hessian, is decomposed once.
        lead, (A, *once) = taken_once(A, *t)
        w, V = eigh(A)
        w = self._in_domain(w)
        values: list[Node] = []
        for k, g in enumerate(self.derivatives()):
            values.append(applied_to(g, simplex_points_of(w, k) if k else w, once))
        i = "ijklmnop"[: self.k + 1]
        D = divided_difference(w, *values) if self.k else values[0]
        D, V = (build.broadcast(x, lead + x.dims) for x in (D, V))
        turned = [product("ai,ab,bj->ij", V, symmetrised(e), V) for e in E]
        pairs = "".join(f",{i[j]}{i[j + 1]}" for j in range(self.k))
        subscripts = f"a{i[0]},{i}{pairs},b{i[-1]}->ab"
        return build.sum_of(
            *(product(subscripts, V, D, *order, V) for order in permutations(turned))
        )

    def of_eigenvalues(self, node: Apply) -> Node:
        """``g(w)``, whose sum is the trace of ``g(A)``: no eigenvectors are needed for that."""
        A, t, _ = split_arguments(node.args, self.parameters)
        return applied_to(self.scalar, self._in_domain(eigvalsh(A)), t)

    def _in_domain(self, w: Node) -> Node:
        return build.apply(PositiveEigenvalues(self.function), w) if self.definite else w

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        if fact is Fact.SYMMETRIC:
            return True
        sign = {Fact.SPD: Fact.POSITIVE, Fact.PSD: Fact.NONNEGATIVE}.get(fact)
        if self.k or self.parameters or sign is None:
            return None
        x = _POSITIVE if holds(node.args[0], Fact.SPD) else ARGUMENT
        (g,) = rebuild([self.scalar], replacements={ARGUMENT: x})
        return True if known(g, sign) is True else None

    @property
    def function(self) -> str:
        """The name of the function in the language, where it has one."""
        match self.scalar:
            case Apply(primitive=Power(), args=(x,)) if x is ARGUMENT:
                return "powm"
            case Apply(primitive=Elementwise(name="log"), args=(x,)) if x is ARGUMENT:
                return "logm"
            case _:
                return self.name

    @property
    def definite(self) -> bool:
        """Whether this is a logarithm or a root, which need positive eigenvalues."""
        match self.scalar:
            case Apply(primitive=Power(exponent=p), args=(x,)) if x is ARGUMENT:
                return p.denominator > 1
            case _:
                return self.function == "logm"

    def notation(self, node: Apply) -> Notation:
        match self.scalar:
            case Apply(primitive=Power(exponent=p)) if self.function == "powm":
                return Notation(name="powm", parameters=(str(p),))
            case _:
                return Notation(name=self.function)


class PositiveEigenvalues(Coded):
    """Eigenvalues as they are; an error where one is not positive."""

    name = "positiveeig"
    of_values = True

    def __init__(self, blamed: str = "eigh") -> None:
        self.blamed = blamed

    @property
    def key(self) -> str:
        return f"positiveeig({self.blamed})"

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        return arguments

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        return linear_map(node, 0, "i", "i", (1, "", ()))

    def evaluate(self, *arrays: Any) -> Any:
        return positive_eigenvalues(arrays[0], self.blamed)

    def routine(self, node: Apply) -> Routine:
        return Embedded(positive_eigenvalues, (_both_ways(described(node)),))


def _both_ways(text: str) -> str:
    """A function of a matrix as it may have been written: ``log(eigvalsh(A)) or logm(A)``."""
    name, _, rest = text.partition("(")
    values = {"logm": f"log(eigvalsh({rest})", "powm": f"eigvalsh({rest}.^p"}.get(name)
    return text if values is None else f"{values} or {text}"


def positive_eigenvalues(w: Array, where: str) -> Array:
    """The eigenvalues as they are; an error where one is not positive."""
    if (w <= 0).any():
        raise np.linalg.LinAlgError(f"{where}: the matrix is not positive definite")
    return w


def definite_eigenvalues(w: Node) -> Node:
    """The eigenvalues as they are; an error where one is not positive."""
    return build.apply(PositiveEigenvalues(), w)


def symmetrised(a: Node) -> Node:
    """``(A + A')/2``."""
    return build.add([(HALF, a), (HALF, transpose(a))])


def spectral(
    g: Node, a: Node, parameters: Sequence[Node] = (), directions: Sequence[Node] = ()
) -> Node:
    """``g((A + A')/2)``, or its derivative in directions.

    What is known at once is written so: a function that vanishes after k derivatives, the
    identity, and directions that commute with A. ``L_k[g](A; c I, ..) = c L_{k-1}[g'](A; ..)`` and,
    by derivatives of ``L_1[g](A; A) = h(A)`` with ``h(x) = x g'(x)``,
    ``L_k[g](A; c A, ..) = c (L_{k-1}[h](A; ..) - (k-1) L_{k-1}[g](A; ..))``.
    """
    if isinstance(g, Add) and len(g.terms) == 1:
        coefficient, g = g.terms[0]
        return build.scale(coefficient, spectral(g, a, parameters, directions))
    g, parameters = without_unused(g, parameters)
    for k, direction in enumerate(directions):
        number = unit_multiple(direction)
        if is_zero(direction):
            return direction
        if number is not None:
            rest = [*directions[:k], *directions[k + 1 :]]
            slope = scalar_derivative(g, ARGUMENT)
            return build.scale(number, spectral(slope, a, parameters, rest))
        number = _multiple_of(direction, a)
        if number is not None:
            rest = [*directions[:k], *directions[k + 1 :]]
            first = spectral(_elasticity(g), a, parameters, rest)
            second = spectral(g, a, parameters, rest) if rest else first
            return build.add([(number, first), (-number * len(rest), second)])
    if (found := _polynomial(g, a, parameters, directions)) is not None:
        return found
    ordered = sorted(directions, key=lambda direction: direction.digest)
    primitive = Spectral(g, len(parameters), len(directions))
    return build.apply(primitive, a, *parameters, *ordered)


def _multiple_of(direction: Node, a: Node) -> Fraction | None:
    """The number c of a direction ``c A``."""
    match direction:
        case Add(terms=((c, core),)) if core is a:
            return c
    return Fraction(1) if direction is a else None


def _elasticity(g: Node) -> Node:
    """``x g'(x)``: 1 for the logarithm, and a multiple of g for powers."""
    match g:
        case Apply(primitive=Power(exponent=p), args=(x,)) if x is ARGUMENT:
            return build.scale(p, g)
        case Apply(primitive=function, args=(x,)) if function == log and x is ARGUMENT:
            return build.ones()
    return build.hadamard(ARGUMENT, scalar_derivative(g, ARGUMENT))


def _polynomial(
    g: Node, a: Node, parameters: Sequence[Node], directions: Sequence[Node]
) -> Node | None:
    """Constants and the identity, and what is left of a polynomial after enough derivatives."""
    k = len(directions)
    if g is ARGUMENT:
        return symmetrised((a, *directions)[k]) if k < 2 else build.zeros(a.dims)
    if ARGUMENT not in variables([g]):
        if k:
            return build.zeros(a.dims)
        given: dict[Node, Node] = {parameter(j): t for j, t in enumerate(parameters)}
        axes = tuple(range(a.order))
        value = scalar_applied(g, given) if given else g
        unit = build.delta(a.dims[-1])
        row = axes[:-2] if value.order else ()
        return build.einsum([value, unit], [row, axes[-2:]], axes, dict(enumerate(a.dims)))
    for _ in range(k):
        g = scalar_derivative(g, ARGUMENT)
    return build.zeros(a.dims) if isinstance(g, Const) and g.value == 0 else None


def logm(a: Node, *directions: Node) -> Node:
    """The logarithm of positive definite matrices, or its derivative in directions."""
    return spectral(log(ARGUMENT), a, (), directions)


def powm(exponent: Fraction, a: Node, *directions: Node) -> Node:
    """A real power of positive definite matrices, or its derivative in directions."""
    return spectral(power(ARGUMENT, exponent), a, (), directions)


_FORMS = [",".join(["...nn"] * (k + 1)) + "->...nn" for k in range(4)]
_DEFINITE = "(A + A')/2 positive definite"
_SOURCE = "Daleckii & Krein 1965; Higham & Relton 2014"

FUNCTIONS = (
    Function(
        "logm",
        tuple(tensor_form(text, logm) for text in _FORMS),
        "logarithm of (A + A')/2; logm(A, E) is its derivative in the direction E, and so on",
        _DEFINITE,
        "logm(A, dA), exact where eigenvalues coincide",
        source=_SOURCE,
    ),
    Function(
        "powm",
        tuple(tensor_form(text, powm, 1) for text in _FORMS),
        "powm(p, A): the power p of (A + A')/2; powm(p, A, E) is its derivative, and so on",
        _DEFINITE + " unless p is a whole number",
        "powm(p, A, dA), exact where eigenvalues coincide",
        source=_SOURCE,
    ),
    Function(
        "positiveeig",
        (tensor_form("...n->...n", definite_eigenvalues),),
        "eigenvalues as they are; an error where one is not positive",
        "all elements > 0",
        "itself (linear)",
    ),
)
