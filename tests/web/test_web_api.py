"""The API over HTTP, against a server with real workers."""

from __future__ import annotations

import doctest
import importlib
import json
import re
import time
from collections.abc import Iterator
from importlib.resources import files

import numpy as np
import pytest

import tcalc
from tcalc import gallery
from tcalc.calculus import MODES
from tcalc.expr.properties import OF_MATRICES, PROPERTIES, SQUARE
from tcalc.language.catalogue import FUNCTIONS

RIDGE = {"formula": "norm2(X*w - y)^2 + c*norm2(w)^2", "declarations": "X[m,n], w[n], y[m], c"}


def post(client, operation, **body):
    return client.post(f"/api/{operation}", json=body)


def good(client, operation, **body):
    response = post(client, operation, **body)
    assert response.status_code == 200, response.text
    return response.json()


def test_parse_tells_what_was_found(client):
    found = good(client, "parse", formula="x'*A*x + b", declarations="A[n,n] spd")
    assert found["error"] is None
    assert found["dims"] == []
    assert found["variables"] == [
        {"name": "A", "dims": ["n", "n"], "properties": ["spd"], "guessed": False},
        {"name": "x", "dims": ["n"], "properties": [], "guessed": True},
        {"name": "b", "dims": [], "properties": [], "guessed": True},
    ]
    assert found["text"] == "b + x'*A*x"
    assert found["latex"] == r"b + x^\top A x"
    assert found["mathml"].startswith("<math")


def test_the_page_offers_the_modes_that_there_are():
    static = files("tcalc.web") / "static"
    (menu,) = re.findall(
        r'<select id="mode">(.*?)</select>', (static / "index.html").read_text(), re.S
    )
    (known,) = re.findall(
        r"^const MODES = (\[.*?\]);", (static / "state.js").read_text(), re.M | re.S
    )
    assert set(re.findall(r'value="(.*?)"', menu)) == set(json.loads(known)) == set(MODES)


def test_the_page_knows_which_properties_are_those_of_matrices():
    code = (files("tcalc.web") / "static" / "declarations.js").read_text()
    (square,) = re.findall(r"^const SQUARE = (\[.*?\]);", code, re.M)
    (further,) = re.findall(r"^const MATRIX = \[...SQUARE, (.*?)\];", code, re.M)
    assert set(json.loads(square)) == SQUARE
    assert SQUARE | set(json.loads(f"[{further}]")) == OF_MATRICES


def test_of_a_wrong_program_it_tells_what_names_are_taken_for(client):
    found = good(client, "parse", formula="tensor K[n,n] spd\ns^2*K")
    assert found["error"]["kind"] == "orientation error"
    assert found["variables"] == [
        {"name": "K", "dims": ["n", "n"], "properties": ["spd"], "guessed": False},
        {"name": "s", "dims": ["m"], "properties": [], "guessed": True},
    ]
    assert good(client, "parse", formula="s^")["variables"] == []
    undeclared = good(client, "parse", formula="x'*x", declarations="x[")
    assert undeclared["error"]["source"] == "declarations"
    assert [variable["name"] for variable in undeclared["variables"]] == ["x"]


@pytest.mark.parametrize(
    ("program", "kind", "source", "place"),
    [
        ({"formula": "x*y"}, "orientation error", "formula", (1, 1, 4)),
        ({"formula": "(x'*y +\n 3*)"}, "syntax error", "formula", (2, 4, 5)),
        ({"formula": "x'*A*"}, "syntax error", "formula", (1, 6, 7)),
        (
            {"formula": "A*x", "declarations": "A[m,n] spdd"},
            "syntax error",
            "declarations",
            (1, 8, 12),
        ),
        ({"formula": "9^9^9^9"}, "limit", "formula", (1, 3, 8)),
        ({"formula": "𝐱 + é*"}, "syntax error", "formula", (1, 1, 2)),
    ],
)
def test_errors_have_their_place(client, program, kind, source, place):
    error = good(client, "parse", **program)["error"]
    assert error["kind"] == kind
    assert error["source"] == source
    assert (error["line"], error["column"], error["end"]) == place
    assert error["message"]


def test_derivatives_in_all_notations(client):
    (found,) = good(client, "derivative", **RIDGE, wrt=["w"])["results"]
    assert found["kind"] == "gradient"
    assert found["dims"] == ["n"]
    assert found["text"] == "2*(c*w + X'*(X*w - y))"
    assert "X[" in found["einstein"]
    assert r"X^\top" in found["latex"]
    assert found["mathml"].startswith("<math")
    assert found["einstein_mathml"] is None


