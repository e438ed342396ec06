"""Complex arguments: functions with kinks take the branch on which their real parts lie.

NumPy's absolute value is the modulus, which is not analytic, and its sign is ``z/|z|``.  The
complex step needs ``-z`` where the real part is negative, as the larger of two numbers is told by
their real parts already (Martins, Sturdza, Alonso, *The complex-step derivative approximation*,
2003).
"""

from __future__ import annotations

from dataclasses import replace

from tcalc.codegen.program import Call, Program, Statement
from tcalc.primitives.routines import Template

BRANCHES = {
    "np.abs({0})": "np.where({0}.real < 0, -{0}, {0})",
    "np.sign({0})": "(np.sign({0}.real) + 0j)",
}


def with_branches(program: Program) -> Program:
    """The program for complex numbers."""
    return replace(program, statements=tuple(map(_branched, program.statements)))


def _branched(statement: Statement) -> Statement:
    match statement.operation:
        case Call(routine=Template(text=text) as template):
            for real, branch in BRANCHES.items():
                text = text.replace(real, branch)
            if text != template.text:
                routine = replace(template, text=text, ufunc=False)
                return replace(statement, operation=replace(statement.operation, routine=routine))
    return statement
