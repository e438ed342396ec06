"""The problems, one module per family; a line in `PROBLEMS` enrols a new one."""

from __future__ import annotations

from benchmarks.problems import (
    convolutions,
    factorisation,
    kernels,
    layers,
    linear_algebra,
    logistic,
    minimum,
    net,
    series,
)
from benchmarks.task import Problem

PROBLEMS: list[Problem] = [
    *logistic.PROBLEMS,
    *factorisation.PROBLEMS,
    *net.PROBLEMS,
    *layers.PROBLEMS,
    *convolutions.PROBLEMS,
    *linear_algebra.PROBLEMS,
    *series.PROBLEMS,
    *kernels.PROBLEMS,
    *minimum.PROBLEMS,
]