def test_orders_and_mixed_derivatives(client):
    both = good(client, "derivative", **RIDGE, wrt=["w", "X"], order=2)["results"]
    assert [x["wrt"] for x in both] == [["w", "w"], ["w", "X"], ["X", "X"]]
    assert {x["kind"] for x in both} == {"Hessian"}
    mixed = good(client, "derivative", **RIDGE, wrt=["w", "X"], order=2, mixed=True)["results"]
    assert [x["wrt"] for x in mixed] == [["w", "X"]]
    (third,) = good(client, "derivative", formula="a^5", wrt=["a"], order=3)["results"]
    assert third["kind"] == "derivative"
    assert third["text"] == "60*a^2"
    (jacobian,) = good(client, "derivative", formula="A*sin(x)", wrt=["x"])["results"]
    assert jacobian["kind"] == "Jacobian"


def test_common_subexpressions_can_be_left_unnamed(client):
    program = {"formula": "y'*inv(K + S)*y*logdet(K + S)", "declarations": "K[n,n] spd, S[n,n] spd"}
    named, plain = (
        good(client, "derivative", **program, wrt=["K"], notations=["text"], cse=cse)["results"]
        for cse in (True, False)
    )
    assert "\n" in named[0]["text"]
    assert "\n" not in plain[0]["text"]


def test_the_module_runs(client):
    found = good(client, "code", **RIDGE, wrt=["w"], order=2, sizes={"m": 20, "unknown": 3})
    assert found["returns"] == ["value", "Hessian by w, w"]
    space: dict[str, object] = {"__name__": "generated"}
    exec(compile(found["source"], found["filename"], "exec"), space)
    random = np.random.default_rng(0)
    data = {"X": random.random((5, 3)), "w": random.random(3), "y": random.random(5), "c": 0.5}
    value, hessian = space["evaluate"](**data)
    np.testing.assert_allclose(
        value, np.sum((data["X"] @ data["w"] - data["y"]) ** 2) + 0.5 * data["w"] @ data["w"]
    )
    np.testing.assert_allclose(hessian, 2 * data["X"].T @ data["X"] + np.eye(3))


def test_checks_tell_the_largest_error(client):
    checks = good(client, "check", **RIDGE, wrt=["w", "X"], order=2)["checks"]
    assert [x["wrt"] for x in checks] == [["w", "w"], ["w", "X"], ["X", "X"]]
    assert all(x["passed"] and x["error"] < 1e-12 for x in checks)


@pytest.mark.parametrize(
    ("claim", "passed"),
    [
        ("2*c*w + 2*X'*(X*w - y)", True),
        ("T[i] = 2*c*w[i] + 2*X[j,i]*(X[j,k]*w[k] - y[j])", True),
        ("c*w + X'*(X*w - y)", False),
    ],
)
def test_what_somebody_claims_is_checked(client, claim, passed):
    (found,) = good(client, "check", **RIDGE, wrt=["w"], claim=claim)["checks"]
    assert found["passed"] is passed
    assert found["reason"] is None


def test_a_claim_where_there_is_no_data(client):
    formula = "log(-norm2(x)^2 - 1)"
    (found,) = good(client, "check", formula=formula, wrt=["x"], claim="x")["checks"]
    assert found["passed"] is None and "no random data" in found["reason"]


def test_a_hessian_is_claimed(client):
    claims = {"2*c*eye(n) + 2*X'*X": True, "2*X'*X": False}
    for claim, passed in claims.items():
        (found,) = good(client, "check", **RIDGE, wrt=["w"], order=2, claim=claim)["checks"]
        assert found["passed"] is passed


@pytest.mark.parametrize(
    ("claim", "wrt", "message"),
    [
        ("2*X'*(", ["w"], "in the claim: `(` is never closed"),
        ("2*X'*r", ["w"], "the claim names 'r', which is not a variable of the function"),
        ("X'*X", ["w"], "the derivative has the axes [n], the claim [n, n]"),
        ("2*X'", ["w", "X"], "a claim is about one derivative, and these are 2"),
    ],
)
def test_a_claim_that_means_nothing_is_told_so(client, claim, wrt, message):
    response = post(client, "check", **RIDGE, wrt=wrt, claim=claim)
    assert response.status_code == 422
    assert response.json()["error"]["kind"] == "argument error"
    assert message in response.json()["error"]["message"]


def test_a_check_that_finds_no_data_says_so(client):
    (found,) = good(client, "check", formula="log(-norm2(x)^2 - 1)", wrt=["x"])["checks"]
    assert found["passed"] is None
    assert "no random data" in found["reason"]


def test_a_derivation_is_told_in_steps(client):
    found = good(client, "explain", formula="sum(exp(A*x))", wrt="x")
    assert [x["name"] for x in found["values"]] == ["t1", "t2", "f"]
    assert found["cotangents"][-1]["name"] == "x_bar"
    assert found["result"]["formula"] == "A'*exp(A*x)"


