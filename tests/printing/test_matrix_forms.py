"""Results of order two and less in matrix notation, and why some have none."""

from __future__ import annotations

import re

import pytest
from printed_programs import EXAMPLES, Example

import tcalc
from tcalc import gallery
from tcalc.printing import to_text

THIRD_ORDER = {
    "gaussian_mixture": {1, 2},  # one triangular matrix for each component
    "kalman_filter": {2},  # the derivative of a Cholesky factor by a vector, of order three
    "rts_smoother": {2},
}
"""Models, and the orders of derivatives, that go through true tensors of order three."""

LONG = {"kalman_filter", "rts_smoother"}


def notes(text: str) -> list[str]:
    return re.findall(r"(?m)^# no matrix notation: (.*)$", text)


def found_notes(model: gallery.Model, order: int) -> list[str]:
    program = tcalc.parse(model.text)
    found: list[str] = []
    for name in model.wrt:
        result = tcalc.derivative(program, *[name] * order)
        if len(result.shape) <= 2:
            found += notes(result.matrix())
    return found


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(
    "model",
    [
        pytest.param(model, marks=pytest.mark.slow if model.name in LONG else ())
        for model in gallery.models()
    ],
    ids=lambda model: model.name,
)
def test_models_are_written_in_matrix_notation(model: gallery.Model, order: int) -> None:
    found = found_notes(model, order)
    if order in THIRD_ORDER.get(model.name, ()):
        assert set(found) <= {
            "a tensor of order 3",
            "a factor of order 3",
            "a sum over an index of three factors",
        }
    else:
        assert not found


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.text)
def test_examples_are_written_in_matrix_notation(example: Example) -> None:
    for node in example.derivatives():
        text = to_text(node, notation="matrix", order=example.order)
        # What has an input of order three has none.
        assert bool(notes(text)) == (node.order > 2 or "T[" in example.text), text


@pytest.mark.parametrize(
    ("text", "declared", "reason"),
    [
        ("R[i,j,k] = x[i]*x[j]*x[k]", "x[n]", "a tensor of order 3"),
        ("r[i] = T[i,j,k]*x[j]*x[k]", "T[n,n,n], x[n]", "a tensor of order 3"),
        ("r[i] = max[j](A[i,j])", "A[m,n]", "`max` over some of the axes"),
        (
            "s = A[i,p]*B[j,p]*C[k,p]*A[i,j]*B[j,k]*C[k,i]",
            "A[n,n], B[n,n], C[n,n]",
            "a sum over an index of three factors",
        ),
    ],
)
def test_the_reason_is_printed(text: str, declared: str, reason: str) -> None:
    program = tcalc.parse(text, declared)
    printed = program.matrix()
    assert notes(printed) == [reason]
    assert tcalc.parse(printed, declared).shape == program.shape
    assert "#" not in str(program)


def test_differences_of_all_pairs_are_matrices() -> None:
    kernel = tcalc.parse("s = exp(-(X[i,k] - X[j,k])^2/2)*A[i,j]", "X[n,d], A[n,n]")
    assert str(kernel) == ("sum(A.*exp(X*X' - diag(X*X')*ones(n)'/2 - ones(n)*diag(X*X')'/2))")
    distances = tcalc.parse("s = (X[i,k] - X[j,k])^2*A[i,j]", "X[n,d], A[n,n]")
    gradient = "2*(diag((A + A')*ones(n)) - A - A')*X"
    assert str(tcalc.gradient(distances, "X")) == gradient


def test_transposes_around_functions_of_transposes_cancel() -> None:
    net = tcalc.parse("norm2(tanh(X*W)*v - y)^2", "X[m,n], W[n,k], v[k], y[m]")
    assert str(tcalc.gradient(net, "v")) == "2*tanh(X*W)'*(tanh(X*W)*v - y)"
    gradient = "2*X'*diag(tanh(X*W)*v - y)*(1 - tanh(X*W).^2)*diag(v)"
    assert str(tcalc.gradient(net, "W")) == gradient


def test_divisors_have_no_two_primes() -> None:
    divergence = tcalc.parse("R = W*H; sum(V.*log(V./R) - V + R)", "V[m,n], W[m,k], H[k,n]")
    assert str(tcalc.gradient(divergence, "W")) == "(1 - V./(W*H))*H'"
    assert str(tcalc.gradient(divergence, "H")) == "W'*(1 - V./(W*H))"


@pytest.mark.parametrize(
    ("text", "declared"),
    [
        ("norm2(A*concat(x, y) - b)^2", "x[m], y[n], A[k,m+n], b[k]"),
        ("(2*a + concat(x, y))'*concat(x, y)", "x[m], y[n], a[m+n]"),
        ("concat(2*x, y - z, z)", "x[m], y[n], z[n]"),
        ("concat(x[2:end], x[1:1])", "x[n]"),
        ("concat(A, B)*x", "A[m,n], B[k,n], x[n]"),
        ("concat[2](sqrt(c)*X', eye(d))", "X[n,d], c"),
        ("2*stack(x, y)*a", "x[n], y[n], a[n]"),
        ("stack[2](x, y)", "x[n], y[n]"),
        ("stack(0, -w[3], w[2])", "w[3]"),
        ("2*a*stack(w[1], 0, w[2])", "w[2], a"),
        ("stack(x, zeros(n), y)*y", "x[n], y[n]"),
        ("3*eye(3)[:,2]", "w[2]"),
    ],
)
def test_what_is_joined_is_written_so(text: str, declared: str) -> None:
    program = tcalc.parse(text, declared)
    assert str(program) == text
    assert tcalc.parse(str(program), declared).node is program.node


def test_pieces_that_overlap_are_not_joined_with_each_other() -> None:
    program = tcalc.parse("eye(n)[1:2,:]'*x + eye(n)[2:n,:]'*y", "x[2], y[n-1], z[n]")
    assert str(program) == "concat(x, zeros(n - 2)) + concat(zeros(1), y)"
