"""Programs that recurrences refuse: the message, the place it points to, and the advice."""

from __future__ import annotations

import re

import pytest

import tcalc
from tcalc import errors
from tcalc.errors import TcalcError
from tests.recurrences.refusals import DOWNWARDS, SUM, UNROLL, Case, loop

PROGRAMS = {
    **DOWNWARDS,
    # Which loop is kept, and from where to where
    "no loop": Case(
        "norm2(x)^2",
        "there is no loop to keep",
        "1: norm2(x)^2",
        "a program without one is for tcalc.parse",
        kind=errors.ParseError,
    ),
    "a sum of indices with the counter": Case(
        loop("s{t} = s{t-1} + x[t+k-1]*w[k]", head="for t = 1:T-2"),
        "`k` is not known: what is added to the counter in a position must be a number",
        "3: t+k-1",
        "for an index, take the windows before the loop, W[j,k] = x[j+k-1], for W[t,k]",
        "x[T], w[m]",
    ),
    "no program": Case(
        "# nothing",
        "there is no loop to keep",
        "1: ",
        "a program without one is for tcalc.parse",
        kind=errors.ParseError,
    ),
    "two loops with numbers": Case(
        loop(SUM, "for k = 1:3\n    r{k} = x[k]\nend\ns{2}", "for t = 1:2"),
        "which of several loops is to be kept?",
        "5: for k = 1:3",
        "let those that are kept go to a dimension",
        kind=errors.UnsupportedError,
    ),
    "a bound that is no dimension": Case(
        loop(SUM),
        "`T` is neither a dimension nor given",
        "2: T",
        "declare what is run through, as in `tensor y[T]`, or give a number: T=200",
        "x[n]",
    ),
    "half a step": Case(
        loop(SUM),
        "a bound is an integer, not 2.5",
        "2: T",
        "the numbers given to a program",
        "x[n]",
        errors.IndexNotationError,
        {"T": 2.5},
    ),
    "a first step that is no number": Case(
        loop(SUM, head="for t = k:T"),
        "`k` is not known: the first step of a loop that is kept must be a number",
        "2: k",
        "a loop that counts down may begin at a size, for t = T:-1:1",
    ),
    "a loop within that has no number": Case(
        loop("for k = 1:K\n        s{t,k} = x[t]\n    end", "s{T,1}"),
        "`K` is not known: a loop within the one that is kept is unrolled",
        "3: K",
        "give one: tcalc.recurrence(..., K=3)",
    ),
    "a loop within whose increment is no number": Case(
        loop("for k = 1:K:5\n        s{t,k} = x[t]\n    end", "s{T,1}"),
        "`K` is not known: a loop within the one that is kept is unrolled",
        "3: K",
        "give one: tcalc.recurrence(..., K=3)",
    ),
    "a loop within whose increment grows": Case(
        loop("for k = 1:t:5\n        s{t,k} = x[t]\n    end", "s{T,1}"),
        "each step has the same loops within it",
        "3: t",
        UNROLL,
        kind=errors.UnsupportedError,
    ),
    "a loop within that grows": Case(
        loop("for k = 1:t\n        s{t,k} = x[t]\n    end", "s{T,1}"),
        "each step has the same loops within it",
        "3: t",
        UNROLL,
        kind=errors.UnsupportedError,
    ),
    # The counter
    "a counter that is declared": Case(
        loop("s{a} = s{a-1} + x[a]", head="for a = 1:T"),
        "the counter `a` has another meaning already",
        "2: a",
        "choose another name for the counter",
        "x[T], a",
    ),
    "a counter that is a dimension": Case(
        loop("s{n} = s{n-1} + x[n]", head="for n = 1:T"),
        "the counter `n` has another meaning already",
        "2: n",
        "choose another name for the counter",
        "x[T], y[n]",
    ),
    "a counter that is defined before": Case(
        loop(SUM, before="t = 3\ns{0} = 0"),
        "the counter `t` has another meaning already",
        "3: t",
        "choose another name for the counter",
    ),
    "a counter that is defined behind": Case(
        loop(SUM, "t = 3\ns{T} + t"),
        "the counter `t` has another meaning already",
        "2: t",
        "choose another name for the counter",
    ),
    "a counter that a loop within has too": Case(
        loop(f"for t = 1:2\n        {SUM}\n    end"),
        "the counter `t` has another meaning already",
        "3: t",
        "choose another name for the counter",
    ),
    # What stands in the loop
    "a name without a number": Case(
        loop("q = x[t]^2\n    s{t} = s{t-1} + q"),
        "`q` is assigned in every step",
        "3: q",
        "number the steps, q{t} = ...",
    ),
    "a formula without a name": Case(
        loop(f"{SUM}\n    s{{t}}"),
        "a formula without a name in a loop that is kept",
        "4: s{t}",
        "the value stands after the loop",
        kind=errors.ParseError,
    ),
    "a declaration": Case(
        loop(f"tensor z[n]\n    {SUM}"),
        "variables are declared outside of loops",
        "3: tensor z[n]",
        "move the declaration before the `for`",
        kind=errors.ParseError,
    ),
    "a step of two": Case(
        loop("s{2*t} = s{2*t-2} + x[t]", "s{2*T}"),
        "in a loop that is kept a step is t plus or minus a number",
        "3: 2*t",
        UNROLL,
        kind=errors.UnsupportedError,
    ),
    "two numbers that count": Case(
        loop("s{t,t} = x[t]", "s{T,T}"),
        "one number of a name counts its steps",
        "3: s{t,t}",
        UNROLL,
        kind=errors.UnsupportedError,
    ),
    "a size that counts": Case(
        loop("s{t} = s{t-1} + sum(ones(t))"),
        "sizes are the same in all steps",
        "3: t",
        UNROLL,
        kind=errors.UnsupportedError,
    ),
    "an index of a function that counts": Case(
        loop("s{t} = s{t-1} + sum[t](x[t])"),
        "the counter is no index of a function",
        "3: sum[t](x[t])",
        UNROLL,
        kind=errors.UnsupportedError,
    ),
    "a name twice": Case(
        loop(f"{SUM}\n    s{{t}} = 3"),
        "`s{t}` is assigned twice",
        "4: s{t}",
        "each name is assigned once",
    ),
    "a name twice, for different steps": Case(
        loop(f"{SUM}\n    s{{t+1}} = 3"),
        "`s` is assigned twice",
        "4: s{t+1}",
        "a step assigns each name once",
    ),
    "a step that is defined before as well": Case(
        loop(SUM, before="s{0} = 0\ns{1} = 1"),
        "`s{1}` is assigned twice",
        "2: s{1} = 1",
        "the loop assigns it in step t = 1",
    ),
    # Slices
    "a position from behind": Case(
        loop("s{t} = s{t-1} + x[T-t]"),
        "in a loop that is kept a position is t plus or minus a number",
        "3: T-t",
        UNROLL,
        kind=errors.UnsupportedError,
    ),
    "a position from the end": Case(
        loop("s{t} = s{t-1} + x[t-end]"),
        "in a loop that is kept a position is t plus or minus a number",
        "3: t-end",
        UNROLL,
        kind=errors.UnsupportedError,
    ),
    "a position from a name": Case(
        loop("s{t} = s{t-1} + x[t-k]"),
        "`k` is not known: what is added to the counter in a position must be a number",
        "3: t-k",
        "write a number, or give one",
    ),
    "a diagonal": Case(
        loop("s{t} = s{t-1} + X[t,t]"),
        "the counter is one position of a tensor from outside, as in Y[t,i]",
        "3: X[t,t]",
        UNROLL,
        "X[T,T]",
        errors.UnsupportedError,
    ),
    "a window": Case(
        loop("s{t} = s{t-1} + sum(x[1:t])"),
        "the counter is one position of a tensor from outside, as in Y[t,i]",
        "3: x[1:t]",
        UNROLL,
        kind=errors.UnsupportedError,
    ),
    "a slice of a formula": Case(
        loop("s{t} = s{t-1} + (x + x)[t]"),
        "the counter is one position of a tensor from outside, as in Y[t,i]",
        "3: (x + x)[t]",
        "define what is run through before it",
        kind=errors.UnsupportedError,
    ),
    "too few positions": Case(
        loop("s{t} = s{t-1} + sum(Y[t])"),
        "1 index for a matrix, which needs 2",
        "3: Y[t]",
        "a row is A[1,:]",
        "Y[T,n]",
        errors.IndexNotationError,
    ),
    "too many positions": Case(
        loop("s{t} = s{t-1} + x[1,t]"),
        "2 indices for a column, which needs 1",
        "3: x[1,t]",
        "each axis has its index",
        kind=errors.IndexNotationError,
    ),
    # What steps take from each other
    "no first step": Case(
        loop(SUM, before="r{0} = 0"),
        "nothing defines `s{0}`",
        "3: s{t-1}",
        "the first step, t = 1, needs it: s{0} = ... before the loop",
    ),
    "another first step": Case(
        loop(SUM, head="for t = 2:T"),
        "nothing defines `s{1}`",
        "3: s{t-1}",
        "the first step, t = 2, needs it: s{1} = ... before the loop",
    ),
    "one first step of two": Case(
        loop("s{t} = s{t-1} + s{t-2} + x[t]"),
        "nothing defines `s{-1}`",
        "3: s{t-2}",
        "the first step, t = 1, needs it: s{-1} = ... before the loop",
    ),
    "a name that no step defines": Case(
        loop("s{t+1} = s{t} + r{t-1}", "s{T}", "for t = 1:T-1", "s{1} = 0"),
        "the loop defines no `r{t-1}`",
        "3: r{t-1}",
        "it defines s{t+1}; data of a step are r[t,:]",
    ),
    "a step of an input": Case(
        loop("s{t} = s{t-1} + x{t}"),
        "the loop defines no `x{t}`",
        "3: x{t}",
        "a slice of a tensor stands in brackets, x[t]",
    ),
    "the step after": Case(
        loop("s{t} = s{t+1} + x[t]"),
        "this step is not there yet",
        "3: s{t+1}",
        "a step defines `s{t}`, and knows `s{t-1}`",
    ),
    "far back": Case(
        loop("s{t} = s{t-17} + x[t]"),
        "a step hands on at most 16 others, and this is 17 back",
        "3: s{t-17}",
        UNROLL,
        kind=errors.UnsupportedError,
    ),
    "farther back than any loop": Case(
        loop("s{t} = s{t-2000000} + x[t]"),
        "the numbers of steps are below 1,000,000",
        "3: s{t-2000000}",
        UNROLL,
        kind=errors.UnsupportedError,
    ),
    "farther ahead than any loop": Case(
        loop("s{t+900000000} = x[t]"),
        "the numbers of steps are below 1,000,000",
        "3: s{t+900000000}",
        UNROLL,
        kind=errors.UnsupportedError,
    ),
    "another kind of tensor": Case(
        loop("s{t} = s{t-1} + Y[t,:]", "sum(s{T})"),
        "`s{t}` is a column",
        "3: s{t-1} + Y[t,:]",
        "`s{0}`, before the loop, has the shape that all steps have",
        "Y[T,n]",
        errors.DimensionError,
    ),
    "another size": Case(
        loop("s{t} = sum(s{t-1}) + Y[t,:]", "sum(s{T})", before="s{0} = zeros(3)"),
        "`s{t}` has another size in the step before: 3 against 4",
        "3: sum(s{t-1}) + Y[t,:]",
        "declare the dimensions",
        "Y[T,4]",
        errors.DimensionError,
    ),
    # What stands behind the loop
    "nothing behind": Case(
        "s{0} = 0\nfor t = 1:T\n    s{t} = s{t-1} + x[t]\nend",
        "nothing stands after the loop that is kept",
        "2: for t = 1:T",
        "the value is said there: s{T} for what its last step has",
        kind=errors.ParseError,
    ),
    "a value without the loop": Case(
        loop("s{t+1} = s{t} + x[t]", "sum(x)", "for t = 1:T-1", "s{1} = 0"),
        "the value has nothing of the loop that is kept",
        "2: for t = 1:T-1",
        "its last step has s{T}",
        kind=errors.ParseError,
    ),
    "a step in the middle": Case(
        loop(SUM, "s{T} + s{2}"),
        "behind a loop that is kept only its last steps are known",
        "5: 2",
        "s{T}, and some steps before it; carry along what is wanted of others",
    ),
    "what is run through is a step that nothing defines": Case(
        loop("s{t} = s{t-1} + y{2}[t]", before="s{0} = 0; y{1} = 2*x"),
        "nothing defines `y{2}`",
        "3: y{2}[t]",
        "its steps go from y{1} to y{1}",
    ),
    "a step of the counter": Case(
        loop("s{t+1} = s{t} + x[t]", "s{t}", "for t = 1:T-1", "s{1} = 0"),
        "behind a loop that is kept only its last steps are known",
        "5: t",
        "s{T}, and some steps before it",
    ),
    "a step after the last": Case(
        loop("s{t+1} = s{t} + x[t]", "s{T+1}", "for t = 1:T-1", "s{1} = 0"),
        "the loop ends before this",
        "5: s{T+1}",
        "its last step has `s{T}`",
    ),
    "long before the last": Case(
        loop(SUM, "s{T-17}"),
        "a step hands on at most 16 others, and this is 17 back",
        "5: s{T-17}",
        UNROLL,
        kind=errors.UnsupportedError,
    ),
    "the last step of another name": Case(
        loop(SUM, "s{T} + r{T}"),
        "nothing defines `r{T}`",
        "5: T",
        "the last step has s{T}",
    ),
    "the last step of another layer": Case(
        loop("for k = 1:2\n        h{t,k} = x[t]*k\n    end", "h{T,3}"),
        "the loop defines no `h{T,3}`",
        "7: h{T,3}",
        "it defines h{t,1}, h{t,2}",
    ),
    # Derivatives
    "a derivative of the last step": Case(
        loop("s{t} = s{t-1} + a*x[t]", "gradient(s{T}^2, a)"),
        "`s{T}` depends on the variable by the loop that is kept",
        "5: gradient(s{T}^2, a)",
        "value_and_gradient differentiates the value",
        "x[T], a",
        errors.UnsupportedError,
    ),
    "a derivative of the step before": Case(
        loop("s{t} = s{t-1} + gradient(s{t-1}*a^2, a)", before="s{0} = a"),
        "`s{t-1}` depends on the variable by the loop that is kept",
        "3: gradient(s{t-1}*a^2, a)",
        "value_and_gradient differentiates the value",
        "x[T], a",
        errors.UnsupportedError,
    ),
    "a derivative by what is run through": Case(
        loop("s{t} = s{t-1} + sum(gradient(x[t]^2, x))"),
        "`x[t]` depends on the variable by the loop that is kept",
        "3: gradient(x[t]^2, x)",
        "value_and_gradient differentiates the value",
        kind=errors.UnsupportedError,
    ),
    # What is wrong in any loop, said for the step that stands for all
    "two columns": Case(
        loop("s{t} = s{t-1} + h{t-1}*h{t-1}\n    h{t} = A*h{t-1}", before="s{0} = 0; h{0} = v"),
        "`*` of a column and a column",
        "3: h{t-1}*h{t-1}",
        "x'*y is the scalar product",
        "x[T], A[n,n], v[n]",
        errors.OrientationError,
    ),
    "sizes that clash": Case(
        loop("s{t} = A*s{t-1} + B*u[t,:]", "sum(s{T})", before="s{0} = zeros(n)"),
        "n against m",
        "3: B*u[t,:]",
        "declared dimensions are equal only where they have one name",
        "u[T,m], A[n,n], B[n,n]",
        errors.DimensionError,
    ),
    "used before it is defined": Case(
        loop("s{t} = s{t-1} + r{t}\n    r{t} = x[t]"),
        "`r{t}` is used before it is defined",
        "3: r{t}",
        "move the definition up",
    ),
    "a derivative by a step": Case(
        loop("s{t} = s{t-1} + gradient(s{t-1}^2, s{t-1})"),
        "`s{t-1}` is a definition, and derivatives are by variables",
        "3: s{t-1}",
        "declare it as a variable",
    ),
}


