"""The formulas of steps backwards, carried out as they are written, give the gradient."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pytest

import tcalc


class Case(NamedTuple):
    """A program of numbers, and the derivatives of its value by what the last steps leave."""

    text: str
    bars: dict[str, str]


LENGTH = 6
EARLY = {0: 0.3, -1: 0.2, -2: 0.1}
"""The steps before the first one."""
OPEN = "; ".join(f"x{{{k}}} = {value}" for k, value in EARLY.items())
CASES = {
    "what a step makes on its way": Case(
        f"""{OPEN}
        for t = 1:T; x{{t}} = a*x{{t-1}} + y[t]; p{{t}} = x{{t}}^2; end
        s{{0}} = 0
        for t = 1:T; s{{t}} = s{{t-1}}*p{{t}} + x{{t}}; end
        s{{T}} + p{{T}} + x{{T}}""",
        {"s{T}": "1", "p{T}": "1", "x{T}": "1"},
    ),
    "two steps back": Case(
        f"""{OPEN}
        for t = 1:T; x{{t}} = sin(x{{t-1}} + a*x{{t-2}}) + y[t]; end
        s{{0}} = 0
        for t = 1:T; s{{t}} = s{{t-1}}*x{{t}} + sin(x{{t-2}}); end
        s{{T}} + x{{T-1}}*x{{T-2}}""",
        {"s{T}": "1", "x{T-1}": "x{T-2}", "x{T-2}": "x{T-1}"},
    ),
    "three steps back alone, and one tensor in both loops": Case(
        f"""{OPEN}
        for t = 1:T; x{{t}} = sin(a*x{{t-3}}) + y[t]; end
        s{{T+1}} = 1
        for t = T:-1:1; s{{t}} = s{{t+1}}*x{{t}} + a*x{{t-2}}*y[t]; end
        s{{1}} + x{{T}}^2""",
        {"s{1}": "1", "x{T}": "2*x{T}"},
    ),
    "a loop that the value does not need": Case(
        f"""{OPEN}
        for t = 1:T; x{{t}} = sin(a*x{{t-1}}) + y[t]; end
        u{{T}} = x{{T}}
        for t = T-1:-1:1; u{{t}} = a*u{{t+1}} + x{{t}}; end
        v{{0}} = 0
        for t = 1:T-1; v{{t}} = v{{t-1}} + u{{t}}; end
        s{{0}} = 0
        for t = 1:T; s{{t}} = s{{t-1}} + a*x{{t}}^2*x{{t-1}}; end
        s{{T}}""",
        {"s{T}": "1"},
    ),
}
Known: TypeAlias = defaultdict[tuple[str, int], Any]
ELEMENT = re.compile(r"(\w+)[{\[]([^}\]]+)[}\]]")


@pytest.mark.parametrize("title", CASES)
def test_formulas_carried_out(title: str) -> None:
    case = CASES[title]
    kept = tcalc.recurrence(case.text, "y[T], a")
    arrays: dict[str, Any] = {"y": np.random.default_rng(3).standard_normal(LENGTH), "a": 0.7}
    known: Known = defaultdict(float)
    known.update({("x", k): value for k, value in EARLY.items()})
    known.update({("y", k): value for k, value in enumerate(arrays["y"], 1)})
    for name in {x.partition("{")[0] for x in re.findall(r"\w+\{t\}", case.text)}:
        made = kept.steps(name)(**arrays)
        backwards = f"{name}{{t+1}}" in case.text
        for k, value in enumerate(made[::-1] if backwards else made, 1):
            known[name, k] = value
    known["s", LENGTH + 1] = 1.0
    gradient = kept.value_and_gradient(["a", "y"])
    _, slopes = gradient(**arrays)
    assert "u_bar" not in gradient.formulas()  # the value does not need it
    carry_out(gradient.formulas(), case.bars, known)
    assert np.isclose(known["a_bar", 0], slopes["a"], rtol=1e-12)
    found = [known["y_bar", k] for k in range(1, LENGTH + 1)]
    assert np.allclose(found, slopes["y"], rtol=1e-12)


def carry_out(
    formulas: str, bars: dict[str, str], known: defaultdict[tuple[str, int], Any]
) -> None:
    """Do what formulas say, with the elements that are known by name and number."""

    def evaluated(text: str, t: int) -> Any:
        text = ELEMENT.sub(r'known["\1", \2]', text).replace("^", "**")
        names = {"known": known, "t": t, "T": LENGTH, "a": 0.7, "sin": np.sin, "cos": np.cos}
        return eval(text, names)

    def place(target: str, t: int) -> tuple[str, int]:
        found = ELEMENT.fullmatch(target)
        return (found[1], evaluated(found[2], t)) if found else (target, 0)

    for target, value in bars.items():
        name, number = place(target, 0)
        known[f"{name}_bar", number] = evaluated(value, 0)
    statements: list[str] = []
    for block in re.split("^# for ", formulas, flags=re.MULTILINE)[1:]:
        head, *statements = block.splitlines()
        course = re.fullmatch(r"t = (.+?):(-1:)?(.+), backwards", head)
        assert course is not None
        start, stop = evaluated(course[1], 0), evaluated(course[3], 0)
        order = range(stop, start + 1) if course[2] else range(stop, start - 1, -1)
        for t in order:
            for statement in statements:
                target, sign, value = re.split(r" (\+?=) ", statement)
                at = place(target, t)
                known[at] = evaluated(value, t) + (known[at] if sign == "+=" else 0)
