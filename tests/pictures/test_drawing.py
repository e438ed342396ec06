"""Pictures of expression graphs: what they show, that they are well-formed, and safe to embed."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from click.testing import CliRunner

import tcalc
from tcalc.cli.app import cli
from tcalc.expr.nodes import Node
from tcalc.expr.traverse import postorder
from tcalc.pictures.layers import GAP, arranged

SVG = "{http://www.w3.org/2000/svg}"
DECLARED = "X[b,n], Y[b,n], W1[n,n], W2[n,n], W3[n,n]"


def net(activation: str) -> tcalc.Expression:
    """The net of three layers of the paper's figures 4 and 5, for a batch."""
    text = f"""
    X1 = {activation}(X*W1')
    X2 = {activation}(X1*W2')
    Z = X2*W3'
    -sum(Y.*logsoftmax(Z))
    """
    return tcalc.parse(text, DECLARED)


def of_order_four(root: Node) -> int:
    """The nodes of order four or more on the way to a result, itself and its views left out."""
    result = {root}
    while len(root.operands) == 1:
        (root,) = root.operands
        result.add(root)
    return sum(node.order >= 4 for node in postorder([root]) if node not in result)


@pytest.mark.parametrize(("activation", "reverse"), [("relu", 10), ("tanh", 15)])
def test_reverse_mode_has_tensors_of_order_four_and_cross_country_none(
    activation: str, reverse: int
) -> None:
    f = net(activation)
    assert of_order_four(tcalc.hessian(f, "W1", mode="reverse").node) >= reverse
    assert of_order_four(tcalc.hessian(f, "W1", mode="cross-country").node) == 0


