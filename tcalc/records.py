"""Data classes that are quickly made.

The standard decorator compiles up to seven methods for every class, and a process that compiles one
formula needs some two hundred classes: that would be a third of the time from a cold start.  Here
only ``__init__`` is compiled, and the other methods are shared.  What a type checker sees is the
standard decorator.

The rooms that formulas pass through on their way to text and to arrays use this one, from
`tcalc.expr` to `tcalc.runtime`.  The others, most of which are imported where they are first asked
for, have few classes each and keep the standard decorator, as do modules with classes that users
hold.
"""

from __future__ import annotations

import dataclasses
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(*, frozen: bool = False, eq: bool = True, repr: bool = True, **options: Any):
        """As `dataclasses.dataclass`, but that frozen ones are so for type checkers only."""

        def made(cls: type) -> type:
            if cls.__doc__ is None:
                cls.__doc__ = cls.__name__  # otherwise made of the signature, slowly
            cls = dataclasses.dataclass(cls, eq=False, repr=False, **options)
            if repr and "__repr__" not in cls.__dict__:
                cls.__repr__ = _repr
            if eq:
                _compare(cls, hashed=frozen)
            return cls

        return made


def _compare(cls: Any, hashed: bool) -> None:
    """Equality of the fields, and a hash of them where they never change."""
    names = [field.name for field in dataclasses.fields(cls) if field.compare]
    # One name twice gives a tuple as well: the fields are then compared as in any other class.
    values = attrgetter(*(names if len(names) > 1 else 2 * names)) if names else type

    def equal(self: Any, other: Any) -> Any:
        if other.__class__ is self.__class__:
            return values(self) == values(other)
        return NotImplemented

    cls.__eq__ = equal
    cls.__hash__ = (lambda self: hash(values(self))) if hashed else None


def _repr(self: Any) -> str:
    """The class with its fields, as the standard decorator writes it."""
    shown = (field.name for field in dataclasses.fields(self) if field.repr)
    return f"{type(self).__qualname__}({', '.join(f'{x}={getattr(self, x)!r}' for x in shown)})"