@pytest.mark.parametrize("model", gallery.models(), ids=lambda model: model.name)
def test_every_example_is_read_differentiated_and_checked(client, model):
    program, wrt = {"formula": model.program}, model.wrt[0]
    read = good(client, "parse", **program)
    assert read["error"] is None
    assert good(client, "derivative", **program, wrt=[wrt])["results"][0]["text"]
    (check,) = good(client, "check", **program, wrt=[wrt])["checks"]
    assert check["passed"], check


def test_steps_to_a_gradient_too_long_for_one_formula(client):
    (model,) = (model for model in gallery.models() if model.name == "kalman_filter")
    found = good(client, "explain", formula=model.program, wrt="A")
    assert found["cotangents"][-1]["name"] == "A_bar"
    *parts, _ = found["result"]["formula"].splitlines()
    assert len(parts) > 5 and all(" = " in part for part in parts)
    assert found["result"]["mathml"].count("<mtr>") > len(parts)


def test_the_graph_is_a_picture(client):
    found = good(client, "draw", formula="sum(exp(A*x))", wrt=["x"])
    assert found["svg"].startswith("<svg")


def test_a_graph_that_nobody_could_read_is_not_drawn(client):
    recurrence = "h{0} = x\nfor t = 1:60\n  h{t} = tanh(A*h{t-1})\nend\nsum(h{60})"
    response = post(client, "draw", formula=recurrence, wrt=["A"], order=2)
    assert response.status_code == 422
    error = response.json()["error"]
    assert error["kind"] == "limit"
    assert "--limit" not in error["hint"]


def test_examples_are_what_the_gallery_has(client):
    found = client.get("/api/examples").json()
    by_name = {x["name"]: x for x in found["examples"]}
    assert set(by_name) == set(gallery.names())
    for name, example in by_name.items():
        assert "tensor" not in example["formula"]
        apart = tcalc.parse(example["formula"], example["declarations"])
        assert apart.node is tcalc.parse(gallery.load(name).program).node


def test_the_language_is_told_as_it_is(client):
    found = client.get("/api/language").json()
    assert found["properties"] == list(PROPERTIES)
    assert [x["name"] for x in found["functions"]] == [function.name for function in FUNCTIONS]
    (logdet,) = (x for x in found["functions"] if x["name"] == "logdet")
    assert logdet["derivative"] == "inv(A)'"
    assert logdet["domain"] == "det(A) > 0"


@pytest.mark.parametrize("path", ["/api/examples", "/api/language"])
def test_lists_are_sent_once(client, path):
    first = client.get(path)
    assert first.headers["content-type"] == "application/json"
    again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("operation", "body", "kind"),
    [
        ("derivative", {"formula": "x'*x", "wrt": ["z"]}, "name error"),
        ("derivative", {"formula": "x'*x", "wrt": []}, "request error"),
        ("derivative", {"formula": "x'*x", "wrt": ["x"], "order": 4}, "request error"),
        ("derivative", {"formula": "x'*x", "wrt": ["x"], "surprise": 1}, "request error"),
        (
            "derivative",
            {"formula": "x'*x", "wrt": ["x"], "order": 2, "mixed": True},
            "argument error",
        ),
        ("parse", {"formula": "x+" * 20_000}, "limit"),
        ("derivative", {"formula": "x'*x", "wrt": ["x"] * 25}, "limit"),
        ("explain", {"formula": "A*x", "wrt": "x"}, "dimension error"),
    ],
)
def test_wrong_requests_are_told_so(client, operation, body, kind):
    response = post(client, operation, **body)
    assert response.status_code == 422
    assert response.json()["error"]["kind"] == kind


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe{}",
        b"[" * 100_000,
        b'{"formula": "x", "wrt": ["x"], "order": ' + b"1" * 10_000,
    ],
    ids=["unfinished", "no text", "deep", "endless number"],
)
def test_what_is_no_json_is_told_so(client, body):
    headers = {"Content-Type": "application/json"}
    response = client.post("/api/derivative", content=body, headers=headers)
    assert response.status_code == 400
    assert response.json()["error"]["kind"] == "request error"


def test_a_body_that_is_not_declared_to_be_json_is_told_so(client):
    for headers in ({}, {"Content-Type": "application/x-www-form-urlencoded"}):
        response = client.post("/api/parse", content=b'{"formula": "x"}', headers=headers)
        assert response.status_code == 422
        assert "Content-Type: application/json" in response.json()["error"]["hint"]
    response = client.post("/api/parse", json="x")
    assert "Content-Type" not in response.json()["error"]["hint"]


@pytest.mark.parametrize("path", ["/", "/static/main.js", "/api/examples", "/api/language"])
def test_what_can_be_got_has_a_head(client, path):
    response = client.head(path)
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-length"] == str(len(client.get(path).content))


