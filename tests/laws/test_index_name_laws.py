"""Whatever names a program has for its indices, what is printed with them says the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import cycle
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_programs import DECLARED, program

import tcalc
from tcalc import printing
from tcalc.language import parse
from tcalc.simplify import normal

LEGAL = (
    *("i", "j", "k", "l", "n", "d", "q", "z", "batch", "in_channel", "i1", "i2", "i10", "x_1"),
    *("alpha", "mu", "varepsilon", "λ", "Ω", "é", "Å", "ende", "forx", "tensors", "e1", "T1"),
    # names of variables, sizes, functions, and of what formulas are written with
    *("x", "A", "T", "s", "S", "m", "delta", "ones", "zeros", "eye", "sum", "exp", "softmax", "pi"),
    *("T", "R", "t1", "p", "p1", "r", "K_inv", "V", "f", "h"),
)
_INDEX = re.compile(r"\b[ijk]\d+\b")


def with_names(text: str, names: Iterator[str]) -> str:
    """A random program with other names for its indices, different ones for different indices."""
    found = list(dict.fromkeys(_INDEX.findall(text)))
    chosen: dict[str, str] = {}
    for name in names:
        if len(chosen) == len(found):
            break
        if name not in chosen.values():
            chosen[found[len(chosen)]] = name
    return _INDEX.sub(lambda match: chosen[match.group()], text)


def same(text: str, plain: str) -> bool:
    """Whether two printed formulas parse to the same node."""
    here, there = normal([parse(text, DECLARED).value, parse(plain, DECLARED).value])
    return here is there


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    st.integers(0, 2**32 - 1),
    st.permutations(sorted(set(LEGAL))),
    st.sampled_from([0, 1, 2]),
    st.sampled_from(["auto", True]),
)
def test_names_change_nothing(seed: int, names: list[str], order: int, cse: printing.Cse) -> None:
    supply = cycle([*names, *(f"{name}_{k}" for name in names for k in range(9))])
    value = tcalc.parse(with_names(program(seed).text, supply), DECLARED)
    derivatives = [value]
    inputs = list(value.variables)
    for k in range(order):
        name = inputs[(seed + k) % len(inputs)]
        if len(derivatives[-1].shape) + len(value.variables[name].dims) <= 4:
            derivatives.append(tcalc.jacobian(derivatives[-1], name))
    result = derivatives[-1]
    notations: tuple[printing.Notation, ...] = ("einstein", "auto")
    for notation in notations:
        text = result.text(notation, cse)
        plain = printing.to_text(
            result.node, notation=notation, order=list(value.variables), cse=cse
        )
        assert same(text, plain), (text, plain)
        ElementTree.fromstring(result.mathml(notation, cse))
        latex = result.latex(notation, cse)
        assert latex.count("{") == latex.count("}")


@pytest.mark.parametrize("name", sorted(set(LEGAL)))
def test_every_legal_name_is_kept(name: str) -> None:
    product = tcalc.parse(f"r[{name}] = B[{name},j9]*y[j9]", DECLARED)
    assert product.einstein() == f"B[{name},j9]*y[j9]"
    jacobian = tcalc.jacobian(product, "B").einstein()
    assert jacobian.startswith(f"eye(n)[{name},")
    assert parse(jacobian, DECLARED).value is tcalc.jacobian(product, "B").node
