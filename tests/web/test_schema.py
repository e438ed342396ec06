"""The API against its own description: Schemathesis sends what the schema allows, and more."""

from __future__ import annotations

import importlib

import pytest
from serving import needed

OPERATIONS = (
    *("parse", "derivative", "code", "check", "cost", "draw", "explain"),
    *("examples", "language"),
)

# Random texts are hardly ever programs, so that most requests get one of these.
PROGRAMS = (
    ("", ["x"]),
    ("x*y", ["x"]),
    ("x'*A*x", ["x", "A"]),
    ("sum(log(1 + exp(-y.*(X*w))))", ["w", "X"]),
    ("logdet(K) + norm2(K\\y)", ["K", "z"]),
    ("T[i,j,k]*v[k]", ["T"]),
    ("log(-norm2(x) - 1)", ["x"]),
    ("a^b/0", ["a", "b"]),
)


@pytest.mark.parametrize("name", OPERATIONS)
def test_schemathesis_finds_nothing(address, name):
    schemathesis = needed("schemathesis", "browser")
    hypothesis = needed("hypothesis", "dev")
    # No schema can say which texts are programs; the others are answered with 422.
    accepts_all = needed("schemathesis.specs.openapi.checks", "browser").positive_data_acceptance
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
    found = next(
        entry.ok()
        for entry in schema.get_all_operations()
        if entry.ok().definition.raw["operationId"] == name
    )

    @hypothesis.settings(
        max_examples=40,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(
        case=found.as_strategy(), program=hypothesis.strategies.sampled_from(PROGRAMS)
    )
    def obeys(case, program):
        if isinstance(case.body, dict) and case.meta.generation.mode.is_positive:
            formula, wrt = program
            given = {"formula": formula, "declarations": "", "wrt": wrt}
            given |= {"wrt": wrt[0]} if name == "explain" else {}
            case.body |= {key: value for key, value in given.items() if key in case.body}
        case.call_and_validate(excluded_checks=[accepts_all])

    obeys()


def test_the_description_is_whole(client):
    described = client.get("/openapi.json").json()
    assert {path.removeprefix("/api/") for path in described["paths"]} == set(OPERATIONS)
    for path in described["paths"].values():
        for operation in path.values():
            assert operation["summary"]
            assert operation["description"]


def test_every_operation_is_known_to_workers_by_the_same_request():
    needed("fastapi", "web")
    app, worker = (importlib.import_module(f"tcalc.web.{name}") for name in ("app", "worker"))
    described = {operation.name: operation.request for operation in app.OPERATIONS}
    assert described == {name: one.request for name, one in worker.OPERATIONS.items()}
