"""The linearised graph as a block-triangular system ``dx = L dx + D dp``.

After Akyürek, Edelman, Wang, *Backpropagation through Back Substitution with a Backslash* (SIAM J.
Matrix Anal. Appl. 45, 2024): the vertices of a graph are the unknowns, the inputs the parameters,
and the local Jacobians the blocks.  The derivative ``g' (I - L)^{-1} D`` can be evaluated from
either end: by forward substitution, which is forward mode, or by back substitution, which is
reverse mode.

`blocks` defines the operators in the blocks, `compositions` those composed of others, `recognition`
finds the operator of a local Jacobian, `system` assembles the system, `writing` prints it, and
`numbers` applies it to arrays.
"""

from tcalc.backslash.blocks import Block
from tcalc.backslash.recognition import recognised, summed
from tcalc.backslash.system import Steps, System, linearised

__all__ = ["Block", "Steps", "System", "linearised", "recognised", "summed"]
