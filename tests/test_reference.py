"""The functions of the language, as programs ask for them."""

from __future__ import annotations

import pytest

import tcalc
from tcalc.language.catalogue import BY_NAME, FUNCTIONS


def test_every_function_is_there_in_order():
    functions = tcalc.functions()
    assert list(functions) == [function.name for function in FUNCTIONS]
    assert len(functions) == len(FUNCTIONS)
    for name, entry in functions.items():
        assert entry.name == name
        assert entry.domain and entry.derivative
        assert str(entry).startswith("name ")


def test_aliases_find_their_function():
    functions = tcalc.functions()
    for name in BY_NAME:
        assert name in functions
        assert name in (functions[name].name, *functions[name].aliases)


def test_what_a_function_is_called_elsewhere_is_told():
    functions = tcalc.functions()
    assert "trace" in functions["tr"].elsewhere
    assert "elsewhere   trace" in str(functions["tr"]).splitlines()
    for entry in functions.values():
        assert not {*entry.elsewhere} & BY_NAME.keys()


@pytest.mark.parametrize(
    ("name", "hint"),
    [("expp", "did you mean `exp`?"), ("trace", "did you mean `tr`?"), ("crossprod", "X'*Y")],
)
def test_what_is_no_function_is_told_as_in_programs(name, hint):
    assert name not in tcalc.functions()
    with pytest.raises(tcalc.TcalcError) as caught:
        tcalc.functions()[name]
    assert caught.value.hint == hint
    assert tcalc.functions().get(name) is None


def test_the_convention_at_a_kink_is_told():
    entry = tcalc.functions()["abs"]
    assert "0" in entry.kinks
    assert f"kinks       {entry.kinks}" in str(entry).splitlines()


def test_every_property_can_be_declared():
    for word in tcalc.properties():
        declared = tcalc.parse("tr(A)", f"A[n,n] {word}")
        assert declared.variables["A"].properties == (word,)
