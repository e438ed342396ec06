"""Random programs in Einstein notation, each with its value by NumPy alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
from hypothesis import strategies as st
from scipy import special

INPUTS = {
    "s": "",
    "x": "m",
    "y": "n",
    "z": "k",
    "u": "n",
    "A": "mn",
    "B": "nn",
    "C": "nm",
    "S": "nn",
    "D": "mm",
    "L": "nn",
    "G": "nn",
    "T": "mnk",
    "Q": "nnn",
    "W": "knn",
}
DECLARED = (
    "s, x[m], y[n], z[k], u[n] positive, A[m,n], B[n,n], C[n,m], S[n,n] spd, D[m,m] symmetric, "
    "L[n,n] lower, G[n,n] diagonal, T[m,n,k], Q[n,n,n] symmetric, W[k,n,n] spd"
)
SIZES = ({"m": 2, "n": 3, "k": 2}, {"m": 3, "n": 2, "k": 2}, {"m": 1, "n": 1, "k": 1})

Array = Any
Label = tuple[str, str]
"""The name of an index and the dimension that it runs over."""

ELEMENTWISE: dict[str, Callable[[Array], Array]] = {
    "exp": np.exp,
    "sin": np.sin,
    "tanh": np.tanh,
    "sigmoid": special.expit,
    "softplus": lambda v: np.logaddexp(0, v),
    "atan": np.arctan,
    "square": np.square,
    "abs": np.abs,
    "relu": lambda v: np.maximum(v, 0),
    "normcdf": special.ndtr,
}
REDUCTIONS: dict[str, Callable[..., Array]] = {
    "sum": np.sum,
    "mean": np.mean,
    "max": np.max,
    "prod": np.prod,
    "logsumexp": special.logsumexp,
    "norm2": np.linalg.norm,
}
MATRICES: dict[str, Callable[[dict[str, Array]], Array]] = {
    "inv(S)": lambda v: np.linalg.inv(v["S"]),
    "chol(S)": lambda v: np.linalg.cholesky(v["S"]),
    "inv(L)": lambda v: np.linalg.inv(v["L"]),
    "(S \\ B')": lambda v: np.linalg.solve(v["S"], v["B"].T),
    "(B*C*A)": lambda v: v["B"] @ v["C"] @ v["A"],
    "inv(S + diag(u))": lambda v: np.linalg.inv(v["S"] + np.diag(v["u"])),
    "inv(S .* S' + G .* G)": lambda v: np.linalg.inv(v["S"] ** 2 + v["G"] ** 2),
    "tril(B*L)": lambda v: np.tril(v["B"] @ v["L"]),
}
NUMBERS: dict[str, Callable[[dict[str, Array]], Array]] = {
    "logdet(S)": lambda v: np.linalg.slogdet(v["S"])[1],
    "det(B)": lambda v: np.linalg.det(v["B"]),
    "tr(A*C)": lambda v: np.trace(v["A"] @ v["C"]),
    "norm2(A)^2": lambda v: np.sum(v["A"] ** 2),
    "(x'*A*y)": lambda v: v["x"] @ v["A"] @ v["y"],
    "(y'*inv(S)*y)": lambda v: v["y"] @ np.linalg.solve(v["S"], v["y"]),
}


@dataclass(frozen=True)
class Piece:
    """A formula, its free indices, and its value over their axes, in that order."""

    text: str
    labels: tuple[Label, ...]
    value: Callable[[dict[str, Array]], Array]


@dataclass(frozen=True)
class Program:
    """A program, and its value for given arrays (and sizes, by the names of dimensions)."""

    text: str
    value: Callable[[dict[str, Array]], Array]

    def __repr__(self) -> str:
        return f"Program({self.text!r})"


def data(sizes: dict[str, int], seed: int = 0) -> dict[str, Array]:
    """Arrays for the inputs, as they are declared."""
    generator = np.random.default_rng(seed)
    n = sizes["n"]
    v = {
        name: generator.uniform(-1, 1, [sizes[dim] for dim in dims])
        for name, dims in INPUTS.items()
    }
    v["u"] = np.abs(v["u"]) + 0.3
    v["D"] = v["D"] + v["D"].T
    v["Q"] = v["Q"] + v["Q"].swapaxes(1, 2)
    v["L"] = np.tril(v["L"]) + 2 * np.eye(n)
    v["G"] = v["G"] * np.eye(n)
    for name in "SW":
        v[name] = v[name] @ v[name].swapaxes(-1, -2) + np.eye(n)
    return v


def program(seed: int) -> Program:
    """A scalar or a vector, perhaps by way of a definition that is used more than once."""
    made = _Generator(Random(seed))
    lines: list[str] = []
    if made.random.random() < 0.5:
        piece = made.piece((made.fresh("m"), made.fresh("n")), 2)
        made.defined["h"] = piece
        lines.append(f"h{_brackets(piece.labels)} = {piece.text}")
    free = tuple(made.fresh(dim) for dim in made.choose(["", "", "m", "n"]))
    piece = made.contraction(free, 2)
    lines.append(f"f{_brackets(piece.labels)} = {piece.text}")
    return Program("; ".join(lines), piece.value)


programs = st.integers(0, 2**32 - 1).map(program)


class _Generator:
    def __init__(self, random: Random) -> None:
        self.random = random
        self.count = 0
        self.defined: dict[str, Piece] = {}

    def choose(self, options: Any) -> Any:
        return self.random.choice(list(options))

    def fresh(self, dim: str) -> Label:
        self.count += 1
        return f"{'ijk'['mnk'.index(dim)]}{self.count}", dim

    def piece(self, free: tuple[Label, ...], depth: int) -> Piece:
        """A formula whose free indices are some of these."""
        if depth <= 0:
            return self.tensor(free)
        kinds = ["sum", "product", "function", "contraction", "contraction", "reduction"]
        kinds += ["quotient", "where", "softmax", "matrix", "number", "power"]
        return getattr(self, self.choose(kinds))(free, depth - 1)

    def tensor(self, free: tuple[Label, ...], depth: int = 0) -> Piece:
        shapes = INPUTS | {
            name: "".join(dim for _, dim in piece.labels) for name, piece in self.defined.items()
        }
        known = {dim for _, dim in free}
        fitting = [name for name, dims in shapes.items() if set(dims) <= known]

        def placed() -> tuple[str, list[Label]]:
            name = self.choose(fitting)
            fits = ([label for label in free if label[1] == dim] for dim in shapes[name])
            return name, [self.choose(labels) for labels in fits]

        # The best of three, so that scalars and diagonals are rare.
        name, row = max((placed() for _ in range(3)), key=lambda one: len(set(one[1])))
        labels = tuple(dict.fromkeys(row))
        places = [labels.index(label) for label in row]

        def value(v: dict[str, Array]) -> Array:
            array = self.defined[name].value(v) if name in self.defined else v[name]
            return np.einsum(array, places, list(range(len(labels))))

        return Piece(name + _brackets(row), labels, value)

    def combined(self, pieces: list[Piece], text: str, function: Callable[..., Array]) -> Piece:
        """A function of formulas over all of their indices."""
        labels = tuple(dict.fromkeys(label for piece in pieces for label in piece.labels))

        def value(v: dict[str, Array]) -> Array:
            shape = [v[dim] for _, dim in labels]
            return function(*(np.broadcast_to(_spread(p, labels, v), shape) for p in pieces))

        return Piece(text.format(*(piece.text for piece in pieces)), labels, value)

    def sum(self, free: tuple[Label, ...], depth: int) -> Piece:
        pieces = [self.piece(free, depth), self.piece(free, depth)]
        sign = self.choose("+-")
        return self.combined(
            pieces, f"({{}} {sign} {{}})", lambda a, b: a + b if sign == "+" else a - b
        )

    def product(self, free: tuple[Label, ...], depth: int) -> Piece:
        pieces = [self.piece(free, depth), self.piece(free, depth)]
        return self.combined(pieces, "({}*{})", lambda a, b: a * b)

    def quotient(self, free: tuple[Label, ...], depth: int) -> Piece:
        pieces = [self.piece(free, depth), self.piece(free, depth)]
        return self.combined(pieces, "({}/(1 + {}^2))", lambda a, b: a / (1 + b**2))

    def power(self, free: tuple[Label, ...], depth: int) -> Piece:
        p, number = self.choose([("3", 3), ("(-1)", -1), ("(1/2)", 0.5), ("(-3/2)", -1.5)])
        return self.combined(
            [self.piece(free, depth)], f"((1 + {{}}^2)^{p})", lambda a: (1 + a**2) ** number
        )

    def function(self, free: tuple[Label, ...], depth: int) -> Piece:
        name = self.choose(ELEMENTWISE)
        return self.combined([self.piece(free, depth)], f"{name}({{}})", ELEMENTWISE[name])

    def where(self, free: tuple[Label, ...], depth: int) -> Piece:
        pieces = [self.piece(free, depth - 1) for _ in range(4)]
        return self.combined(
            pieces, "where({} < {}, {}, {})", lambda a, b, c, d: np.where(a < b, c, d)
        )

    def having(self, label: Label, free: tuple[Label, ...], depth: int) -> Piece:
        """A formula with that index among its free ones."""
        piece = self.piece((*free, label), depth)
        while label not in piece.labels:
            piece = self.tensor((*free, label))
        return piece

    def contraction(self, free: tuple[Label, ...], depth: int) -> Piece:
        """A product of two formulas, summed over an index that both have."""
        label = self.fresh(self.choose("mnk"))
        pieces = [self.having(label, free, depth) for _ in range(2)]
        joined = self.combined(pieces, "({}*{})", lambda a, b: a * b)
        return _reduced(joined, joined.text, label, np.sum)

    def reduction(self, free: tuple[Label, ...], depth: int) -> Piece:
        label = self.fresh(self.choose("mnk"))
        piece = self.having(label, free, depth)
        name = self.choose(REDUCTIONS)
        return _reduced(piece, f"{name}[{label[0]}]({piece.text})", label, REDUCTIONS[name])

    def softmax(self, free: tuple[Label, ...], depth: int) -> Piece:
        piece = self.piece(free, depth)
        if not piece.labels:
            return piece
        k = self.choose(range(len(piece.labels)))
        text = f"softmax[{piece.labels[k][0]}]({piece.text})"
        return Piece(text, piece.labels, lambda v: special.softmax(piece.value(v), axis=k))

    def matrix(self, free: tuple[Label, ...], depth: int) -> Piece:
        pairs = [(i, j) for i in free for j in free if i != j and i[1] == j[1] == "n"]
        if not pairs:
            return self.tensor(free)
        text, labels = self.choose(MATRICES), self.choose(pairs)
        return Piece(text + _brackets(labels), labels, MATRICES[text])

    def number(self, free: tuple[Label, ...], depth: int) -> Piece:
        text = self.choose(NUMBERS)
        return Piece(text, (), NUMBERS[text])


def _brackets(labels: Any) -> str:
    return f"[{','.join(name for name, _ in labels)}]" if labels else ""


def _spread(piece: Piece, labels: tuple[Label, ...], v: dict[str, Array]) -> Array:
    """The value with one axis for each of the labels, of size one where it has none."""
    order = [piece.labels.index(label) for label in labels if label in piece.labels]
    shape = [v[dim] if (name, dim) in piece.labels else 1 for name, dim in labels]
    return np.transpose(piece.value(v), order).reshape(shape)


def _reduced(piece: Piece, text: str, label: Label, function: Callable[..., Array]) -> Piece:
    axis = piece.labels.index(label)
    labels = tuple(other for other in piece.labels if other != label)
    return Piece(text, labels, lambda v: function(piece.value(v), axis=axis))
