"""What is shown: a line per row while it runs, the table, the JSON file, and the plot."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.rows import Entry, Row


def line(row: Row) -> str:
    """One row in one line: tcalc's time, and its ratios to the expert and the best peer."""
    ours, expert, best = row.entry("tcalc"), row.entry("expert"), row.best_peer()
    if ours is None:
        reasons = [e.absent for e in row.entries if e.contender == "tcalc"]
        return f"{row.name:48s} no result: {'; '.join(reasons)}"
    parts = [f"{row.name:48s} {duration(ours.median):>9s}"]
    parts.append(f"expert ×{ratio(expert, ours)}" if expert else "expert      ")
    parts.append(f"best peer ×{ratio(best, ours)} {best.contender}" if best else "no peer")
    parts += [
        f"{other.contender} ×{ratio(other, ours)}"
        for other in row.entries
        if other.samples and not other.peer and other.contender not in ("tcalc", "expert")
    ]
    if not row.trusted:
        parts.append(f"[not trusted: {row.busy:.2f} cores busy]")
    return "  ".join(parts)


def ratio(other: Entry, ours: Entry) -> str:
    """How many times longer the other takes."""
    return f"{other.median / ours.median:<7.3g}"


def duration(seconds: float) -> str:
    """A time for people.

    >>> duration(0.00123)
    '1.23 ms'
    """
    if math.isnan(seconds):
        return "–"
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def size(count: float) -> str:
    """A number of bytes for people."""
    if math.isnan(count):
        return "–"
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.3g} {unit}"
    return f"{count:.0f} B"


def markdown(rows: Sequence[Row], machine: dict[str, Any], ceilings: dict[str, float]) -> str:
    """The whole table, losses included."""
    text = ["# Measured side by side", ""]
    text.append(
        f"{machine['processor']}, {machine['threads']} thread(s), Python {machine['python']}, "
        f"{machine['blas']}; "
        + ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
        + "."
    )
    text.append("")
    text.append("Ceilings: " + "; ".join(f"{k}: {v:.3g}" for k, v in ceilings.items()) + ".")
    text += [
        "",
        (
            "Medians of interleaved calls, after the results agreed to 1e-8. *First call* includes "
            "tracing, deriving and compiling; PyTensor keeps compiled code on disk, where an "
            "earlier run may have left it. *To tcalc* is a time relative to tcalc's: above 1, "
            "tcalc is ahead. Rows marked † were measured while other processes were busy."
        ),
        "",
    ]
    for letter in sorted({row.row for row in rows}):
        text += _section(letter, [row for row in rows if row.row == letter])
    return "\n".join(text)


def _section(letter: str, rows: Sequence[Row]) -> list[str]:
    """The rows of one letter, each contender on a line of its own, the quickest first."""
    text = [f"## {letter}. {', '.join(dict.fromkeys(row.title for row in rows))}"]
    text += ["", "| | median | minimum | to tcalc | first call | memory | |"]
    text.append("|---|--:|--:|--:|--:|--:|---|")
    for row in rows:
        mark = "" if row.trusted else " †"
        text.append(f"| **{row.name[3:]}**{mark} | | | | | | |")
        for entry in sorted(row.entries, key=lambda e: (not e.samples, e.median)):
            text.append("| " + " | ".join(_cells(entry, row.entry("tcalc"))) + " |")
    return [*text, ""]


def _cells(entry: Entry, ours: Entry | None) -> list[str]:
    """What is told of a contender; of one that took no part, the reason."""
    absent = entry.absent.replace("|", "/")
    if not entry.samples:
        return [entry.contender, "", "", "", "", "", absent]
    return [
        entry.contender,
        duration(entry.median),
        duration(entry.minimum),
        f"{entry.median / ours.median:.3g}" if ours else "",
        duration(entry.compile),
        size(entry.peak),
        absent,
    ]


def save(
    rows: Sequence[Row], machine: dict[str, Any], ceilings: dict[str, float], folder: Path
) -> None:
    """Write ``table.json`` and ``table.md``."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {"machine": machine, "ceilings": ceilings, "rows": [row.as_json() for row in rows]}
    (folder / "table.json").write_text(json.dumps(clean(content), indent=1) + "\n")
    (folder / "table.md").write_text(markdown(rows, machine, ceilings) + "\n")


def earlier(machine: dict[str, Any], folder: Path) -> list[Row]:
    """The rows that an earlier run on this machine, with these versions, left in the folder."""
    try:
        content = json.loads((folder / "table.json").read_text())
    except FileNotFoundError:
        return []
    return read(folder) if content["machine"] == clean(machine) else []


def read(folder: Path) -> list[Row]:
    """The rows of a saved table."""
    content = json.loads((folder / "table.json").read_text())
    rows = []
    for found in content["rows"]:
        entries = [Entry(**{k: _number(v) for k, v in e.items()}) for e in found.pop("entries")]
        rows.append(Row(**{k: _number(v) for k, v in found.items()}, entries=entries))
    return rows


def _number(value: Any) -> Any:
    return math.nan if value is None else value


def updated(rows: Sequence[Row], new: Sequence[Row]) -> list[Row]:
    """The rows in the order of the table, those measured anew in place of the old."""
    found = {row.name: row for row in rows} | {row.name: row for row in new}
    return sorted(found.values(), key=lambda row: row.row)


def clean(value: Any) -> Any:
    """NaN is not JSON."""
    if isinstance(value, dict):
        return {key: clean(x) for key, x in value.items()}
    if isinstance(value, list):
        return [clean(x) for x in value]
    if isinstance(value, float):
        return None if math.isnan(value) else float(f"{value:.4g}")
    return value


def several_sizes(rows: Sequence[Row]) -> dict[tuple[str, str, str], list[Row]]:
    """The rows of each problem and quantity that was measured at two sizes or more."""
    found: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row.row, row.problem, row.quantity), []).append(row)
    return {key: some for key, some in found.items() if len({row.scale for row in some}) > 1}


def draw(rows: Sequence[Row], folder: Path) -> None:
    """Time against size, log-log, a panel for each problem and quantity that has two sizes."""
    try:
        import matplotlib as mpl
    except ImportError:
        print("no plot: matplotlib is not installed")
        return
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "tcalc"
    from matplotlib import pyplot

    panels = several_sizes(rows)
    if not panels:
        return
    columns = 4
    lines = math.ceil(len(panels) / columns)
    figure, axes = pyplot.subplots(lines, columns, figsize=(4 * columns, 3 * lines), squeeze=False)
    names = list(dict.fromkeys(e.contender for row in rows for e in row.entries if e.samples))
    colours = {name: f"C{k % 10}" for k, name in enumerate(n for n in names if n != "tcalc")}
    for axis, (key, some) in zip(axes.flat, panels.items(), strict=False):
        for name in names:
            points = sorted((r.scale, e.median) for r in some if (e := r.entry(name)))
            if points:
                style = {"color": "black", "lw": 2} if name == "tcalc" else {"color": colours[name]}
                axis.loglog(*zip(*points, strict=True), marker="o", ms=3, label=name, **style)
        axis.set_title(" ".join(key), fontsize=9)
        axis.tick_params(labelsize=7)
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    handles = {
        label: handle
        for axis in axes.flat
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=5, fontsize=8)
    figure.supylabel("seconds")
    figure.tight_layout(rect=(0.01, 0.06, 1, 1))
    figure.savefig(folder / "plot.svg", metadata={"Date": None})
