"""Files of data that are not what they are called: told as such, whatever is in them."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

FILES = {
    "digits.json": (b"[1, 1" + b"0" * 400 + b"]", "cannot read digits.json: int too large"),
    "more.json": (b"[" + b"9" * 5000 + b"]", "a number in it has too many digits"),
    "deep.json": (b"[" * 100_000 + b"]" * 100_000, "its lists are nested too deep"),
    "ragged.json": (b"[[1], [2, 3]]", "lists beside each other in it have different lengths"),
    "zero.csv": (b"x\n1\x00\n", "it holds bytes that are no text"),
    "latin.csv": (b"x,\xe9\n1,2\n", "byte 3 is not UTF-8"),
    "wide.json": ("[1]".encode("utf-16"), "byte 1 is not UTF-8"),
}


@pytest.fixture(autouse=True)
def directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_what_is_wrong_is_said(run, name):
    content, message = FILES[name]
    Path(name).write_bytes(content)
    outcome = run("evaluate", "x'*x", "--data", f"x={name}")
    assert outcome.status == 1
    assert message in outcome.err and "internal" not in outcome.err


def test_texts_that_are_numbers_are_texts(run):
    np.save("x.npy", np.array(["1", "2"]))
    outcome = run("evaluate", "x'*x", "--data", "x=x.npy")
    assert outcome.status == 1
    assert "x.npy: x holds texts instead of numbers" in outcome.err


@pytest.mark.parametrize("kind", ["npy", "npz", "compressed.npz"])
def test_any_byte_may_be_wrong(run, kind):
    x = np.arange(8.0)
    path = Path(f"x.{kind}")
    match kind:
        case "npy":
            np.save(path, x)
        case "npz":
            np.savez(path, x=x)
        case _:
            np.savez_compressed(path, x=x)
    whole = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what NumPy says of headers
        for place in range(len(whole)):
            damaged = bytearray(whole)
            damaged[place] ^= 0x28
            path.write_bytes(damaged)
            outcome = run("evaluate", "sum(x)", "--declare", "x[n]", "--data", f"x={path}")
            assert outcome.status == 0 or "argument error: " in outcome.err, place


def test_a_suffix_in_capitals_is_the_same(run):
    Path("X.CSV").write_text("1\n2\n")
    assert run("evaluate", "x'*x", "--data", "x=X.CSV").out == "5.0\n"


def test_a_tilde_is_the_home_of_the_user(run, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    Path("x.csv").write_text("1\n2\n")
    assert run("evaluate", "x'*x", "--data", "x=~/x.csv").out == "5.0\n"
    outcome = run("evaluate", "x'*x", "--data", "x=~nobody_is_called_so/x.csv")
    assert "cannot read ~nobody_is_called_so/x.csv: No such file" in outcome.err
