"""The short form of the table for the README: ``python -m benchmarks.summary`` writes it there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import report
from benchmarks.rows import Entry, Row
from benchmarks.task import listed

FOLDER = Path(__file__).parent / "results"
README = Path(__file__).parents[1] / "README.md"
MARKS = "<!-- speed: from benchmarks/results -->", "<!-- end of speed -->"
IN_C = ("tcalc, in C", "tcalc, loop kept, in C")
"""The contenders of which the quicker one stands under `in C`."""


def largest(rows: Sequence[Row]) -> list[Row]:
    """Of each problem and quantity the row of the largest size at which a peer or expert ran."""
    found: dict[tuple[str, str, str], Row] = {}
    for row in rows:
        key = row.row, row.problem, row.quantity
        if row.entry("tcalc") is None or not _others(row):
            continue
        if key not in found or row.scale >= found[key].scale:
            found[key] = row
    return list(found.values())


def summary(rows: Sequence[Row]) -> str:
    """A Markdown table with a line for each problem and quantity, losses in bold.

    Others are compared with NumPy's code or with C, whichever is faster.
    """
    return "\n".join(_lines(largest(rows))) + "\n"


def _lines(rows: Sequence[Row]) -> Iterator[str]:
    yield "| | tcalc | in C | by hand | best peer |"
    yield "|---|--:|--:|--:|:--|"
    for row in rows:
        ours = row.entry("tcalc")
        assert ours is not None
        found = [entry for name in IN_C if (entry := row.entry(name)) is not None]
        in_c = min(found, key=_median, default=None)
        quicker = min(ours, in_c or ours, key=_median)
        best = row.best_peer()
        mark = "" if row.trusted else " †"
        cells = [
            f"{row.title}, {row.quantity} ({listed(row.sizes)}){mark}",
            report.duration(ours.median),
            report.duration(in_c.median) if in_c else "–",
            _ratio(row.entry("expert"), quicker),
            _ratio(best, quicker) + (f" {best.contender}" if best else ""),
        ]
        yield "| " + " | ".join(cells) + " |"


def _median(entry: Entry) -> float:
    return entry.median


def _others(row: Row) -> bool:
    return row.entry("expert") is not None or row.best_peer() is not None


def _ratio(other: Entry | None, ours: Entry) -> str:
    if other is None:
        return "–"
    ratio = other.median / ours.median
    digits = 0 if ratio >= 99.5 else 1 if ratio >= 9.95 else 2
    text = f"{ratio:,.{digits}f}"
    return f"**{text}**" if ratio < 0.995 else text


def embedded(text: str, table: str) -> str:
    """The README with the table between the marks."""
    start, end = MARKS
    before, _, rest = text.partition(start)
    _, _, after = rest.partition(end)
    if end not in rest:
        raise ValueError(f"the README has no section between {start} and {end}")
    return f"{before}{start}\n{table}{end}{after}"


def main() -> None:
    text = README.read_text(encoding="utf-8")
    README.write_text(embedded(text, summary(report.read(FOLDER))), encoding="utf-8")


if __name__ == "__main__":
    main()
