"""`tcalc.cost`: what it takes, what it gives, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import FrozenInstanceError

import pytest

import tcalc
from tcalc.calculus import MODES
from tcalc.errors import ArgumentError, UnknownNameError

f = tcalc.parse("sum(log(1 + exp(-y .* (X*w))))", "X[m,n], y[m], w[n]")


def test_all_modes_are_told_of_in_both_forms():
    table = tcalc.cost(f, "w")
    assert [(row.mode, row.form) for row in table] == [
        (mode, form) for mode in MODES for form in ("dense", "factored")
    ]
    assert len(table) == len(table.rows) == 2 * len(MODES)
    assert table.row() is table.row("cross-country", "dense")
    assert not table.given
    assert table.sizes == {"m": 100, "n": 100}


def test_numbers_are_the_polynomials_at_the_sizes():
    sizes = {"m": 30, "n": 10}
    for table in (tcalc.cost(f, "w", sizes=sizes), tcalc.cost(f, "w")):
        for row in table:
            assert row.operations == row.flops.evaluate(table.sizes)
            assert row.bytes == 8 * row.memory.evaluate(table.sizes)


def test_products_are_ordered_for_the_sizes():
    g = tcalc.parse("sum(exp(A*B*C))", "A[m,n], B[n,k], C[k,l]")
    thin, wide = (
        tcalc.cost(g, "A", 1, sizes={"m": 50, "n": 50, "k": k, "l": 50}).row().flops
        for k in (2, 500)
    )
    assert ("n", "n") not in {monomial[-2:] for monomial, _ in thin.terms}
    assert thin.coefficient("k", "l", "n") == 0 != wide.coefficient("k", "l", "n")  # B*C first


def test_gradients_have_no_factored_form():
    table = tcalc.cost(f, "w", order=1)
    assert {row.form for row in table} == {"dense"}


def test_mixed_derivatives_and_higher_orders():
    assert tcalc.cost(f, ["w", "X"], modes=["reverse"]).row("reverse").order >= 3
    assert tcalc.cost(f, "w", 3, modes=["cross-country"]).row().order == 3
    F = tcalc.parse("tanh(A*x)")
    assert tcalc.cost(F, "x").wrt == ("x",)
    assert tcalc.cost(F, "x", 2).wrt == ("x", "x")


def test_tables_are_read_by_people():
    lines = str(tcalc.cost(f, "w", sizes={"m": 2000, "n": 100})).splitlines()
    assert lines[0].split()[:5] == ["mode", "form", "nodes", "order", "flops"]
    assert lines[0].endswith("bytes")
    assert lines[-1] == "Products are ordered for m = 2000, n = 100."
    assert any(line.startswith("cross-country  dense") and "m*n^2" in line for line in lines)
    assert str(tcalc.cost(f, "w")).endswith("(nominal).")


def test_scalars_have_numbers_without_sizes():
    row = tcalc.cost(tcalc.parse("x^3", "x"), "x", modes=["reverse"]).row("reverse")
    assert (str(row.flops), row.operations, row.bytes) == ("1", 1, 8)


def test_tables_do_not_change():
    table = tcalc.cost(f, "w", modes=["reverse"])
    with pytest.raises(FrozenInstanceError):
        table.rows = ()
    assert table == tcalc.cost(f, "w", modes=["reverse"])


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (("v",), {}, UnknownNameError, "'v' is not a variable"),
        (("w", 0), {}, ArgumentError, "no derivative of order 0"),
        ((["w", "w"], 3), {}, ArgumentError, "do not fit the order"),
        (([],), {}, ArgumentError, "do not fit the order"),
        (("w",), {"modes": ["sideways"]}, ArgumentError, "no mode 'sideways'"),
        (("w",), {"sizes": {"q": 3}}, ArgumentError, "q is no size"),
        (("w",), {"sizes": {"m": 0}}, ArgumentError, "the size m is 0"),
    ],
)
def test_what_is_wrong_is_told(arguments, options, error, message):
    with pytest.raises(error, match=message):
        tcalc.cost(f, *arguments, **options)


def test_a_row_that_is_not_there():
    with pytest.raises(ArgumentError, match="no row forward, dense"):
        tcalc.cost(f, "w", modes=["reverse"]).row("forward")


def test_counting_imports_no_arrays():
    code = (
        "import sys, tcalc; f = tcalc.parse('tr(inv(A))'); "
        "tcalc.cost(f, 'A', modes=['forward', 'reverse', 'cross-country', 'tensor-order']); "
        "print([m for m in ('numpy', 'scipy', 'sympy', 'networkx') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
