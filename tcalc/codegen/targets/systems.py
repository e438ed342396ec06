"""Systems as calls of functions that the module embeds: factorise, solve, and what else it gives.

The functions are those of `tcalc.codegen.solvers`, one for each way to solve; a target may have
others in their place.
"""

from __future__ import annotations

from typing import assert_never

from tcalc.codegen import solvers
from tcalc.codegen.program import Derived, Factorise, FromFactor, Solve, Solver, Value
from tcalc.codegen.targets.target import Target, Writer, quoted


def factorise(target: Target, operation: Factorise, writer: Writer, over: Value | None) -> str:
    """A factorisation, into the memory of the matrix where that is `over`."""
    match operation.solver:
        case Solver.GENERAL:
            function = target.embedded(solvers.factorise, operation.solver, writer)
        case Solver.SPD:
            function = target.embedded(solvers.factorise_spd, operation.solver, writer)
        case Solver.LOWER | Solver.UPPER:
            return target.operand(operation.matrix, writer)
        case Solver.DIAGONAL:
            function = target.embedded(solvers.check_triangle, operation.solver, writer)
        case _:
            assert_never(operation.solver)
    matrix, where = target.operand(operation.matrix, writer), quoted(operation.where)
    option = ", symmetric=True" if operation.symmetric else ""
    option += ", overwrite=True" if over is operation.matrix.value else ""
    return f"{function}({matrix}, where={where}{option})"


def solve(target: Target, operation: Solve, order: int, writer: Writer) -> str:
    """A solve whose solution has so many axes: more than those of one matrix for a stack."""
    factor = writer.name(operation.factor)
    right = target.operand(operation.right, writer)
    flags: dict[str, object] = {
        "transposed": operation.transposed,
        "columns": operation.columns,
    }
    match operation.solver:
        case Solver.GENERAL | Solver.SPD:
            stack = order > 1 + operation.columns
            apply = solvers.solve_stack if stack else solvers.solve_factored
            function = target.embedded(apply, operation.solver, writer)
        case Solver.LOWER | Solver.UPPER:
            function = target.embedded(solvers.solve_triangle, operation.solver, writer)
            flags = {"lower": operation.solver is Solver.LOWER, **flags}
            if operation.where:
                flags["where"] = quoted(operation.where)
        case Solver.DIAGONAL:
            function = target.embedded(solvers.solve_diagonal, operation.solver, writer)
            del flags["transposed"]
        case _:
            assert_never(operation.solver)
    options = ", ".join(f"{key}={value}" for key, value in flags.items())
    return f"{function}({factor}, {right}, {options})"


def from_factor(target: Target, operation: FromFactor, writer: Writer, over: Value | None) -> str:
    """What is read off a factorisation."""
    factor, solver = operation.factor, operation.solver
    name = writer.name(factor)
    match operation.kind:
        case Derived.INVERSE if solver in (Solver.LOWER, Solver.UPPER):
            function = target.embedded(solvers.inverse_triangle, solver, writer)
            lower = solver is Solver.LOWER
            named = f", where={quoted(operation.where)}" if operation.where else ""
            return f"{function}({name}, lower={lower}{named})"
        case Derived.INVERSE:
            function = target.embedded(solvers.inverse_factored, solver, writer)
            option = ", overwrite=True" if over is factor else ""
            return f"{function}({name}{option})"
        case Derived.CHOLESKY:
            return f"{target.embedded(solvers.lower_factor, solver, writer)}({name})"
        case Derived.LOGDET:
            function = target.embedded(solvers.log_determinant_factored, solver, writer)
            return f"{function}({name}, where={quoted(operation.where)})"
        case _:
            assert_never(operation.kind)
