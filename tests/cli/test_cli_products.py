"""The commands jvp, vjp and hvp print products with derivatives, and tell of their directions."""

from __future__ import annotations

import json

import numpy as np
import pytest


def test_hvp_prints_a_formula_in_a_direction_that_it_tells(run):
    outcome = run("hvp", "norm2(X*w - y)^2", "--wrt", "w")
    assert outcome.status == 0
    assert outcome.out == "2*X'*X*dw\n"
    assert "direction: dw[n]" in outcome.err


def test_several_variables_and_directions(run):
    outcome = run("hvp", "x'*A*y", "--wrt", "x", "--wrt", "y", "--several", "k")
    assert outcome.status == 0
    assert outcome.out.splitlines() == ["x: A*dy", "y: A'*dx"]
    assert "directions: dx[m,k], dy[n,k]" in outcome.err
    outcome = run("jvp", "A*x", "--wrt", "x", "--direction", "V", "--several", "3")
    assert (outcome.out, outcome.err.splitlines()[-1]) == ("A*V\n", "direction: V[n,3]")


def test_directions_are_separated_as_variables_are(run):
    together = run("jvp", "A*x", "--wrt", "A,x", "--direction", "U,v")
    apart = run("jvp", "A*x", "--wrt", "A", "--wrt", "x", "--direction", "U", "--direction", "v")
    assert together.out == apart.out == "A*v + U*x\n"
    outcome = run("jvp", "A*x", "--wrt", "A,x", "--direction", "U")
    assert "1 direction for 2 variables" in outcome.err


def test_vjp_names_its_cotangent(run):
    assert run("vjp", "A*x", "--wrt", "x").out == "A'*F_bar\n"
    assert run("vjp", "A*x", "--wrt", "x", "--cotangent", "u").out == "A'*u\n"
    outcome = run("vjp", "A*x", "--wrt", "x", "--cotangent", "u", "--cotangent", "v")
    assert outcome.status == 2
    assert "one cotangent" in outcome.err


def test_json_and_python(run):
    outcome = run("hvp", "sum(exp(x))", "--json")
    (entry,) = json.loads(outcome.out)["results"]
    assert (entry["kind"], entry["wrt"], entry["matrix"]) == ("hvp", ["x"], "dx.*exp(x)")
    outcome = run("hvp", "sum(exp(x))", "--format", "python")
    namespace = {}
    exec(outcome.out, namespace)
    found = namespace["evaluate"](x=np.zeros(2), dx=np.array([1.0, 2.0]))
    np.testing.assert_array_equal(found, [1.0, 2.0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("hvp", "A*x", "--wrt", "x"), "hvp is that of a scalar"),
        (("jvp", "A*x", "--wrt", "x", "--direction", "A"), "choose another name"),
        (("jvp", "A*x", "--wrt", "x", "--several", "0"), "0 directions are none"),
        (("jvp", "A*x", "--wrt", "z"), "'z' is not a variable"),
    ],
)
def test_mistakes_name_the_culprit(run, arguments, message):
    outcome = run(*arguments)
    assert outcome.status == 1
    assert message in outcome.err