@pytest.mark.parametrize("title", PROGRAMS)
def test_programs(title: str) -> None:
    case = PROGRAMS[title]
    with pytest.raises(TcalcError) as caught:
        tcalc.recurrence(case.text, case.declarations, **case.numbers)
    error = caught.value
    assert type(error) is case.kind
    assert case.message in error.message
    assert error.span is not None
    line, _, pointed = case.at.partition(": ")
    assert (error.line, error.span.text) == (int(line), pointed)
    assert case.hint in (error.hint or "")
    assert no_inner_numbers(error, case.text)


def no_inner_numbers(error: TcalcError, text: str = "") -> bool:
    """Whether an error has no long numbers but those of the text: steps are told by names."""
    own = re.findall(r"\d{6,}", text)
    return all(x in own for x in re.findall(r"\d{6,}", f"{error} {error!r}"))


@pytest.mark.parametrize(
    ("value", "columns"),
    [("s{T} + s{2}", "         ^"), ("s{T} + r{T}", "         ^"), ("s{T+1}", "^^^^^^")],
)
def test_the_carets(value: str, columns: str) -> None:
    with pytest.raises(TcalcError) as caught:
        tcalc.recurrence(loop(SUM, value), "x[T]")
    place, excerpt, carets = str(caught.value).splitlines()[1:4]
    assert place == f"  at line 5, column {columns.index('^') + 1}"
    assert excerpt == f"    {value}"
    assert carets == f"    {columns}"


@pytest.mark.parametrize(
    ("case", "note", "pointed"),
    [
        ("two loops with numbers", "another one", "for t = 1:2"),
        ("a counter that is defined before", "defined here", "t"),
        ("another kind of tensor", "here a scalar is carried on", "s{t-1}"),
        ("another size", "`s{t-1}` has 3", "s{t-1}"),
        ("a name twice", "first assigned here", "s{t}"),
        ("used before it is defined", "defined here", "r{t}"),
    ],
)
def test_further_places(case: str, note: str, pointed: str) -> None:
    found = PROGRAMS[case]
    with pytest.raises(TcalcError) as caught:
        tcalc.recurrence(found.text, found.declarations)
    assert (note, pointed) in [(place.note, place.span.text) for place in caught.value.places]
