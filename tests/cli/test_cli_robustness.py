"""Whatever the text, the command line answers with a result or a message, never a traceback."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TOKENS = [
    *"xyAXcabij+-*/\\^'()[],.;=<:{}@#\"\n ",
    ".*",
    "./",
    ".^",
    ".T",
    "\n",
    "0",
    "1",
    "2.5",
    "1e-3",
    "-1",
    "exp(",
    "sum(",
    "inv(",
    "det(",
    "norm2(",
    "tr(",
    "diag(",
    "max(",
    "chol(",
    "logdet(",
    "softmax(",
    "gradient(",
    "where(",
    "x'*A*x",
    "A[i,j]",
    "x[i]",
    "tensor ",
    "spd",
    "for t = 1:3\n",
    "end",
    "vector(1)",
    "eye(n)",
    "delta[i,j]",
    "λ",
    "\x00",
]

programs = st.lists(st.sampled_from(TOKENS), max_size=12).map("".join)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=programs)
@pytest.mark.parametrize("command", ["jacobian", "hessian"])
def test_any_text(run, command, text):
    outcome = run(command, "--wrt", "x", "--", text)
    assert outcome.status in (0, 1)
    assert (outcome.status == 0) == bool(outcome.out)
    assert outcome.status == 0 or outcome.err


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=st.text(max_size=30), option=st.sampled_from(["--declare", "--let", "--sizes"]))
def test_any_text_in_an_option(run, option, text):
    assert run("gradient", "x'*x", "--wrt", "x", option, text).status in (0, 1, 2)
