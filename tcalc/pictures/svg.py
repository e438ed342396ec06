"""A graph as an SVG document: text out, nothing else.

Colours tell the orders of tensors, and each node has its dimensions below its label, so that
nothing is shown by colour alone.  There is no background and no style sheet: the picture stands on
light and dark pages, alone or inside another document.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise

from tcalc.expr.nodes import Apply, Const, Delta, Node, Var
from tcalc.expr.traverse import postorder
from tcalc.pictures.labels import full_label, label
from tcalc.pictures.layers import Drawing, arranged

# Okabe and Ito's colours, which people with any colour vision tell apart; black text is readable
# on all of them.
COLOURS = ("#d9d9d9", "#8ecae6", "#5fc9a6", "#f0b83c", "#f2845c", "#dd9cc4")
NAMES = ("scalar", "vector", "matrix", "order 3", "order 4", "order 5 and more")
LINE = "#767676"
"""The grey of edges and of the legend, which has the same contrast to white and to black."""

CHARACTER = 7.3
HEIGHT = 38.0
MARGIN = 24.0
LEGEND = 30.0


def picture(roots: Sequence[Node], title: str) -> str:
    """The graph below some nodes as an SVG document; these have a heavy border.

    >>> from tcalc.expr import build, shape
    >>> x = build.var("x", shape("n"))
    >>> text = picture([build.einsum([x, x], "i,i->")], "x'x")
    >>> text.startswith("<svg") and text.count("<rect") == 2 + 2
    True
    """
    nodes = postorder(roots)
    number = {node: k for k, node in enumerate(nodes)}
    texts = [(label(node), ",".join(map(str, node.dims))) for node in nodes]
    widths = [max(CHARACTER * max(map(len, pair)) + 16, 40.0) for pair in texts]
    operands = [[number[x] for x in node.operands] for node in nodes]
    drawing = arranged(widths, operands)
    orders = sorted({min(node.order, len(COLOURS) - 1) for node in nodes})
    keys = [(order, NAMES[order]) for order in orders]
    legend_width = sum(34 + CHARACTER * len(name) for _, name in keys)
    width = max(drawing.width, legend_width) + 2 * MARGIN
    height = drawing.height + HEIGHT + 2 * MARGIN + LEGEND
    shift = (width - drawing.width) / 2
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" role="img"',
        f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"',
        'font-family="ui-monospace, Menlo, Consolas, monospace" font-size="12">',
        f"<title>{_safe(title)}</title>",
        f"<desc>{_safe(_described(nodes))}</desc>",
        *_edges(drawing, shift, MARGIN + HEIGHT / 2),
    ]
    marked = set(roots)
    for node, (text, dims), (x, y), size in zip(nodes, texts, drawing.nodes, widths, strict=True):
        centre = (x + shift, y + MARGIN + HEIGHT / 2)
        parts += _node(node, text, dims, centre, size, node in marked)
    parts += _legend(keys, (width - legend_width) / 2, height - LEGEND)
    return "\n".join([*parts, "</svg>", ""])


def _described(nodes: Sequence[Node]) -> str:
    """The graph in words, for those who do not see it."""
    counts = [0] * len(NAMES)
    for node in nodes:
        counts[min(node.order, len(NAMES) - 1)] += 1
    listed = ", ".join(
        f"{count} {_plural(order, count)}" for order, count in enumerate(counts) if count
    )
    return f"An expression graph of {len(nodes)} nodes: {listed}. Operands stand below."


def _plural(order: int, count: int) -> str:
    if order > 2:
        return f"tensor{'s' * (count > 1)} of {NAMES[order]}"
    if count == 1:
        return NAMES[order]
    return "matrices" if order == 2 else NAMES[order] + "s"


def _edges(drawing: Drawing, dx: float, dy: float) -> list[str]:
    lines = []
    for points in drawing.edges.values():
        moved = [(x + dx, y + dy) for x, y in points]
        lines.append(f'<path d="{_curve(moved)}" fill="none" stroke="{LINE}" stroke-width="1.2"/>')
    return lines


def _curve(points: Sequence[tuple[float, float]]) -> str:
    """A smooth line through points, from the top of the lowest node to the bottom of the last."""
    (x, y), *inner, (end_x, end_y) = points
    path = [(x, y - HEIGHT / 2), *inner, (end_x, end_y + HEIGHT / 2)]
    text = f"M{path[0][0]:.1f} {path[0][1]:.1f}"
    for (x0, y0), (x1, y1) in pairwise(path):
        half = (y1 - y0) / 2
        text += f"C{x0:.1f} {y0 + half:.1f} {x1:.1f} {y1 - half:.1f} {x1:.1f} {y1:.1f}"
    return text


def _node(
    node: Node, text: str, dims: str, centre: tuple[float, float], width: float, marked: bool
) -> list[str]:
    x, y = centre
    colour = COLOURS[min(node.order, len(COLOURS) - 1)]
    is_input = isinstance(node, Var | Const | Delta) or (
        isinstance(node, Apply) and not node.operands
    )
    corner = HEIGHT / 2 if is_input else 5.0
    up = 2.0 if dims else 4.0
    lines = [
        "<g>",
        f"<title>{_safe(full_label(node))} [{_safe(dims)}]</title>",
        f'<rect x="{x - width / 2:.1f}" y="{y - HEIGHT / 2:.1f}" rx="{corner:.0f}"',
        f'width="{width:.1f}" height="{HEIGHT:.0f}" fill="{colour}"',
        f'stroke="{LINE if marked else "#222222"}" stroke-width="{3.5 if marked else 0.8}"/>',
        f'<text x="{x:.1f}" y="{y + up:.1f}" text-anchor="middle" fill="#000000">',
        f"{_safe(text)}</text>",
    ]
    if dims:
        lines.append(
            f'<text x="{x:.1f}" y="{y + 14:.1f}" text-anchor="middle" fill="#333333" '
            f'font-size="9">[{_safe(dims)}]</text>'
        )
    return [*lines, "</g>"]


def _legend(keys: Sequence[tuple[int, str]], x: float, y: float) -> list[str]:
    lines = []
    for order, name in keys:
        lines.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="14" height="14" rx="3" '
            f'fill="{COLOURS[order]}" stroke="#222222" stroke-width="0.8"/>'
        )
        lines.append(f'<text x="{x + 20:.1f}" y="{y + 11:.1f}" fill="{LINE}">{_safe(name)}</text>')
        x += 34 + CHARACTER * len(name)
    return lines


def _safe(text: str) -> str:
    """A text that can stand in a document: escaped, without characters that XML does not have."""
    return escape("".join(c if c >= " " and c not in "\ufffe\uffff" else " " for c in text))
