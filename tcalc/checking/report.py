"""What a numerical check found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from textwrap import indent
from typing import Any, Literal, TypeAlias

from tcalc.errors import Span

Method: TypeAlias = Literal["complex step", "dual numbers", "five-point differences"]

Form: TypeAlias = Literal["dense", "factored", "claimed"]
"""How the derivative is given: as an expression, as compiled code applies it, by somebody else."""

Rule: TypeAlias = Literal["pushforward", "pullback", "complex values"]

TOLERANCE: Mapping[Method, float] = {
    "complex step": 1e-12,
    "dual numbers": 1e-10,
    "five-point differences": 1e-8,
}
ROUGH = 1e-8
"""The tolerance of dual numbers where functions on the way took extrapolated differences."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """The error that another method finds, and what it should be at most."""

    method: Method
    error: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the error is within the tolerance."""
        return self.error <= self.tolerance


@dataclass(frozen=True, slots=True)
class Blame:
    """A function whose local Jacobian is wrong.

    `function` is its name, `text` the application as the language writes it, `position` the
    0-based argument that the Jacobian belongs to, `argument` that argument's text.  `rule` is
    ``"pushforward"`` where directions of the argument are mapped wrongly, ``"pullback"`` where
    cotangents are, and ``"complex values"`` where both are right and the function was wrongly said
    to be analytic.  `error` is relative.  `span` is where the program calls the
    function, if it does and the program's text is known.
    """

    function: str
    text: str
    position: int
    argument: str
    rule: Rule
    error: float
    span: Span | None = None

    def __str__(self) -> str:
        where = "" if self.span is None else "\n" + indent(self.span.excerpt(), "  ")
        return self._fault() + where

    def _fault(self) -> str:
        if self.rule == "complex values":
            return (
                f"{self.function} is not analytic in its argument {self.position + 1}, as it was "
                f"said to be, in {self.text}: its complex values belong to another derivative"
            )
        return (
            f"the {self.rule} of {self.function} is wrong in its argument {self.position + 1}, "
            f"{self.argument}: relative error {self.error:.1e}, in {self.text}"
        )


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The outcome of a numerical check.

    `error` is the largest difference over all directions, relative to the largest entry of the
    directional derivative; `passed` says whether it is within `tolerance`.  `second` is the opinion
    of five-point differences, which does not decide: if it differs, the function is steep, or a
    kink is near.  If the check fails, `blame` names the functions whose local Jacobians are wrong.
    `moved` names functions at whose kinks the given data lie, so that the check was made beside
    them; `extrapolated` names functions whose tangents dual numbers took from differences.
    `rounding` is how much rounding alone changes the derivative at these data, if this was
    measured; the tolerance is then larger than it.
    """

    method: Method
    order: int
    directions: int
    error: float
    tolerance: float
    sizes: Mapping[str, int]
    second: Opinion | None = None
    blame: tuple[Blame, ...] = ()
    moved: tuple[str, ...] = ()
    extrapolated: tuple[str, ...] = ()
    form: Form = "dense"
    rounding: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether the derivative is right as far as the method can tell."""
        return self.error <= self.tolerance

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What IPython and notebooks show."""
        printer.text(str(self))

    def __str__(self) -> str:
        verdict = "correct" if self.passed else "WRONG"
        sizes = ", ".join(f"{name}={size}" for name, size in self.sizes.items())
        form = {"dense": "", "factored": " in factored form", "claimed": " as claimed"}[self.form]
        line = (
            f"{verdict}: derivative of order {self.order}{form} against {self.method}, "
            f"{self.directions} random directions, largest relative error {self.error:.1e} "
            f"(tolerance {self.tolerance:.0e})"
        )
        if self.second is not None:
            line += f", against {self.second.method} {self.second.error:.1e}"
        return "\n  ".join([line + (f", sizes {sizes}" if sizes else ""), *self.notes()])

    def notes(self) -> list[str]:
        """Remarks beyond the verdict, in sentences."""
        found = [str(blame) for blame in self.blame]
        if not self.passed and not self.blame and self.form != "claimed":
            found.append(
                "the local Jacobian of every function on the way is right: the fault is in how "
                "they are put together"
            )
        if self.moved:
            found.append(f"the data lie at a kink of {', '.join(self.moved)}: checked beside it")
        if self.extrapolated:
            found.append(f"by extrapolated differences at {', '.join(self.extrapolated)}")
        if self.passed and self.rounding:
            found.append(
                f"rounding alone changes it by {self.rounding:.0e} here: a matrix is nearly "
                "singular, or large numbers cancel"
            )
        elif self.second is not None and self.passed and not self.second.passed:
            found.append("differences are less exact here: the function is steep, or a kink near")
        return found

    def document(self) -> dict[str, Any]:
        """All of it in plain types, for JSON."""
        return {
            **asdict(replace(self, blame=())),
            "blame": [_document(blame) for blame in self.blame],
            "sizes": dict(self.sizes),
            "passed": self.passed,
        }

    def __bool__(self) -> bool:
        return self.passed


def _document(blame: Blame) -> dict[str, Any]:
    """It in plain types, with the place in the text as line, column and length."""
    span = blame.span
    place = None if span is None else {k: getattr(span, k) for k in ("line", "column", "length")}
    return {**asdict(replace(blame, span=None)), "span": place}
