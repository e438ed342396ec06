"""Independent numerical verification of derivatives, and random data that a program accepts."""

from tcalc.checking.differences import CheckReport, check_derivative
from tcalc.checking.sampling import complete_sizes, sample

__all__ = ["CheckReport", "check_derivative", "complete_sizes", "sample"]
