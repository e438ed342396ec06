"""`tcalc cost`: the table, its JSON, and its options."""

from __future__ import annotations

import pytest

import tcalc

LOGISTIC = "sum(log(1 + exp(-y .* (X*w))))"
DECLARED = "X[m,n], y[m], w[n]"


def test_a_table_of_all_modes(run):
    out = run("cost", LOGISTIC, "--declare", DECLARED, "--wrt", "w").out
    lines = out.splitlines()
    assert lines[0].split()[0] == "mode"
    assert {line.split()[0] for line in lines[1:-1]} == set(tcalc.calculus.MODES)
    assert "2*m*n^2 + 5*m*n" in out  # reverse mode, as it is
    assert "nominal" in lines[-1]


def test_json_has_polynomials_and_numbers(run):
    arguments = ("cost", LOGISTIC, "--declare", DECLARED, "--wrt", "w", "--sizes", "m=40,n=20")
    document = run(*arguments, "--format", "json").json
    assert document == run(*arguments, "--json").json
    assert document["sizes"] == {"m": 40, "n": 20}
    assert (document["wrt"], document["nominal"]) == (["w", "w"], False)
    row = next(x for x in document["costs"] if (x["mode"], x["form"]) == ("reverse", "dense"))
    f = tcalc.parse(LOGISTIC, DECLARED)
    expected = tcalc.cost(f, "w", sizes={"m": 40, "n": 20}, modes=["reverse"]).row("reverse")
    assert row["flops"].startswith("2*m*n^2 + 5*m*n - n^2 + ")
    assert row == {
        "mode": "reverse",
        "form": "dense",
        "nodes": expected.nodes,
        "highest_order": 2,
        "flops": "2*m*n^2 + 5*m*n - n^2 + 10*m",
        "memory": str(expected.memory),
        "operations": expected.operations,
        "bytes": expected.bytes,
    }


def test_modes_and_orders_are_chosen(run):
    document = run("cost", "A*x", "--wrt", "x", "--mode", "reverse", "--json").json
    assert {row["mode"] for row in document["costs"]} == {"reverse"}
    assert document["wrt"] == ["x"]
    document = run("cost", LOGISTIC, "--declare", DECLARED, "--wrt", "w", "--wrt2", "X", "--json")
    assert document.json["wrt"] == ["w", "X"]
    document = run("cost", "sum(x.^3)", "--order", "1", "--json").json
    assert document["wrt"] == ["x"]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("x'*x", "--wrt", "y"), 1, "'y' is not a variable"),
        (("x'*x", "--sizes", "q=3"), 1, "no size of the program"),
        (("x'*x", "--mode", "sideways"), 2, "sideways"),
        (("A*x",), 2, "--wrt"),
    ],
)
def test_mistakes_are_told(run, arguments, status, message):
    outcome = run("cost", *arguments)
    assert outcome.status == status
    assert message in outcome.err


def test_a_size_is_given_once(run):
    for sizes in (["--sizes", "m=1,m=2"], ["--sizes", "m=1", "--sizes", "m=2"]):
        outcome = run("cost", "x'*x", *sizes)
        assert outcome.status == 2
        assert "m is given twice, as 1 and 2" in outcome.err
