"""From text to nodes: the two notations of the language, elaborated together.

`parser` parses the text into a syntax tree, by the grammar in `tcalc.grammar`.  `loops` unrolls
loops and finds which definitions the value needs.  `elaborate` walks each formula, by the rules of
matrix notation in `matrix` and those of Einstein notation in `einstein`, and records constructor
calls on a `tape`, while `dimensions` infers the sizes by unification.  When all sizes are known,
the tape is replayed into nodes.  If a loop is to be kept, `kept_loops` makes a program of one of
its steps, which `recurrences` elaborates.
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
