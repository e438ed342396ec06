"""Estimators for a Hessian that is never formed, based on SciPy's solvers."""

from tcalc.estimation.estimate import Estimate
from tcalc.estimation.evidence import LaplaceApproximation, laplace
from tcalc.estimation.operator import HessianOperator

__all__ = ["Estimate", "HessianOperator", "LaplaceApproximation", "laplace"]
