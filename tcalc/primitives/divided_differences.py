"""Divided differences of a function, accurate for arguments that coincide, nearly or exactly.

``g[x_0, …, x_k]`` is a quotient of differences where arguments are apart, and the integral of the
k-th derivative over a simplex (Hermite and Genocchi) where they are close:

    g[x_0, …, x_k] = ∫ g^(k)(t_0 x_0 + … + t_k x_k) dt,   t >= 0,  Σ t = 1.

Gauss's rule for the integral converges the faster, the closer the arguments are; it is taken where
it agrees with the quotient to the rounding that the quotient suffers, which leaves the quotient
where the function has a kink or a pole between.  The function comes as the values of its
derivatives at points that `SimplexPoints` lays out.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from tcalc.errors import UnsupportedError
from tcalc.expr import build
from tcalc.expr.dims import Dim, Shape
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.primitive import LinearMap, Notation
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.function import Function, tensor_form
from tcalc.primitives.routines import Coded, Embedded, Routine, elements


def points_per_axis(k: int) -> int:
    """The points of Gauss's rule for each of the k dimensions of the simplex."""
    return max(4, 8 - k)


class _Final(Coded):
    """A primitive that stands in code only: what it is made from is differentiated instead."""

    def __init__(self, k: int) -> None:
        self.k = k

    @property
    def key(self) -> str:
        return f"{self.name}({self.k})"

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        raise UnsupportedError(
            f"`{self.name}{self.k}` stands in derivatives that are ready to be evaluated",
            hint="differentiate the function of the matrix that it was made from",
        )

    def notation(self, node: Apply) -> Notation:
        return Notation(name=f"{self.name}{self.k}")


class SimplexPoints(_Final):
    """Points between the elements of a vector, k + 1 at a time: shape [n, .., n, points]."""

    name = "simplexpoints"

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        (w,) = arguments
        count = Dim.of(points_per_axis(self.k) ** self.k)
        return ((*w[:-1], *(w[-1:] * (self.k + 1)), count),)

    def evaluate(self, *arrays: Any) -> Any:
        return simplex_points(arrays[0], self.k, points_per_axis(self.k))

    def routine(self, node: Apply) -> Routine:
        parameters = (self.k, points_per_axis(self.k))
        return Embedded(
            simplex_points,
            parameters,
            requires=(simplex_rule,),
            work=lambda _, made: (2 * self.k + 3) * elements(made[0]),
        )


class DividedDifferences(_Final):
    """``D[i_0, …, i_k] = g[w[i_0], …, w[i_k]]`` for ascending w.

    The arguments are w, ``g(w)``, and for each order j from 1 to k ``g^(j)`` at the points of
    `SimplexPoints(j)`.
    """

    name = "divdiff"

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        w = arguments[0]
        return ((*w[:-1], *(w[-1:] * (self.k + 1))),)

    def evaluate(self, *arrays: Any) -> Any:
        return divided_differences(*arrays)

    def routine(self, node: Apply) -> Routine:
        return Embedded(
            divided_differences,
            requires=(simplex_rule,),
            work=lambda given, _: sum(map(elements, given[2:]), 2 * elements(given[0])) * 2,
        )


def simplex_rule(k: int, count: int) -> tuple[Array, Array]:
    """Barycentric coordinates, one point a row, and weights of Gauss's rule on a simplex.

    Collapsed coordinates: s_1 = u_1, s_2 = u_1 u_2, …, t_0 = 1 - s_1, t_1 = s_1 - s_2, …
    """
    u, v = np.polynomial.legendre.leggauss(count)
    grid = np.stack(np.meshgrid(*[(u + 1) / 2] * k, indexing="ij"), -1).reshape(-1, k)
    weights = np.stack(np.meshgrid(*[v / 2] * k, indexing="ij"), -1).reshape(-1, k).prod(-1)
    weights = weights * (grid ** np.arange(k - 1, -1, -1)).prod(-1)
    s = np.cumprod(grid, axis=-1)
    ends = np.ones((len(s), 1)), np.zeros((len(s), 1))
    return -np.diff(np.concatenate([ends[0], s, ends[1]], axis=-1), axis=-1), weights


