"""The group of commands, and what happens to every error on its way out."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Any

import click

from tcalc.cli import INTERRUPTED, failures
from tcalc.cli.adjoint import adjoint
from tcalc.cli.catalogue import examples, functions
from tcalc.cli.costs import cost
from tcalc.cli.derivatives import (
    derivative,
    explain,
    gradient,
    hessian,
    jacobian,
    print_program,
)
from tcalc.cli.draw import draw
from tcalc.cli.failures import Failure
from tcalc.cli.linearize import linearize
from tcalc.cli.numeric import check, compile_module, evaluate
from tcalc.cli.optimise import solve
from tcalc.cli.products import hvp, jvp, vjp
from tcalc.cli.serve import serve
from tcalc.cli.shell import completion


class ReaderGoneError(Exception):
    """Nobody reads the output any more."""


class Commands(click.Group):
    """The group of commands, listed as they are registered: from formulas to numbers."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        meant = ELSEWHERE.get(args[0])
        if meant is not None:
            ctx.fail(f"No such command {args[0]!r}. Did you mean 'tcalc {meant}'?")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # Click would end with the status of an error.
            raise ReaderGoneError from None


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog='A first try:  tcalc gradient "tr(A*X\'*B*X*C)" --wrt X',
)
@click.version_option(package_name="tcalc")
def cli() -> None:
    """Derivatives of tensor expressions, as formulas and as code for NumPy, C or CuPy.

    EXPR is the text of a program, the name of a file (ending in .tc, or beginning with /, ./, ../
    or ~/), or - for standard input.
    """


ELSEWHERE = {
    **dict.fromkeys(("d", "derive", "diff", "differentiate", "grad"), "gradient EXPR"),
    **dict.fromkeys(("eval", "run", "value"), "evaluate EXPR --random"),
    **dict.fromkeys(("show", "simplify", "tidy"), "print EXPR"),
    **dict.fromkeys(("latex", "tex"), "print EXPR --format latex"),
    **dict.fromkeys(("codegen", "generate"), "compile EXPR"),
    **dict.fromkeys(("test", "verify"), "check EXPR"),
    **dict.fromkeys(("gui", "web"), "serve"),
    **dict.fromkeys(("help", "man"), "--help"),
}
"""Commands under other names, and ours for them."""

EXAMPLES = {
    "gradient": '"tr(A*X\'*B*X*C)" --wrt X',
    "jacobian": '"softmax(W*x)" --wrt x',
    "hessian": '"logdet(K)" --declare "K[n,n] spd" --format latex',
    "derivative": '"sum(exp(A*x))" --wrt x,x,x',
    "jvp": '"tanh(A*x)" --wrt x --direction v',
    "vjp": '"tanh(A*x)" --wrt x --cotangent u',
    "hvp": '"sum(log(1 + exp(X*w)))" --wrt w --direction v',
    "print": '"tr(A*B) + sum(log(1 + exp(x)))" --format latex',
    "explain": '"norm2(X*w - y)^2" --wrt w',
    "adjoint": '"s{0} = 0; for t = 1:T; s{t} = tanh(a*s{t-1} + x[t]); end; s{T}^2"'
    ' --declare "x[T], a" --wrt a,x',
    "linearize": '"u = A*x; norm2(u)^2" --wrt x',
    "draw": '"norm2(X*w - y)^2" --wrt w -o graph.svg',
    "cost": '"sum(exp(X*w))" --wrt w --sizes m=1000,n=10',
    "evaluate": '"x\'*A*x" --random --wrt x',
    "compile": '"norm2(X*w - y)^2" --wrt w -o model.py',
    "check": '"x\'*A*x" --wrt x --claim "(A + A\')*x"',
    "functions": "softmax",
    "serve": "--open",
}
"""A first use of each command, which its help shows."""

for command in (
    gradient,
    jacobian,
    hessian,
    derivative,
    jvp,
    vjp,
    hvp,
    print_program,
    explain,
    adjoint,
    linearize,
    draw,
    cost,
    evaluate,
    compile_module,
    check,
    examples,
    functions,
    serve,
    completion,
):
    cli.add_command(command)
    if command.name in EXAMPLES:
        # Behind the sign of a backspace, a paragraph is not wrapped.
        command.epilog = f"\b\nExample:\n  tcalc {command.name} {EXAMPLES[command.name]}"

examples.add_command(solve)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line on the given arguments, by default the process's, and exit."""
    given = [*map(_in_utf8, sys.argv[1:] if arguments is None else arguments)]
    if sys.stdout is None:  # closed by the caller
        sys.exit(Failure("error", "standard output is closed").tell(as_json=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal that cannot show a Greek letter shows its code, and nothing fails.
            stream.reconfigure(errors="backslashreplace")
    sys.exit(_run(given))


def _run(arguments: list[str]) -> int:
    try:
        status = cli.main(args=list(arguments), prog_name="tcalc", standalone_mode=False)
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except (BrokenPipeError, ReaderGoneError):
        # The reader has seen enough.  Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        failure = failures.of(error)
        if failure.kind == failures.INTERNAL and os.environ.get("TCALC_TRACEBACK"):
            raise
        return failure.tell(failures.wants_json(arguments))


def _in_utf8(argument: str) -> str:
    """An argument as it was typed, where the locale knows ASCII alone and left its bytes."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return argument.encode(errors="surrogateescape").decode(errors="surrogateescape")
    return argument
