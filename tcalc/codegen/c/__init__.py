"""Programs as one function of C: small loops, and BLAS and LAPACK where these are faster.

Where arrays are small, the time that it takes to call NumPy is all the time there is.  A C function
has none of that: its sizes are constants, by which the compiler unrolls loops, and its element-wise
steps are single loops.
"""

from tcalc.codegen.c.loops import commented
from tcalc.codegen.c.module import CModule, c_module, countable

__all__ = ["CModule", "c_module", "commented", "countable"]
