"""The table of the functions and properties of the language, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tcalc.errors import UnknownNameError
from tcalc.expr.properties import PROPERTIES
from tcalc.language.catalogue import BY_NAME, FUNCTIONS
from tcalc.language.habits import function_hint, names_elsewhere
from tcalc.primitives import Function

if TYPE_CHECKING:
    from tcalc.codegen.c.coverage import Coverage

LACKING: Mapping[Coverage, str] = {
    "all": "",
    "value": "value alone",
    "none": "no code",
}
"""How users are told what has no code in C."""


@dataclass(frozen=True, slots=True)
class FunctionEntry:
    """A function of the language.

    Attributes:
        name: its name in programs.
        aliases: other names for it.
        summary: what it is, with its arguments if they are not obvious.
        domain: where it has a value.
        derivative: its derivative, in words or as a formula.
        kinks: its convention where it is not differentiable; empty if there is no such point.
        on_device: how code for CuPy computes it, if that differs from code for NumPy.
        source: the source of its derivative; empty if that is common knowledge.
        elsewhere: its names in other languages, which are not accepted here.
        in_c: "no code" if it has none in C, "value alone" if its derivatives have none.
    """

    name: str
    aliases: tuple[str, ...]
    summary: str
    domain: str
    derivative: str
    kinks: str = ""
    on_device: str = ""
    source: str = ""
    elsewhere: tuple[str, ...] = ()

    @property
    def in_c(self) -> str:
        # To find it takes the code generator, for which no other command shall wait.
        from tcalc.codegen.c.coverage import coverage

        return LACKING[coverage(BY_NAME[self.name])]

    def __str__(self) -> str:
        rows = {
            "name": self.name,
            "aliases": ", ".join(self.aliases),
            "elsewhere": ", ".join(self.elsewhere),
            "summary": self.summary,
            "domain": self.domain,
            "derivative": self.derivative,
            "kinks": self.kinks,
            "on a device": self.on_device,
            "in C": self.in_c,
            "source": self.source,
        }
        filled = {key: value for key, value in rows.items() if value}
        width = max(map(len, filled))
        return "\n".join(f"{key:<{width}}  {value}" for key, value in filled.items())


class UnknownFunctionError(UnknownNameError, KeyError):
    """A name that no function of the language has."""


class Functions(Mapping[str, FunctionEntry]):
    """All functions of the language by name, in the order in which `tcalc functions` lists them.

    An alias finds its function too; an unknown name raises `UnknownFunctionError`.
    """

    def __getitem__(self, name: str) -> FunctionEntry:
        if name not in BY_NAME:
            hint = function_hint(str(name), BY_NAME)
            raise UnknownFunctionError(f"there is no function {name!r}", hint=hint)
        return _entry(BY_NAME[name])

    def __contains__(self, name: object) -> bool:
        return name in BY_NAME

    def __iter__(self) -> Iterator[str]:
        return (function.name for function in FUNCTIONS)

    def __len__(self) -> int:
        return len(FUNCTIONS)

    def __repr__(self) -> str:
        return f"Functions({', '.join(self)})"


def functions() -> Functions:
    """The functions of the language, with domains, derivatives, and conventions at kinks.

    The result is a mapping by name; aliases find their functions too.

    >>> import tcalc
    >>> print(tcalc.functions()["relu"])
    name        relu
    summary     max(x, 0)
    domain      all numbers
    derivative  step(x)
    kinks       0 at x = 0 (max(x, 0) has 1/2 there)
    >>> "sinh" in tcalc.functions(), tcalc.functions()["arcsin"].name
    (True, 'asin')
    """
    return Functions()


def properties() -> tuple[str, ...]:
    """The properties that variables can be declared to have.

    >>> properties()[:3]
    ('symmetric', 'psd', 'spd')
    """
    return PROPERTIES


def _entry(function: Function) -> FunctionEntry:
    return FunctionEntry(
        function.name,
        tuple(function.aliases),
        function.summary,
        function.domain,
        function.derivative,
        function.kink,
        function.on_device,
        function.source,
        names_elsewhere(function.name),
    )
