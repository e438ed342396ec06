"""The README's account of speed is that of the committed table."""

import math

import pytest

from benchmarks import report, summary
from benchmarks.rows import Entry, Row


def row(scale, quantity="hessian", trusted=True, **medians):
    entries = [
        Entry(
            name, name not in ("tcalc", "expert"), median=median, samples=0 if median is None else 3
        )
        for name, median in medians.items()
    ]
    return Row("B", "f", "A function", quantity, {"n": scale}, scale, entries, 0.0, trusted)


def test_the_readme_holds_the_table_that_was_measured():
    text = summary.README.read_text(encoding="utf-8")
    rows = report.read(summary.FOLDER)
    assert rows
    assert summary.embedded(text, summary.summary(rows)) == text


def test_the_largest_size_is_shown_with_losses_in_bold():
    rows = [
        row(10, tcalc=1e-3, expert=2e-3),
        row(20, tcalc=1e-3, expert=0.9e-3, jax=0.2, torch=0.0123),
        row(40, tcalc=1e-3, jax=math.nan),
        row(40, "value", trusted=False, tcalc=2e-6, torch=2e-6),
    ]
    rows[2].entries[1].samples = 0
    rows[3].entries.append(Entry("tcalc, in C", peer=False, median=1e-6, samples=5))
    assert summary.summary(rows).splitlines()[2:] == [
        "| A function, hessian (n=20) | 1 ms | – | **0.90** | 12.3 torch |",
        "| A function, value (n=40) † | 2 µs | 1 µs | – | 2.00 torch |",
    ]


def test_a_table_is_read_as_it_was_saved(tmp_path):
    rows = [row(10, tcalc=1e-3, jax=math.nan)]
    report.save(
        rows,
        {"processor": "P", "threads": 1, "python": "3", "blas": "B", "versions": {}},
        {},
        tmp_path,
    )
    (found,) = report.read(tmp_path)
    assert found.name == rows[0].name
    assert math.isnan(found.entries[1].median)


def test_a_readme_without_the_section_is_told():
    with pytest.raises(ValueError, match="no section"):
        summary.embedded("# tcalc\n", "")
