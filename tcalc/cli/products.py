"""The commands that print products with derivatives: jvp, vjp, hvp."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import click

import tcalc
from tcalc.cli import options
from tcalc.cli.output import tell, write
from tcalc.cli.results import Format, Result, present
from tcalc.cli.source import Program, tell_guesses
from tcalc.expression import Expression
from tcalc.printing import Cse

Several: TypeAlias = str | int | None
Compute: TypeAlias = Callable[
    [Expression, Sequence[str], Sequence[str], Several], "list[ProductResult]"
]


@dataclass(frozen=True, slots=True)
class ProductResult(Result):
    """A product with a derivative by each of `wrt` in turn; `product` is its name."""

    product: str = ""

    @property
    def kind(self) -> str:
        """The name of the command that prints it."""
        return self.product

    @property
    def title(self) -> str:
        """Its kind and its variables: ``hvp by w``."""
        return f"{self.product} by {', '.join(self.wrt)}"


def to_several(ctx: click.Context, param: click.Parameter, given: str | None) -> Several:
    """The axis of several directions: its name, or its size."""
    return int(given) if given is not None and given.isascii() and given.isdigit() else given


def printing(compute: Compute) -> click.Command:
    """The command that prints what `compute` finds; its name and its help are the function's."""
    what = "cotangent" if compute.__name__ == "vjp" else "direction"

    @click.command(compute.__name__, cls=options.FormulaCommand, help=inspect.getdoc(compute))
    @options.program
    @options.wrt
    @click.option(
        f"--{what}",
        "names",
        metavar="NAME",
        multiple=True,
        callback=options.to_names,
        help=f"The name of the {what}; by default {'F_bar' if what == 'cotangent' else 'dx'}.",
    )
    @click.option(
        "--several",
        metavar="NAME|NUMBER",
        callback=to_several,
        help=f"Take several {what}s at once, along one more axis of this name or size.",
    )
    @options.layout
    @options.sizes("as hints for --format python")
    def command(
        program: Program,
        wrt: Sequence[str],
        names: Sequence[str],
        several: Several,
        form: Format,
        as_json: bool,
        cse: Cse,
        sizes: Mapping[str, int],
    ) -> None:
        variables = program.default_wrt(wrt)
        tell_guesses(program.expression)
        results = compute(program.expression, variables, names, several)
        text = present(program, results, "json" if as_json else form, cse, sizes)
        _tell_new(program, results, what)
        write(text)

    return command


def _tell_new(program: Program, results: Sequence[Result], what: str) -> None:
    """Say on standard error which inputs the product has beyond those of the program."""
    known = program.expression.variables
    new = [x for name, x in results[0].expression.variables.items() if name not in known]
    if new:
        shown = ", ".join(repr(x).removesuffix("[]") for x in new)
        tell(f"{what}{'s' * (len(new) > 1)}: {shown}")


@printing
def jvp(
    value: Expression, wrt: Sequence[str], names: Sequence[str], several: Several
) -> list[ProductResult]:
    """Print the Jacobian times a direction.

    The result has the shape of the program's value.  With several variables, each has its own
    direction, and the result is the sum of their contributions.
    """
    found = tcalc.jvp(value, list(wrt), list(names) or None, several=several)
    return [ProductResult(tuple(wrt), not value.shape, found, "jvp")]


@printing
def vjp(
    value: Expression, wrt: Sequence[str], names: Sequence[str], several: Several
) -> list[ProductResult]:
    """Print a cotangent times the Jacobian.

    The result has the shape of the variable; the cotangent has the shape of the program's value.
    """
    if len(names) > 1:
        raise click.UsageError("There is one cotangent for all variables.")
    found = tcalc.vjp(value, list(wrt), next(iter(names), None), several=several)
    return [ProductResult((name,), not value.shape, x, "vjp") for name, x in found.items()]


@printing
def hvp(
    value: Expression, wrt: Sequence[str], names: Sequence[str], several: Several
) -> list[ProductResult]:
    """Print the Hessian times a direction.

    The Hessian itself is not formed.  The result has the shape of the variable.  With several
    variables it is the product with the whole Hessian, mixed derivatives included, in one part for
    each variable.
    """
    found = tcalc.hvp(value, list(wrt), list(names) or None, several=several)
    return [
        ProductResult((name,), scalar=True, expression=x, product="hvp")
        for name, x in found.items()
    ]
