"""Random data for the inputs of a program, at which it has a value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations, islice
from typing import TypeAlias

import numpy as np

from tcalc.checking import complete_sizes, sample
from tcalc.checking.sampling import MANNERS
from tcalc.errors import ArgumentError, DomainError, TcalcError
from tcalc.expr.nodes import Node, Var
from tcalc.primitives.arrays import NumPyArray as Array

Data: TypeAlias = dict[str, Array]
Run: TypeAlias = Callable[[Data], list[Array]]

OFFERED = ("positive", "spd", "orthogonal")
"""The properties that narrow what is drawn for a variable."""

MOST_DECLARATIONS = 50
"""The most declarations that are tried where nothing drawn is in the domain."""


def draw(
    variables: Mapping[str, Var],
    given: Mapping[str, Array],
    sizes: Mapping[str, int],
    seed: int,
    roots: Sequence[Node],
) -> Iterator[Data]:
    """Random data for the variables not given: one set per manner, from the most general on.

    Positions in the `roots` are drawn from those that are there.
    """
    missing = [variable for name, variable in variables.items() if name not in given]
    found = _sizes_of(given, variables)
    for name, size in sizes.items():
        if found.get(name, size) != size:
            raise ArgumentError(
                f"--sizes says {name}={size}, and the data have {name}={found[name]}",
                hint="leave it out: sizes are for what the data leave open",
            )
    known = complete_sizes(list(variables.values()), {**sizes, **found}, roots=roots)
    for manner in range(len(MANNERS)):
        yield {**sample(missing, known, np.random.default_rng(seed), manner, roots), **given}


def _sizes_of(arrays: Mapping[str, Array], variables: Mapping[str, Var]) -> dict[str, int]:
    """The sizes of the named dimensions that the arrays fix."""
    sizes: dict[str, int] = {}
    for name, array in arrays.items():
        dims = variables[name].dims if name in variables else ()
        if len(dims) == array.ndim:
            sizes.update(
                {str(dim): n for dim, n in zip(dims, array.shape, strict=True) if dim.is_name}
            )
    return sizes


def values_at_random(
    run: Run,
    titles: Sequence[str],
    variables: Mapping[str, Var],
    given: Mapping[str, Array],
    sizes: Mapping[str, int],
    seed: int,
    roots: Sequence[Node],
) -> tuple[Data, list[Array]]:
    """The first random data at which all results are finite, else not NaN, and the results.

    Raises the error of the last attempt where none succeeds; that is `DomainError`, naming a result
    by its title, where it is NaN.  NaN in the given data is no such error.
    """

    def attempt(known: Mapping[str, Var]) -> tuple[Data, list[Array]] | TcalcError:
        return _first_with_values(run, titles, draw(known, given, sizes, seed, roots))

    if any(np.isnan(array).any() for array in given.values()):
        data = next(draw(variables, given, sizes, seed, roots))
        return data, run(data)
    outcome = attempt(variables)
    if not isinstance(outcome, TcalcError):
        return outcome
    if isinstance(outcome, DomainError):
        outcome.hint = "give data, as --data NAME=FILE or --data NAME=1,2,3"
        missing = [variable for name, variable in variables.items() if name not in given]
        for declared in islice(_declarations(missing), MOST_DECLARATIONS):
            # Numbers are drawn in the order of the variables, and declared ones come first.
            known = {variable.name: variable for variable in declared}
            if not isinstance(attempt({**known, **variables, **known}), TcalcError):
                words = (f"{each!r} {' '.join(each.properties)}" for each in declared)
                text = ", ".join(words).replace("[]", "")
                outcome.hint = f"data are drawn for it if you declare: {text}"
                break
    raise outcome


def _declarations(variables: Sequence[Var]) -> Iterator[tuple[Var, ...]]:
    """One variable, then two, each with a property that it may lack to be in a domain."""
    declared = [
        Var(variable.name, variable.shape, tuple(sorted({*variable.properties, word})))
        for variable in variables
        for word in OFFERED
        if word == "positive" or (variable.order >= 2 and variable.dims[-1] == variable.dims[-2])
    ]
    yield from ((variable,) for variable in declared)
    yield from (pair for pair in combinations(declared, 2) if pair[0].name != pair[1].name)


def _first_with_values(
    run: Run, titles: Sequence[str], candidates: Iterator[Data]
) -> tuple[Data, list[Array]] | TcalcError:
    """The first data with finite results, else with infinite ones, else what was wrong last."""
    infinite: tuple[Data, list[Array]] | None = None
    problem: TcalcError = ArgumentError("there are no random data for this program")
    for data in candidates:
        try:
            results = run(data)
        except TcalcError as error:
            problem = error
            continue
        if all(np.all(np.isfinite(result)) for result in results):
            return data, results
        wrong = [title for title, x in zip(titles, results, strict=True) if np.isnan(x).any()]
        if wrong:
            problem = DomainError(f"no random data were found at which the {wrong[0]} is a number")
        elif infinite is None:
            infinite = data, results
    return problem if infinite is None else infinite
