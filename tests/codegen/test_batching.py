"""What steps of recurrences do by themselves is made for all of them in one call."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from scipy import sparse

import tcalc
from tcalc.codegen import alike, batching
from tcalc.codegen.lower import lower
from tcalc.codegen.memory import counter, held_at_peak
from tcalc.codegen.program import Program
from tcalc.runtime import plans

RECURRENCES = {
    "recurrent net": (
        """
        tensor W[n,n], U[n,m], X[{T},m], h[n], v[n]
        s{{0}} = h
        f{{0}} = 0
        for t = 1:{T}
            u{{t}} = U*X[t,:]
            s{{t}} = tanh(W*s{{t-1}} + u{{t}})
            f{{t}} = f{{t-1}} + norm2(s{{t}} - v)^2
        end
        f{{{T}}}
        """,
        "W U v h X",
    ),
    "powers of a matrix": (
        """
        tensor A[n,n], B[n,k], C[k,n]
        P{{0}} = eye(n)
        f{{0}} = 0
        for t = 1:{T}
            P{{t}} = A*P{{t-1}} + B*C
            f{{t}} = f{{t-1}} + tr(C*P{{t}}*B) + sum(exp(C*P{{t}}))
        end
        f{{{T}}}
        """,
        "A B C",
    ),
    "products with data": (
        """
        tensor A[n,n], b[n], X[{T},n]
        s{{0}} = b
        f{{0}} = 0
        for t = 1:{T}
            s{{t}} = s{{t-1}} .* sin(X[t,:]) + b
            f{{t}} = f{{t-1}} + (A*s{{t}})'*X[t,:] + sum(s{{t}} .* s{{t}} .* X[t,:])
        end
        f{{{T}}}
        """,
        "A b X",
    ),
    "covariances": (
        """
        tensor A[n,n], R[n,n] spd, y[n]
        P{{0}} = R
        f{{0}} = 0
        for t = 1:{T}
            P{{t}} = A*P{{t-1}}*A' + R
            f{{t}} = f{{t-1}} + logdet(P{{t}}) + y'*inv(P{{t}})*y
        end
        f{{{T}}}
        """,
        "A R y",
    ),
    "a state that is read out": (
        """
        tensor A[n,n], X[{T},n], V[m,n], w[m]
        s{{0}} = zeros(n)
        f{{0}} = 0
        for t = 1:{T}
            s{{t}} = A*s{{t-1}} + X[t,:]
            z{{t}} = tanh(V*s{{t}})
            f{{t}} = f{{t-1}} + w'*(z{{t}} ./ (1 + exp(-z{{t}} .* z{{t}})))
        end
        f{{{T}}}
        """,
        "A V w",
    ),
    "control": (
        """
        tensor A[n,n], B[n,m], K[m,n], a[n], Q[n,n]
        x{{0}} = a
        f{{0}} = 0
        for t = 1:{T}
            u{{t}} = K*x{{t-1}}
            x{{t}} = A*x{{t-1}} + B*tanh(u{{t}})
            f{{t}} = f{{t-1}} + x{{t}}'*Q*x{{t}} + norm2(u{{t}})^2 - 0.3*sum(x{{t}})
        end
        f{{{T}}}
        """,
        "A B K Q a",
    ),
}
CASES = [(name, wrt) for name, (_, inputs) in RECURRENCES.items() for wrt in inputs.split()]
SIZES = {"n": 4, "m": 3, "k": 2}


def values(f: tcalc.Expression, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    data = {}
    for name, x in f.variables.items():
        array = rng.standard_normal([dim.evaluate(SIZES) for dim in x.dims])
        if len(x.dims) == 2 and array.shape[0] == array.shape[1]:
            array /= 3
        data[name] = array @ array.T + np.eye(4) if "spd" in x.properties else array
    return data


def problem(name: str, T: int, wrt: str) -> tuple[list[tcalc.Expression], dict[str, np.ndarray]]:
    f = tcalc.parse(RECURRENCES[name][0].format(T=T))
    return [f, tcalc.gradient(f, wrt)], values(f)


@pytest.fixture
def batched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Program, Program]]:
    """The programs that were made in another way, before and after."""
    found: list[tuple[Program, Program]] = []

    def with_batches(program: Program, sizes: dict[str, int]) -> Program:
        made = batching.with_batches(program, sizes)
        if made is not program:
            found.append((program, made))
        return made

    monkeypatch.setattr(plans, "with_batches", with_batches)
    return found


@pytest.mark.parametrize(("name", "wrt"), CASES, ids=lambda x: str(x))
def test_gradients_are_those_of_the_interpreter(
    name: str, wrt: str, batched: list[tuple[Program, Program]]
) -> None:
    T = 36 + len(name) % 7
    both, data = problem(name, T, wrt)
    fun = tcalc.compile(both)
    for found, due in zip(fun(**data), tcalc.evaluate(both, **data), strict=True):
        np.testing.assert_allclose(found, due, rtol=1e-9, atol=1e-9 * np.abs(due).max())
    # A few operations of each step may be too few to pay for their stacks.
    assert batched or (name, wrt) in {("covariances", "y"), ("control", "Q")}


@pytest.mark.parametrize("options", [{"reuse": True}, {"contiguous": True}])
def test_options_hold(options: dict[str, bool], batched: list[tuple[Program, Program]]) -> None:
    both, data = problem("a state that is read out", 24, "V")
    fun = tcalc.compile(both, **options)
    for seed in (0, 1):
        data = values(both[0], seed)
        due = tcalc.evaluate(both, **data)
        np.testing.assert_allclose(fun(**data)[1], due[1], rtol=1e-10)
    assert batched


def test_types_follow_the_arguments(batched: list[tuple[Program, Program]]) -> None:
    both, data = problem("a state that is read out", 24, "V")
    fun = tcalc.compile(both)
    single = {name: array.astype(np.float32) for name, array in data.items()}
    assert fun(**single)[1].dtype == np.float32
    direction = np.random.default_rng(3).standard_normal(data["V"].shape)
    step = fun(**{**data, "V": data["V"] + 1e-20j * direction})[0].imag / 1e-20
    np.testing.assert_allclose(step, np.sum(fun(**data)[1] * direction), rtol=1e-12)
    assert batched


def test_few_calls_are_left_of_what_needs_no_step_before() -> None:
    T = 40
    both, data = problem("a state that is read out", T, "V")
    fun = tcalc.compile(both)
    fun(**data)
    body = fun.source.split("def compute")[1].split("\ndef ")[0]
    assert body.count("np.tanh(") + body.count("np.exp(") < 8
    assert len(body.splitlines()) < 6 * T


def test_inputs_of_all_steps_are_multiplied_at_once() -> None:
    both, data = problem("recurrent net", 30, "W")
    fun = tcalc.compile(both)
    fun(**data)
    assert re.search(r"(t\d+) = X\[\d+:\d+\]\n    t\d+ = \1 ?(@|\.dot\() ?U\.T", fun.source)


def test_bound_and_sparse_arguments_are_let_alone(
    batched: list[tuple[Program, Program]],
) -> None:
    both, data = problem("recurrent net", 20, "W")
    due = tcalc.evaluate(both, **data)
    rest = {name: data.pop(name) for name in ("U", "X")}
    found = tcalc.compile(both).bind(**rest)(**data)
    np.testing.assert_allclose(found[1], due[1], rtol=1e-10)
    found = tcalc.compile(both)(**{**data, **rest, "U": sparse.csr_array(rest["U"])})
    np.testing.assert_allclose(found[1], due[1], rtol=1e-10)
    assert not batched


def test_matrices_that_are_not_definite_are_refused_as_before() -> None:
    text = """
    tensor A[n,n], R[n,n] spd, Y[20,n]
    P{0} = R
    f{0} = 0
    for t = 1:20
        P{t} = A*P{t-1}*A' - R
        f{t} = f{t-1} + Y[t,:]'*inv(A*R*A' - Y[t,1]*R)*P{t}*Y[t,:]
    end
    f{20}
    """
    f = tcalc.parse(text)
    A, Y = 2.0 * np.eye(4), np.full((20, 4), 0.5)
    fun, data = tcalc.compile([f, tcalc.gradient(f, "A")]), {"A": A, "R": np.eye(4), "Y": Y}
    due = tcalc.evaluate([f, tcalc.gradient(f, "A")], **data)
    np.testing.assert_allclose(fun(**data)[1], due[1], rtol=1e-9)
    chol = tcalc.parse(text.replace("inv(A*R*A' - Y[t,1]*R)", "inv(chol(A*R*A' - Y[t,1]*R))"))
    both = tcalc.compile([chol, tcalc.gradient(chol, "A")])
    both(**data)
    with pytest.raises(tcalc.TcalcError, match="not positive definite"):
        both(**{**data, "Y": np.full((20, 4), 5.0)})


@pytest.mark.parametrize(("beside", "times"), [("", 20), (" + logdet(P{t})", 6)])
def test_inverses_are_batched_where_their_matrices_are_looked_at(beside: str, times: int) -> None:
    text = f"""
    tensor A[n,n], R[n,n] spd
    P{{0}} = R
    f{{0}} = 0
    for t = 1:20
        P{{t}} = A*P{{t-1}}*A' + R
        f{{t}} = f{{t-1}} + sum(exp(inv(P{{t}}))){beside}
    end
    f{{20}}
    """
    f = tcalc.parse(text)
    fun, data = tcalc.compile(f), values(f)
    np.testing.assert_allclose(fun(**data), tcalc.evaluate(f, **data), rtol=1e-11)
    body = fun.source.split("def compute")[1].split("\ndef ")[0]
    assert body.count("inverse_factored(") == times


def test_large_arrays_are_let_alone() -> None:
    f = tcalc.parse(RECURRENCES["recurrent net"][0].format(T=20))
    g = tcalc.gradient(f, "W")
    program = lower([g.node], {"n": 400, "m": 300})
    assert batching.with_batches(program, {"n": 400, "m": 300}) is program
    assert batching.with_batches(program, SIZES) is not program


def test_the_predicted_memory_is_that_of_the_batches(
    batched: list[tuple[Program, Program]],
) -> None:
    both, data = problem("recurrent net", 30, "W")
    fun = tcalc.compile(both, memory_limit=1 << 20)
    fun(**data)
    ((before, after),) = batched
    sizes = {"n": 4, "m": 3}

    def peak(program: Program) -> int:
        return sum(map(counter(program, sizes), held_at_peak(program, sizes)))

    assert 0 < peak(after) < 4 * peak(before)


@pytest.mark.parametrize(
    ("users", "due"),
    [
        ({0: {1}, 1: {2}, 2: set()}, set()),
        ({0: {0}, 1: {2}}, {0}),
        ({0: {1}, 1: {2}, 2: {1, 3}, 3: {4}, 4: set()}, {1, 2}),
        ({0: {1, 3}, 1: {2}, 2: {0}, 3: {4}, 4: {5}, 5: {3, 6}}, {0, 1, 2, 3, 4, 5}),
    ],
)
def test_cycles_are_found(users: dict[int, set[int]], due: set[int]) -> None:
    assert alike._tied(users) == due


def test_a_long_chain_of_statements_needs_no_deep_stack() -> None:
    chain = {k: {k + 1} for k in range(20_000)}
    assert alike._tied(chain) == set()
    assert alike._tied({**chain, 20_000: {0}}) == set(range(20_001))


def in_order(program: Program) -> bool:
    made: set[object] = set()
    for statement in program.statements:
        if not made.issuperset(statement.reads):
            return False
        made.update(statement.results)
    return all(output.view.value in made for output in program.outputs)


@pytest.mark.parametrize("name", RECURRENCES)
def test_operands_are_made_before_they_are_read(name: str) -> None:
    f = tcalc.parse(RECURRENCES[name][0].format(T=25))
    wrt = RECURRENCES[name][1].split()[0]
    program = lower([f.node, tcalc.gradient(f, wrt).node], SIZES)
    made = batching.with_batches(program, SIZES)
    assert made is not program
    assert in_order(made)
    assert len(made.statements) < len(program.statements) * 1.1


@pytest.mark.parametrize("seed", range(6))
def test_random_recurrences(seed: int) -> None:
    """Steps of random matrix products, functions and sums, with a sum over all steps."""
    rng = np.random.default_rng(seed)
    T = int(rng.integers(10, 28))
    functions: list[Callable[[str], str]] = [
        lambda x: f"tanh({x})",
        lambda x: f"sin({x})",
        lambda x: f"A*{x}",
        lambda x: f"A'*{x}",
        lambda x: f"({x} .* b)",
        lambda x: f"({x} + X[t,:])",
    ]
    term, other = "s{t-1}", "s{t}"
    for k in rng.integers(len(functions), size=3):
        term = functions[k](f"({term})")
    for k in rng.integers(len(functions), size=3):
        other = functions[k](f"({other})")
    text = "\n".join(
        [
            f"tensor A[n,n], b[n], X[{T},n]",
            "s{0} = b",
            "f{0} = 0",
            f"for t = 1:{T}",
            f"    s{{t}} = sin({term}) + b/2",
            f"    f{{t}} = f{{t-1}} + b'*({other}) + norm2({other} - b)^2",
            "end",
            f"f{{{T}}}",
        ]
    )
    f = tcalc.parse(text)
    data = values(f, seed)
    for wrt in ("A", "b", "X"):
        both = [f, tcalc.gradient(f, wrt)]
        found, due = tcalc.compile(both)(**data), tcalc.evaluate(both, **data)
        for x, y in zip(found, due, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-9 * np.abs(y).max())


@pytest.mark.parametrize("n", [1, 2, 4])
def test_products_of_tensors_of_three_axes_are_made_one_by_one(n: int) -> None:
    f = tcalc.parse(
        "s{0} = a; for t = 1:30; s{t} = tanh(s{t-1} + c'*eigvalsh(y[t]*K)); end; s{30}",
        "K[n,n] spd, c[n], y[30], a",
    )
    rng = np.random.default_rng(0)
    data = {"K": np.diag(np.arange(1.0, n + 1)), "c": rng.standard_normal(n) / 5}
    data |= {"y": rng.standard_normal(30), "a": np.array(0.1)}
    both = [f, tcalc.gradient(f, "K")]
    for found, due in zip(tcalc.compile(both)(**data), tcalc.evaluate(both, **data), strict=True):
        np.testing.assert_allclose(found, due, rtol=1e-9, atol=1e-12)
