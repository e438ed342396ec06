"""How the blocks of common programs are written, and what is eliminated."""

from __future__ import annotations

import pytest

import tcalc

BLOCKS = [
    ("A*X*B", "A[k,m], X[m,n], B[n,l]", "X", "(B' ⊗ A)"),
    ("A*X", "A[k,m], X[m,n]", "X", "(I ⊗ A)"),
    ("A*X", "A[k,m], X[m,n]", "A", "(X' ⊗ I)"),
    ("A*x", "A[k,m], x[m]", "x", "A"),
    ("A*x", "A[k,m], x[m]", "A", "(x' ⊗ I)"),
    ("X'*y", "X[m,n], y[m]", "X", "(y' ⊗ I) T"),
    ("x*y'", "x[m], y[n]", "x", "(y ⊗ I)"),
    ("x*y'", "x[m], y[n]", "y", "(I ⊗ x) T"),
    ("inv(X)", "X[m,m]", "X", "-(/X ⊗ X\\)"),
    ("A\\Y", "A[m,m], Y[m,n]", "Y", "(I ⊗ A\\)"),
    ("A\\y", "A[m,m], y[m]", "y", "A\\"),
    ("A'\\y", "A[m,m], y[m]", "y", "A'\\"),
    ("Y/A", "A[n,n], Y[m,n]", "Y", "(/A ⊗ I)"),
    ("X'", "X[m,n]", "X", "T"),
    ("2*X", "X[m,n]", "X", "2"),
    ("-X", "X[m,n]", "X", "-I"),
    ("c*X", "X[m,n], c", "X", "c"),
    ("c*X", "X[m,n], c", "c", "X"),
    ("X.*Y", "X[m,n], Y[m,n]", "X", "diag(Y)"),
    ("exp(x)", "x[n]", "x", "diag(F)"),
    ("sum(X)", "X[m,n]", "X", "sum"),
    ("tr(X)", "X[n,n]", "X", "tr"),
    ("tr(A*X)", "A[n,m], X[m,n]", "X", "⟨A', ·⟩"),
    ("x'*x", "x[n]", "x", "2 ⟨x, ·⟩"),
    ("diag(x)", "x[n]", "x", "Diag"),
    ("diag(X)", "X[n,n]", "X", "Diag'"),
    ("x[2]", "x[n]", "x", "[2]"),
    ("X[i,3]", "X[m,n]", "X", "[:,3]"),
    ("sum(x)*A", "x[n], A[k,m]", "x", "A sum"),
    ("r[i] = X[i,j]", "X[m,n]", "X", "(ones(n)' ⊗ I)"),
    ("X + X'", "X[n,n]", "X", "I + T"),
    ("logdet(K)", "K[n,n] spd", "K", "⟨inv(K), ·⟩ sym"),
    ("lyap(A, Q)", "A[n,n], Q[n,n]", "Q", "∂3 sylvester(A, A', Q)"),
    ("C[b,i] = A[b,i,j]*x[j]", "A[b,i,j], x[j]", "x", "([i,j] <- Σ A[i,j,k]*·[k])"),
]


@pytest.mark.parametrize(("text", "declared", "wrt", "notation"), BLOCKS)
def test_notation(text: str, declared: str, wrt: str, notation: str) -> None:
    (entry,) = tcalc.linearize(tcalc.parse(text, declared), wrt).entries
    assert entry.notation == notation


def test_the_pushforward_of_cholesky_reads_as_in_the_books() -> None:
    lin = tcalc.linearize(tcalc.parse("chol(K)", "K[n,n] spd"))
    assert "(I ⊗ F) diag(tril(ones(n, n)) - eye(n)/2) (/F' ⊗ F\\)" in lin.entries[0].notation


def test_definitions_are_the_vertices() -> None:
    f = tcalc.parse("r = X*w - y; s = exp(r); f = s'*s", "X[m,n], w[n], y[m]")
    assert list(tcalc.linearize(f).vertices) == ["r", "s", "f"]
    assert list(tcalc.linearize(f, steps="functions").vertices) == ["s", "f"]
    # X*w, r, s, f
    assert len(tcalc.linearize(f, steps="operations").vertices) == 4


def test_what_is_used_twice_is_a_vertex() -> None:
    f = tcalc.parse("sum(exp(A*x)).*sum(sin(A*x))", "A[m,n], x[n]")
    lin = tcalc.linearize(f, "x")
    assert sorted(v.text() for v in lin.vertices.values())[0] == "A*x"


def test_several_outputs_share_their_vertices() -> None:
    X, w = tcalc.symbols("X[m,n], w[n]")
    z = tcalc.combine("tanh(X*w)", X=X, w=w)
    lin = tcalc.linearize({"loss": tcalc.combine("z'*z", z=z), "link": z}, "w")
    assert lin.outputs == ("loss", "link")
    assert list(lin.vertices) == ["link", "loss"]
    assert lin.entries[1].notation == "2 ⟨link, ·⟩"


def test_an_output_that_is_an_input() -> None:
    lin = tcalc.linearize(tcalc.parse("x", "x[n]"))
    assert lin.vertices == {} and lin.blocks == {}
    assert lin.reverse(x="u")["x"].text() == "u"


def test_long_factors_get_a_name() -> None:
    f = tcalc.parse(
        "sum(exp(X*w).*tanh(X*w + y).*sigmoid(X*w - y).*log1p(y)./(1 + y.^2).*u)",
        "X[m,n], w[n], y[m] positive, u[m]",
    )
    text = str(tcalc.linearize(f, "u"))
    assert "⟨H1, ·⟩" in text and "\n  H1 = " in text


def test_many_vertices_are_counted_and_not_written() -> None:
    f = tcalc.parse("s{0} = x\nfor t = 1:100\ns{t} = sin(s{t-1})\nend\ns{100}", "x[n]")
    lin = tcalc.linearize(f)
    assert str(lin).startswith("100 vertices and 100 blocks: too many")
    assert "s{57} = sin(s{56})" in lin.text(limit=None)
    assert repr(lin) == "<Linearization: 100 vertices, 100 blocks>"
