"""The Hessian of a scalar at a point, as a linear operator that is applied and never formed.

Sources: Hutchinson 1990 (trace); Meyer, Musco, Musco, Woodruff, *Hutch++: Optimal Stochastic Trace
Estimation*, 2021; Bekas, Kokiopoulou, Saad, *An estimator for the diagonal of a matrix*, 2007;
Ubaru, Chen, Saad, *Fast Estimation of tr(f(A)) via Stochastic Lanczos Quadrature*, 2017.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
from scipy import linalg
from scipy.sparse.linalg import LinearOperator, cg, eigsh, minres

from tcalc import runtime
from tcalc.errors import ArgumentError, DomainError
from tcalc.estimation.estimate import Callback, Estimate, sampled
from tcalc.optimisation import Problem
from tcalc.primitives.arrays import NumPyArray as Array
from tcalc.requirements import require_seed
from tcalc.runtime.structure import KroneckerSum, LowRank, Parts

Seed: TypeAlias = "int | np.random.Generator"

BATCH = 8
"""Directions that are multiplied at a time."""
DENSE = 1000
"""The most variables for which an exact answer by the dense Hessian is taken over an estimate."""


class HessianOperator(LinearOperator):
    """The Hessian at a point, a symmetric SciPy `LinearOperator` on packed vectors.

    ``H @ v`` is one product, ``H @ V`` several at once; SciPy's iterative solvers accept the
    operator directly.  Data and point are fixed, so what depends only on them is computed once.
    The estimators take a `seed`, a number or a NumPy generator, and a `callback`, which gets the
    estimate so far and ends the sampling by returning True.

    >>> import tcalc
    >>> f = tcalc.parse("sum(exp(x)) + (sum(x))^2/2", "x[n]")
    >>> H = tcalc.hessian_operator(f, "x", {"x": [0.0, 0.0, 0.0]})
    >>> (H @ [1.0, 0.0, 0.0]).tolist()
    [2.0, 1.0, 1.0]
    >>> low, high = H.extreme_eigenvalues()
    >>> H.trace(method="exact").value, round(low, 6), round(high, 6)
    (6.0, 1.0, 4.0)
    """

    def __init__(self, problem: Problem, at: Any = None) -> None:
        problem.require_scalar("the Hessian")
        self.problem = problem
        self.at = np.array(problem.x0 if at is None else at, dtype=float)
        self.products = 0
        base: Any = super()  # its annotations know of __new__ only
        base.__init__(np.dtype(float), (problem.size, problem.size))

    @cached_property
    def _apply(self) -> Any:
        """The product with several directions at once, everything else being bound."""
        return self.problem.derivatives.products(self.problem.unpack(self.at))

    def dot(self, x: Any) -> Any:
        """``H @ x``: with a vector or with the columns of a matrix."""
        if isinstance(x, LinearOperator) or not np.ndim(x):
            return super().dot(x)
        if np.shape(x)[:1] != (self.shape[0],) or np.ndim(x) > 2:
            names = " and ".join(self.problem.shapes)
            raise ArgumentError(
                f"a direction has the shape {np.shape(x)}, and should have ({self.shape[0]},), the "
                f"entries of {names}",
                hint="several directions are the columns of a matrix",
            )
        return super().dot(x)

    def _matmat(self, X: Array) -> Array:  # noqa: N803 -- SciPy's name
        names = self.problem.derivatives.direction_names
        moves = {names[name]: x for name, x in self.problem.unpack(np.asarray(X, float)).items()}
        self.products += X.shape[1]
        return self.problem.pulled(self._apply(**moves))

    def _matvec(self, x: Array) -> Array:
        return self._matmat(np.reshape(x, (-1, 1)))[:, 0]

    def _adjoint(self) -> HessianOperator:
        return self

    _transpose = _adjoint

    def dense(self) -> Array:
        """The Hessian as a matrix."""
        return self.problem.hess(self.at)

    @cached_property
    def factored(self) -> runtime.FactoredTensor | None:
        """The Hessian in the form that keeps its structure, where one was found to solve with."""
        tensor = self.problem.factored(self.at)
        if tensor is None:
            return None
        kinds = (Parts, LowRank, KroneckerSum)
        return tensor if any(kind.find(tensor) is not None for kind in kinds) else None

    def trace(
        self,
        samples: int = 60,
        method: Literal["hutch++", "hutchinson", "exact"] = "hutch++",
        *,
        seed: Seed = 0,
        callback: Callback | None = None,
    ) -> Estimate:
        """The trace, from about `samples` products.

        Hutchinson's estimator averages ``z' H z`` over random signs z.  Hutch++ spends a third of
        the products on the range where most of the trace is, takes that part exactly, and averages
        the rest.
        """
        if method not in ("hutch++", "hutchinson", "exact"):
            raise ArgumentError(
                f"there is no method {method!r}", hint="'hutch++', 'hutchinson' or 'exact'"
            )
        n = self.shape[0]
        if method == "exact" or (method == "hutch++" and samples >= n):
            return self._exact_trace()
        generator = _generator(seed)
        rank = max(1, _positive(samples) // 3) if method == "hutch++" else 0
        basis = self._range(generator, rank)
        large = float(np.einsum("ik,ik->", basis, self @ basis)) if rank else 0.0
        name = "Hutch++" if rank else "Hutchinson"

        def draw(count: int) -> Array:
            z = _signs(generator, n, count)
            z = z - basis @ (basis.T @ z)
            return np.asarray(np.einsum("ik,ik->k", z, self @ z))

        def finish(mean: Any, error: Any, count: int, ended: str) -> Estimate:
            return Estimate(large + float(mean), float(error), 2 * rank + count, name, ended)

        left = max(2, samples - 2 * rank) if rank else _positive(samples)
        return sampled(draw, left, BATCH, finish, callback)

    def _range(self, generator: np.random.Generator, rank: int) -> Array:
        """An orthonormal basis of that much of the range, where most of the trace is."""
        if not rank:
            return np.zeros((self.shape[0], 0))
        return np.asarray(np.linalg.qr(self @ _signs(generator, self.shape[0], rank))[0])

    def _exact_trace(self) -> Estimate:
        tensor = self.problem.factored(self.at)
        if tensor is not None:
            return Estimate(tensor.trace(), 0.0, 0, "exact, by structure")
        return Estimate(float(np.trace(self.dense())), 0.0, 0, "exact")

    def diagonal(
        self,
        samples: int = 100,
        method: Literal["auto", "sampled", "exact"] = "auto",
        *,
        seed: Seed = 0,
        callback: Callback | None = None,
    ) -> Estimate:
        """The diagonal, as the mean of ``z .* (H z)`` over random signs z.

        It is exact if the Hessian has no more rows than there are samples, unless
        ``method="sampled"`` asks for the mean.
        """
        if method not in ("auto", "sampled", "exact"):
            raise ArgumentError(
                f"there is no method {method!r}", hint="'auto', 'sampled' or 'exact'"
            )
        n = self.shape[0]
        if method == "exact" or (method == "auto" and _positive(samples) >= n):
            return self._exact_diagonal()
        generator = _generator(seed)

        def draw(count: int) -> Array:
            z = _signs(generator, n, count)
            return np.asarray(z * (self @ z))

        def finish(mean: Any, error: Any, count: int, ended: str) -> Estimate:
            return Estimate(mean, error, count, "Bekas, Kokiopoulou, Saad", ended)

        return sampled(draw, _positive(samples), BATCH, finish, callback)

    def _exact_diagonal(self) -> Estimate:
        n = self.shape[0]
        tensor = self.problem.factored(self.at)
        if tensor is not None:
            found = np.ravel(tensor.diagonal())
            return Estimate(found, np.zeros(n), 0, "exact, by structure")
        found = np.empty(n)
        for start in range(0, n, BATCH):
            units = np.eye(n, min(BATCH, n - start), -start)
            found[start : start + BATCH] = np.diagonal((self @ units)[start : start + BATCH])
        return Estimate(found, np.zeros(n), n, "exact")

    def extreme_eigenvalues(self, *, tol: float = 1e-8, seed: Seed = 0) -> tuple[float, float]:
        """The smallest and the largest eigenvalue, by Lanczos' method (`eigsh`)."""
        n = self.shape[0]
        if n <= 2 * BATCH:
            w = np.linalg.eigvalsh(self.dense())
            return float(w[0]), float(w[-1])
        start = _generator(seed).standard_normal(n)
        low, high = (
            float(eigsh(self, 1, which=end, v0=start, tol=tol, return_eigenvectors=False)[0])
            for end in ("SA", "LA")
        )
        return low, high

    def solve(
        self,
        b: Any,
        *,
        method: Literal["auto", "structure", "cg", "minres"] = "auto",
        rtol: float = 1e-10,
        maxiter: int | None = None,
    ) -> Array:
        """The x with ``H x = b``.

        It is computed by the structure of the Hessian if there is one, else by conjugate gradients;
        use ``"minres"`` for an indefinite Hessian.  Raises `DomainError` if it does not converge.
        """
        right = np.asarray(b, dtype=float)
        if right.shape != (self.shape[0],):
            raise ArgumentError(
                f"the right-hand side has the shape {right.shape}, and should have "
                f"({self.shape[0]},)"
            )
        if not np.all(np.isfinite(right)):
            place = int(np.flatnonzero(~np.isfinite(right))[0])
            name = self.problem.name(place)
            raise ArgumentError(f"the right-hand side is not finite at {name}")
        if method in ("auto", "structure") and (tensor := self.factored) is not None:
            (shape,) = self.problem.shapes.values()
            return np.asarray(tensor.solve(right.reshape(shape)).reshape(-1))
        if method == "structure":
            raise ArgumentError("the Hessian has no structure to solve with", hint="method='cg'")
        if method == "minres":
            # It compares with the norm of H too: what is asked for is a residual beside b.
            x, code = minres(self, right, rtol=rtol / 10, maxiter=maxiter)
        elif method in ("auto", "cg"):
            x, code = cg(self, right, rtol=rtol, maxiter=maxiter)
        else:
            raise ArgumentError(
                f"there is no method {method!r}", hint="'auto', 'structure', 'cg' or 'minres'"
            )
        missed = float(np.linalg.norm(self @ x - right))
        if code or missed > 1e3 * rtol * float(np.linalg.norm(right)):
            raise DomainError(
                f"no solution was found: the residual is {missed:.1e} after {self.products} "
                "products",
                hint="is the Hessian positive definite? method='minres' needs it only invertible",
            )
        return np.asarray(x)

    def logdet(
        self,
        samples: int = 30,
        steps: int = 40,
        method: Literal["auto", "exact", "lanczos"] = "auto",
        *,
        seed: Seed = 0,
        callback: Callback | None = None,
    ) -> Estimate:
        """The logarithm of the determinant of a positive definite Hessian.

        It is exact if the structure of the Hessian allows, or if the dense Hessian is small;
        otherwise it is estimated by stochastic Lanczos quadrature: for random signs z,
        ``z' log(H) z`` from the eigenvalues of the tridiagonal matrix of `steps` steps of Lanczos'
        method.  Raises `DomainError` if the Hessian is not positive definite.
        """
        if method not in ("auto", "exact", "lanczos"):
            raise ArgumentError(
                f"there is no method {method!r}", hint="'auto', 'exact' or 'lanczos'"
            )
        if method != "lanczos" and (tensor := self.factored) is not None:
            sign, value = tensor.logdet()
            if sign <= 0:
                raise _indefinite("its determinant is not positive")
            if not _is_definite(tensor, self.shape[0]):
                raise _indefinite("it has eigenvalues below 0")
            return Estimate(value, 0.0, 0, "exact, by structure")
        if method == "exact" or (method == "auto" and self.shape[0] <= DENSE):
            try:
                factor = np.linalg.cholesky(self.dense())
            except np.linalg.LinAlgError:
                raise _indefinite("it has no Cholesky factor") from None
            return Estimate(2 * float(np.sum(np.log(np.diag(factor)))), 0.0, 0, "exact")
        n = self.shape[0]
        generator = _generator(seed)
        before = self.products

        def draw(count: int) -> Array:
            return np.array([n * self._log_quadrature(generator, steps) for _ in range(count)])

        def finish(mean: Any, error: Any, count: int, ended: str) -> Estimate:
            products = self.products - before
            return Estimate(float(mean), float(error), products, "Lanczos quadrature", ended)

        return sampled(draw, _positive(samples), 1, finish, callback)

    def _log_quadrature(self, generator: np.random.Generator, steps: int) -> float:
        """``v' log(H) v`` for a random unit vector of signs."""
        v = _signs(generator, self.shape[0], 1)[:, 0] / np.sqrt(self.shape[0])
        diagonal, beside = self.lanczos(v, steps)
        theta, vectors = linalg.eigh_tridiagonal(diagonal, beside)
        if theta[0] <= 0:
            raise _indefinite(f"it has an eigenvalue of at most {theta[0]:.1e}")
        return float(vectors[0] ** 2 @ np.log(theta))

    def lanczos(self, start: Array, steps: int) -> tuple[Array, Array]:
        """The tridiagonal matrix of Lanczos' method: its diagonal, and the entries beside it.

        Every vector is made orthogonal to all before it, twice: without that eigenvalues recur.
        """
        basis = [start / np.linalg.norm(start)]
        diagonal: list[float] = []
        beside: list[float] = []
        for _ in range(min(_positive(steps), self.shape[0])):
            w = self @ basis[-1]
            diagonal.append(float(basis[-1] @ w))
            known = np.stack(basis, axis=1)
            for _ in range(2):
                w = w - known @ (known.T @ w)
            size = float(np.linalg.norm(w))
            if size <= 1e-12 * max(map(abs, diagonal)):
                break  # an invariant subspace: the quadrature is exact
            beside.append(size)
            basis.append(w / size)
        return np.array(diagonal), np.array(beside[: len(diagonal) - 1])