def test_a_gradient_by_many_variables(client):
    names = [f"x_{k}" for k in range(24)]
    found = good(client, "derivative", formula="+".join(f"{x}'*{x}" for x in names), wrt=names)
    assert [result["text"] for result in found["results"]] == [f"2*{x}" for x in names]


@pytest.mark.parametrize("path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static", "/api/"])
def test_there_is_no_way_to_other_files(client, path):
    response = client.get(path)
    assert response.status_code == 404
    assert response.json()["error"]["kind"] == "not found"


@pytest.mark.parametrize("sign", ["\ud800", "\x00", "\u202e", "<script>", "&amp;", "\U0001f4a5"])
def test_signs_that_mean_nothing_here_do_no_harm(client, sign):
    content = json.dumps({"formula": f"x + {sign}", "declarations": sign}).encode()
    headers = {"Content-Type": "application/json"}
    response = client.post("/api/parse", content=content, headers=headers)
    assert response.status_code in (200, 422)
    assert response.json()["error"]["message"]


def test_a_body_over_the_limit_is_refused_however_it_comes(client):
    def chunks() -> Iterator[bytes]:
        for _ in range(200):
            yield b" " * 10_000

    json = {"Content-Type": "application/json"}
    whole = client.post("/api/parse", content=b" " * 2_000_000, headers=json)
    chunked = client.post("/api/parse", content=chunks(), headers=json)
    for response in (whole, chunked):
        assert response.status_code == 413
        assert response.json()["error"]["kind"] == "limit"


def test_other_names_and_other_sites_are_refused(client):
    assert client.get("/", headers={"Host": "example.org"}).status_code == 421
    assert client.get("/", headers={"Host": "localhost"}).status_code == 200
    assert client.get("/", headers={"Host": "[::1]:8000"}).status_code == 200
    foreign = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
    assert client.get("/api/examples", headers=foreign).status_code == 403
    plain = client.post(
        "/api/parse", content=b'{"formula": "x"}', headers={"Content-Type": "text/plain"}
    )
    assert plain.status_code == 422


def test_every_response_is_guarded(client):
    for path in ("/", "/api", "/static/main.js", "/openapi.json", "/api/examples", "/none"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"], path
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers
    missing = client.get("/none")
    assert missing.status_code == 404
    assert missing.json()["error"]["kind"] == "not found"


def test_the_font_is_kept_and_the_rest_revalidated(client):
    font = client.get("/font/stix-two-math.ttf")
    assert "immutable" in font.headers["cache-control"]
    assert font.headers["content-type"] == "font/ttf"
    script = client.get("/static/main.js")
    again = client.get("/static/main.js", headers={"If-None-Match": script.headers["etag"]})
    assert again.status_code == 304
    assert not again.content


def test_the_page_is_small(client):
    total = 0
    for entry in files("tcalc.web").joinpath("static").iterdir():
        path = "/" if entry.name == "index.html" else f"/static/{entry.name}"
        if entry.name != "api.html":
            total += len(client.get(path).content)
    assert 0 < total < 200_000


def test_an_endless_computation_is_ended_and_harms_nobody(client):
    endless = "*".join(["exp(sin(x'*x))*logdet(A)"] * 400)
    start = time.monotonic()
    response = post(client, "derivative", formula=endless, wrt=["A"], order=3)
    assert 4 < time.monotonic() - start < 8
    assert response.status_code == 422
    assert response.json()["error"]["kind"] == "limit"
    assert good(client, "parse", formula="x'*x")["error"] is None


@pytest.mark.parametrize("name", ["failures", "guard"])
def test_the_examples_in_the_docstrings_hold(client, name):
    found = doctest.testmod(importlib.import_module(f"tcalc.web.{name}"))
    assert found.attempted
    assert not found.failed


def test_costs_that_take_long_come_in_several_answers(client):
    body = {
        "formula": "sum(exp(tanh(tanh(tanh(X*W1')*W2')*W3')*W4'))",
        "declarations": "X[b,n], W1[n,n], W2[n,n], W3[n,n], W4[n,n]",
        "wrt": ["X", "W1", "W2", "W3", "W4"],
        "order": 2,
    }
    answers = [good(client, "cost", **body)]
    while answers[-1]["next"] is not None:
        answers.append(good(client, "cost", **body, start=answers[-1]["next"]))
    assert len(answers) > 1
    f = tcalc.parse(body["formula"], body["declarations"])
    for k, table in enumerate(answers[0]["tables"]):
        rows = [row for answer in answers for row in answer["tables"][k]["costs"]]
        expected = tcalc.cost(f, table["wrt"])
        assert [row["operations"] for row in rows] == [row.operations for row in expected]
        assert list(dict.fromkeys(row["mode"] for row in rows)) == answers[0]["modes"]
    after = good(client, "cost", **body, start=1000)
    assert after["next"] is None
    assert not any(table["costs"] for table in after["tables"])
