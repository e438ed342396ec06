"""Routines run as generated code runs them: from their source, in a module of their own."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import scipy.linalg
import scipy.special

from tcalc.expr.nodes import Apply
from tcalc.primitives.routines import Embedded, Template, routine_of


def run(node: Apply, args: list[Any], sizes: dict[str, int], dtype: Any = float) -> Any:
    """The value of a node by its routine, as generated code would compute it."""
    routine = routine_of(node)
    namespace = {"np": np, "linalg": scipy.linalg, "special": scipy.special, "Array": Any}
    names = [f"a{k}" for k in range(len(args))]
    with np.errstate(all="ignore"):
        if isinstance(routine, Template):
            text = routine.text.format(*names)
            return eval(text, namespace | dict(zip(names, args, strict=True)))
        assert isinstance(routine, Embedded)
        for function in (routine.function, *routine.requires):
            source = "from __future__ import annotations\n" + inspect.getsource(function)
            exec(source, namespace)
        extra = [dim.evaluate(sizes) for dim in routine.sizes]
        keywords: dict[str, Any] = {"where": "it"} if routine.named else {}
        keywords |= {"dtype": dtype} if routine.typed else {}
        function = namespace[routine.function.__name__]
        return function(*args, *extra, *routine.parameters, **keywords)
