"""Programs as one function of C: small loops, and BLAS and LAPACK where these are faster.

Where arrays are small, calls of NumPy take nearly all the time.  A C function avoids them: its
sizes are constants, so the compiler can unroll loops, and successive element-wise steps are one
loop.
"""

from tcalc.codegen.c.loops import commented
from tcalc.codegen.c.module import CModule, c_module, countable

__all__ = ["CModule", "c_module", "commented", "countable"]