def _is_definite(tensor: runtime.FactoredTensor, size: int) -> bool:
    """Whether a symmetric map with a structure, and a positive determinant, is positive definite.

    ``B + U V`` with B definite is so where the eigenvalues of ``I + V inv(B) U`` are positive.
    """
    if size <= DENSE:
        try:
            np.linalg.cholesky(tensor.dense().reshape(size, size))
        except np.linalg.LinAlgError:
            return False
        return True
    solver = LowRank.find(tensor)
    if Parts.find(tensor) is None and solver is not None:
        if solver.base.eigenvalues().min() > 0:
            return bool(np.linalg.eigvals(solver.core.matrix).real.min(initial=np.inf) > 0)
        lowest = eigsh(tensor.to_linear_operator(), 1, which="SA", return_eigenvectors=False)
        return bool(lowest[0] > 0)
    return bool(tensor.eigvalsh()[0] > 0)


def _indefinite(why: str) -> DomainError:
    return DomainError(
        f"the Hessian is not positive definite here: {why}",
        hint="at a minimum it is; minimise first",
    )


def _signs(generator: np.random.Generator, n: int, count: int) -> Array:
    return np.asarray(generator.choice([-1.0, 1.0], (n, count)))


def _positive(count: int) -> int:
    if count < 1:
        raise ArgumentError(f"{count} is no number of samples or steps")
    return count


def _generator(seed: Seed) -> np.random.Generator:
    """The random numbers that a seed stands for."""
    require_seed(seed)
    return np.random.default_rng(seed)