def colours(text: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for group in ET.fromstring(text).iter(f"{SVG}g"):
        colour = group.find(f"{SVG}rect").get("fill")
        counts[str(colour)] = counts.get(str(colour), 0) + 1
    return counts


def test_colours_tell_orders() -> None:
    H = tcalc.hessian(net("relu"), "W1", mode="reverse")
    orders = [node.order for node in postorder([H.node])]
    assert sorted(colours(tcalc.draw(H)).values()) == sorted(map(orders.count, set(orders)))


def test_a_picture_is_an_accessible_document() -> None:
    text = tcalc.draw(tcalc.parse("sum(exp(A*x))"), title="A & B <sum>")
    root = ET.fromstring(text)
    assert root.get("role") == "img"
    assert root.find(f"{SVG}title").text == "A & B <sum>"
    described = root.find(f"{SVG}desc").text
    assert described == (
        "An expression graph of 5 nodes: 1 scalar, 3 vectors, 1 matrix. Operands stand below."
    )
    assert {element.tag for element in root.iter()} <= {
        f"{SVG}{name}" for name in ("svg", "title", "desc", "path", "rect", "text", "g")
    }


def test_labels_cannot_leave_their_place() -> None:
    hostile = tcalc.symbols("x[n]")
    assert isinstance(hostile, tcalc.Expression)
    from tcalc.expr import build

    name = "</text><script>alert(1)</script>\x00\ufffe&"
    evil = hostile.with_node(build.var(name, hostile.node.dims))
    text = tcalc.draw(evil, title=name)
    assert "<script" not in text
    assert ET.fromstring(text) is not None


LABELS = [
    ("sum(x)", "x[n]", "sum"),
    ("x'*x", "x[n]", "i,i→()"),
    ("c*d", "c, d", "product"),
    ("c*x", "c, x[n]", "i,()→i"),
    ("A'", "A[m,n]", "transpose"),
    ("tr(A)", "A[n,n]", "ii→()"),
    ("diag(x)", "x[n]", "i,δij→ij"),
    ("-x", "x[n]", "−"),
    ("x/3", "x[n]", "× 1/3"),
    ("2*x - y", "x[n], y[n]", "+ with 2, −1"),
    ("1 ./ x", "x[n]", "power −1"),
    ("x[2]", "x[n]", "unit vector 2"),
    ("where(x < y, x, y)", "x[n], y[n]", "where &lt;"),
    ("norm2(x)", "x[n]", "norm2"),
    ("Q, R = qr(A); R", "A[m,n]", "qr, result 2"),
    ("norm2(x)^2/m", "x[m]", "size m"),
]


@pytest.mark.parametrize(("text", "declared", "label"), LABELS)
def test_labels(text: str, declared: str, label: str) -> None:
    assert f"\n{label}</text>" in tcalc.draw(tcalc.parse(text, declared))


def test_the_same_graph_gives_the_same_picture() -> None:
    H = tcalc.hessian(net("tanh"), "W1")
    assert tcalc.draw(H) == tcalc.draw(H)


def test_several_expressions_in_one_picture() -> None:
    f = tcalc.parse("sum(exp(x))", "x[n]")
    text = tcalc.draw([f, tcalc.gradient(f, "x")])
    assert text.count('stroke-width="3.5"') == 2
    assert len(list(ET.fromstring(text).iter(f"{SVG}g"))) == 3


def test_bad_input() -> None:
    with pytest.raises(tcalc.TcalcError, match=r"tcalc\.parse makes one"):
        tcalc.draw("x'*x")
    with pytest.raises(tcalc.TcalcError, match="nothing to draw"):
        tcalc.draw([])
    with pytest.raises(tcalc.TcalcError, match="not an object of type int"):
        tcalc.draw([1])
    H = tcalc.hessian(net("tanh"), "W1")
    count = len(postorder([H.node]))
    with pytest.raises(tcalc.TcalcError, match=rf"{count} nodes[\s\S]*--limit {count}"):
        tcalc.draw(H, limit=count - 1)
    assert tcalc.draw(H, limit=count)


def test_layers_keep_their_distances_and_short_edges_do_not_cross() -> None:
    drawing = arranged([40.0, 60.0, 40.0, 30.0, 30.0], [(), (), (), (2,), (0,)])
    for (x, y), (u, v) in pairwise(sorted(drawing.nodes, key=lambda place: (place[1], place[0]))):
        assert y != v or u - x >= 30 + GAP
    (low, high), (left, right) = drawing.edges[2, 3], drawing.edges[0, 4]
    assert (low[0] - left[0]) * (high[0] - right[0]) > 0


def test_a_long_edge_passes_every_layer() -> None:
    drawing = arranged([40.0] * 4, [(), (0,), (1,), (2, 0)])
    assert len(drawing.edges[0, 3]) == 4
    heights = [y for _, y in drawing.edges[0, 3]]
    assert heights == sorted(heights, reverse=True)


def test_on_the_command_line(tmp_path) -> None:
    path = tmp_path / "dag.svg"
    command = ["draw", "sum(log(1 + exp(X*w)))", "--wrt", "w", "--order", "2", "-o", str(path)]
    result = CliRunner().invoke(cli, [*command, "--mode", "reverse"], catch_exceptions=False)
    assert result.exit_code == 0 and "wrote" in result.stderr
    title = ET.parse(path).getroot().find(f"{SVG}title")
    assert title is not None and title.text == "Graph of the Hessian by w, in reverse mode"
    shown = CliRunner().invoke(cli, ["draw", "x'*A*x"], catch_exceptions=False)
    assert shown.stdout.startswith("<svg")
    with pytest.raises(tcalc.TcalcError, match="hard to read"):
        CliRunner().invoke(cli, ["draw", "x'*A*x", "--limit", "2"], catch_exceptions=False)


def test_the_command_writes_no_other_kind_of_picture(tmp_path):
    path = tmp_path / "dag.png"
    outcome = CliRunner().invoke(cli, ["draw", "x'*A*x", "-o", str(path)])
    assert outcome.exit_code == 2
    assert not path.exists()