def simplex_points(w: Array, k: int, count: int) -> Array:
    """The points of Gauss's rule between any k + 1 elements of w, in their order."""
    n = w.shape[-1]
    order = np.sort(np.indices((n,) * (k + 1)).reshape(k + 1, -1), axis=0)
    t, _ = simplex_rule(k, count)
    corners = w[..., order]
    points = np.einsum("...kp,qk->...pq", corners, t.astype(w.dtype))
    # Rounding must not leave the interval: a function may end there.
    points = np.clip(
        points, corners[..., :1, :].swapaxes(-1, -2), corners[..., -1:, :].swapaxes(-1, -2)
    )
    return points.reshape(*w.shape[:-1], *(n,) * (k + 1), len(t))


def divided_differences(w: Array, values: Array, *derivatives: Array) -> Array:
    """The divided differences of order k, from the function and its k first derivatives."""
    n, lead = w.shape[-1], w.shape[:-1]
    unit = np.finfo(values.dtype).eps
    D = values
    slope = np.zeros_like(values)
    if derivatives:
        slope = np.einsum("...iiq->...iq", derivatives[0])[..., 0]
    error = unit * (np.abs(values) + np.abs(w * slope))
    for k, samples in enumerate(derivatives, 1):
        count = round(samples.shape[-1] ** (1 / k))
        _, weights = simplex_rule(k, count)
        mean = (samples @ weights.astype(samples.dtype)).reshape(*lead, n ** (k + 1))
        order = np.sort(np.indices((n,) * (k + 1)).reshape(k + 1, -1), axis=0)
        places = n ** np.arange(k - 1, -1, -1)
        low, high = places @ order[:-1], places @ order[1:]
        D, error = D.reshape(*lead, n**k), error.reshape(*lead, n**k)
        spread = w[..., order[-1]] - w[..., order[0]]
        apart = spread > 0
        spread = np.where(apart, spread, 1)
        quotient = (D[..., high] - D[..., low]) / spread
        rounding = (error[..., high] + error[..., low]) / spread + unit * np.abs(quotient)
        close = ~apart | (np.abs(mean - quotient) <= 16 * rounding)
        D = np.where(close, mean, quotient).reshape(*lead, *(n,) * (k + 1))
        error = np.where(close, 8 * unit * np.abs(mean), rounding)
    return D


def simplex_points_of(w: Node, k: int) -> Node:
    """The points at which the k-th derivative of a function is wanted."""
    return build.apply(SimplexPoints(k), w)


def divided_difference(w: Node, values: Node, *derivatives: Node) -> Node:
    """The divided differences of a function at the elements of an ascending vector."""
    return build.apply(DividedDifferences(len(derivatives)), w, values, *derivatives)


def _points(k: int, w: Node) -> Node:
    return simplex_points_of(w, k)


_FINAL_DERIVATIVE = "none: it occurs only in derivatives that are ready to be evaluated"


def _values(k: int) -> str:
    """The signature of samples of the k-th derivative: k + 1 axes of elements, one of points."""
    return "...n" if k == 0 else "..." + "n" * (k + 1) + "pqrstuvw"[k - 1]


def _points_function(k: int) -> Function:
    return Function(
        f"simplexpoints{k}",
        (tensor_form(f"...n->{_values(k)}", partial(_points, k)),),
        f"points between any {k + 1} elements of a vector, where divdiff{k} needs g^({k})",
        derivative=_FINAL_DERIVATIVE,
    )


def _differences_function(k: int) -> Function:
    inputs = ",".join(["...n", *map(_values, range(k + 1))])
    return Function(
        f"divdiff{k}",
        (tensor_form(f"{inputs}->..." + "n" * (k + 1), divided_difference),),
        f"divided differences of order {k} at ascending w, from g(w) and derivatives of g at "
        "simplexpoints",
        derivative=_FINAL_DERIVATIVE,
    )


FUNCTIONS = tuple(
    function for k in (1, 2, 3) for function in (_points_function(k), _differences_function(k))
)

FAMILIES = {"simplexpoints": _points_function, "divdiff": _differences_function}
"""Names that go on, one with each further derivative of a function of a matrix."""
