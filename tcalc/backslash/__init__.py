"""The linearised graph as a block-triangular system ``dx = L dx + D dp``.

After Akyürek, Edelman, Wang, *Backpropagation through Back Substitution with a Backslash* (SIAM J.
Matrix Anal. Appl. 45, 2024): the vertices of a graph are unknowns, the inputs parameters, and the
local Jacobians blocks.  The derivative ``g' (I - L)^{-1} D`` has two bracketings: forward
substitution is forward mode, back substitution reverse mode.

`blocks` has the operators that blocks are, `compositions` those made of others, `recognition` finds
which one a local Jacobian is, `system` puts the graph together, `writing` writes it, `numbers`
applies it to arrays.
"""

from tcalc.backslash.blocks import Block
from tcalc.backslash.recognition import recognised, summed
from tcalc.backslash.system import Steps, System, linearised

__all__ = ["Block", "Steps", "System", "linearised", "recognised", "summed"]
