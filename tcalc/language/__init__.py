"""From text to nodes: the two notations of the language, elaborated together.

`parser` makes a syntax tree of the text, by the grammar in `tcalc.grammar`.  `loops` unrolls it
and finds what the value needs.  `elaborate` walks each formula, with the rules of matrix notation
in `matrix` and those of Einstein notation in `einstein`, and writes constructor calls on a
`tape`, while `dimensions` finds the sizes by unification.  When all sizes are known, the tape is
replayed into nodes.  Where a loop is to be kept, `kept_loops` makes a program of one step of it,
which `recurrences` elaborates.
"""

from tcalc.language.program import Given, Inputs, Program, inputs, parse, parse_declarations

__all__ = [
    "Given",
    "Inputs",
    "Program",
    "inputs",
    "parse",
    "parse_declarations",
]
