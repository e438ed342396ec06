"""Independent numerical verification of derivatives, and random data in a program's domain."""

from tcalc.checking.differences import check_derivative
from tcalc.checking.report import Blame, CheckReport
from tcalc.checking.sampling import complete_sizes, sample

__all__ = ["Blame", "CheckReport", "check_derivative", "complete_sizes", "sample"]
