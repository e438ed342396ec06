"""The worked examples end at their known optima, by one command each."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.optimize import minimize

from tcalc import examples
from tcalc.errors import ArgumentError
from tcalc.examples.processes import GP_PARAMETERS, GP_VALUE, gp_data

NAMES = [example.name for example in examples.all_examples()]


@pytest.mark.parametrize("name", NAMES)
def test_an_example_ends_at_the_known_optimum(name, run):
    outcome = run("examples", "solve", name)
    assert outcome.status == 0, outcome.out
    example = examples.load(name)
    assert example.title in outcome.out
    assert example.program in outcome.out
    assert example.source in outcome.out
    assert "relative difference" in outcome.out


def test_what_the_issue_names_is_there():
    assert {
        "factorisation", "gaussian_process", "kalman", "logistic", "misra1a", "portfolio",
        "score_matching", "softmax",
    } == set(NAMES)  # fmt: skip


def test_the_likelihood_of_the_gaussian_process_by_a_simplex_in_plain_numpy():
    x, y = gp_data().values()

    def likelihood(t):
        length, amplitude, noise = np.exp(t)
        K = amplitude**2 * np.exp(-((x[:, None] - x) ** 2) / (2 * length**2))
        L = np.linalg.cholesky(K + noise**2 * np.eye(len(x)))
        z = np.linalg.solve(L, y)
        return z @ z / 2 + np.log(np.diag(L)).sum() + len(x) * np.log(2 * np.pi) / 2

    options = {"xatol": 1e-9, "fatol": 1e-13, "maxfev": 4000}
    found = minimize(likelihood, [0.0, 0.0, -1.0], method="Nelder-Mead", options=options)
    assert found.fun == pytest.approx(GP_VALUE, rel=1e-10)
    np.testing.assert_allclose(np.exp(found.x), GP_PARAMETERS, rtol=1e-6)


def test_a_wrong_optimum_is_not_hidden():
    wrong = examples.Finding("value", 1.001, 1.0, 1e-6)
    assert not examples.Outcome([], [wrong]).agrees
    assert not examples.Outcome([], []).agrees


def test_the_list_and_json(run):
    listed = run("examples", "solve").out.splitlines()
    assert [line.split()[0] for line in listed] == NAMES
    assert [e["name"] for e in json.loads(run("examples", "solve", "--json").out)] == NAMES
    document = json.loads(run("examples", "solve", "misra1a", "--json").out)
    assert document["agrees"] is True
    outcome = run("examples", "solve", "misra")
    assert outcome.status == 1
    assert "did you mean 'misra1a'" in outcome.err
    with pytest.raises(ArgumentError, match="no example named"):
        examples.load("none")
