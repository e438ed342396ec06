"""Requests and responses of the API, as its users see them at ``/openapi.json``."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from tcalc.typing import Mode

LONGEST_FORMULA = 20_000
LONGEST_DECLARATIONS = 5_000
MOST_RESULTS = 24
"""Derivatives by all choices of several variables soon become very many."""

Name: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=200, description="The name of a variable.")
]
Notation: TypeAlias = Literal["text", "einstein", "latex", "mathml", "einstein_mathml"]
Kind: TypeAlias = Literal["gradient", "Jacobian", "Hessian", "derivative"]
Size: TypeAlias = Annotated[int, Field(ge=1, le=10**9)]


class Closed(BaseModel):
    """A model that knows all its fields."""

    model_config = ConfigDict(extra="forbid")


# Requests ------------------------------------------------------------------------------------


class Program(Closed):
    """A program of the language, and declarations to add to it."""

    formula: str = Field(
        max_length=LONGEST_FORMULA,
        description="The program: a formula, preceded by any declarations and definitions.",
        examples=["norm2(X*w - y)^2 / 2 + c*norm2(w)^2"],
    )
    declarations: str = Field(
        default="",
        max_length=LONGEST_DECLARATIONS,
        description="Dimensions and properties of variables; undeclared names are guessed.",
        examples=["X[m,n], w[n], y[m]"],
    )


class Differentiation(Program):
    """A program, and the variables to differentiate it by."""

    wrt: list[Name] = Field(
        min_length=1, max_length=MOST_RESULTS, description="The variables.", examples=[["w"]]
    )
    order: int = Field(
        default=1,
        ge=1,
        le=3,
        description="1 for gradients and Jacobians, 2 for Hessians, 3 for third derivatives. "
        "Several variables give the derivatives by every combination of them.",
    )
    mixed: bool = Field(
        default=False, description="Leave out derivatives by the same variable more than once."
    )


class ModedRequest(Differentiation):
    """The same, and the mode of differentiation."""

    mode: Mode = Field(
        default="cross-country",
        description="The order in which local Jacobians are multiplied; the tensor is the same.",
    )


class DerivativeRequest(ModedRequest):
    """Which derivatives, and in which notations."""

    notations: list[Notation] = Field(default=["text", "einstein", "latex", "mathml"], max_length=5)
    cse: bool | None = Field(
        default=None,
        description="Name common subexpressions, or never; by default, if that shortens it.",
    )


class CodeRequest(ModedRequest):
    """Which derivatives, and for which array library."""

    backend: Literal["numpy", "cupy"] = Field(default="numpy")
    sizes: dict[Name, Size] = Field(
        default={}, max_length=50, description="Sizes to tune the code for.", examples=[{"m": 2000}]
    )


class CostRequest(Differentiation):
    """Which derivatives, and at which sizes."""

    sizes: dict[Name, Size] = Field(
        default={}, max_length=50, description="Sizes of dimensions; 100 if left out, or 10."
    )
    start: int = Field(
        default=0, ge=0, description="Where to begin: the `next` of an incomplete response."
    )


class CheckRequest(ModedRequest):
    """Which derivatives to check on random data."""

    seed: int = Field(default=0, ge=0, le=2**31)
    claim: str | None = Field(
        default=None,
        max_length=LONGEST_FORMULA,
        description="A formula in the variables of the program, to check instead of tcalc's own "
        "derivative; the request must be for one derivative.",
        examples=["2*X'*(X*w - y)"],
    )


class ExplainRequest(Program):
    """Which gradient to derive step by step."""

    wrt: Name = Field(examples=["w"])


class DrawRequest(ModedRequest):
    """Which derivatives to draw, in one picture."""


# Responses -----------------------------------------------------------------------------------


class Error(BaseModel):
    """What is wrong, where in the text, and how to correct it."""

    kind: str = Field(
        description="A stable name: syntax error, name error, dimension error, index error, "
        "orientation error, unsupported, domain error, argument error, limit, busy, "
        "request error, not found, internal error."
    )
    message: str
    hint: str | None = None
    source: Literal["formula", "declarations"] | None = Field(
        default=None, description="The text that line and column refer to."
    )
    line: int | None = Field(default=None, description="From 1; null if there is no place.")
    column: int | None = Field(default=None, description="From 1, in Unicode characters.")
    end: int | None = Field(default=None, description="The column after the last one concerned.")


class Failure(BaseModel):
    """The body of every response that is not a success."""

    error: Error


class Variable(BaseModel):
    """An input of the program, as declared or as guessed."""

    name: str
    dims: list[str] = Field(description="One for each axis: a name, a number, or a polynomial.")
    properties: list[str]
    guessed: bool = Field(description="Whether it is undeclared.")


class Parsed(BaseModel):
    """The parsed program, or the error that it has."""

    error: Error | None = None
    dims: list[str] = Field(default=[], description="The axes of its value.")
    variables: list[Variable] = Field(
        default=[], description="For a program with an error, what is known of its variables."
    )
    text: str = Field(default="", description="The formula, in matrix notation if possible.")
    latex: str = ""
    mathml: str = Field(default="", description="The formula as a MathML element.")


class Result(BaseModel):
    """One derivative; notations that were not requested, or do not exist for it, are null."""

    wrt: list[str]
    kind: Kind
    dims: list[str] = Field(description="The axes of the function, then those of the variables.")
    text: str | None = Field(default=None, description="In matrix notation if possible.")
    einstein_mathml: str | None = None
    einstein: str | None = None
    latex: str | None = None
    mathml: str | None = None
    operator: str | None = Field(
        default=None,
        description="A derivative by a matrix as an operator, such as 2 (V'*V ⊗ I).",
    )


class Derivatives(BaseModel):
    """The derivatives that were requested."""

    results: list[Result]


class Code(BaseModel):
    """A module that computes value and derivatives, and does not need tcalc."""

    source: str
    filename: str
    returns: list[str] = Field(description="What it returns, in order: value, gradient by w.")


class Cost(BaseModel):
    """What a derivative costs in one mode and one form."""

    mode: str
    form: Literal["dense", "factored"]
    nodes: int = Field(description="Nodes of the graph.")
    order: int = Field(description="The highest order of an intermediate tensor.")
    flops: str = Field(description="The leading terms of the operations, in the dimensions.")
    memory: str = Field(description="The same for the most numbers held at one time.")
    operations: int = Field(description="Multiplications and additions at the given sizes.")
    bytes: int = Field(description="The most bytes held at one time, in float64.")


class CostTable(BaseModel):
    """What one derivative costs, in all modes and forms."""

    wrt: list[str]
    kind: Kind
    costs: list[Cost] = Field(description="The rows in this response.")


class Costs(BaseModel):
    """Operations and memory of the derivatives.

    If counting takes long, the rows come in several responses, each with all tables and some of
    their rows: table by table, and within a table mode by mode.
    """

    sizes: dict[str, int] = Field(description="The sizes that the costs refer to.")
    modes: list[str]
    tables: list[CostTable]
    next: int | None = Field(
        default=None,
        description="The `start` of the next request; null if this is the last response.",
    )


class Check(BaseModel):
    """The outcome of a numerical check of one derivative."""

    wrt: list[str]
    passed: bool | None = Field(description="Null if it could not be checked.")
    error: float | None = Field(
        default=None, description="The largest difference, relative to the largest entry."
    )
    tolerance: float | None = None
    method: str | None = None
    directions: int | None = None
    sizes: dict[str, int] = {}
    reason: str | None = Field(default=None, description="Why it could not be checked.")


class Checks(BaseModel):
    """The outcomes, in the order of the derivatives."""

    checks: list[Check]


class Step(BaseModel):
    """A line of a derivation."""

    name: str
    formula: str
    mathml: str = Field(description="The whole line, name and formula.")
    reason: str


class Explanation(BaseModel):
    """The steps of a function, the derivatives by these steps in reverse order, the result."""

    values: list[Step]
    cotangents: list[Step]
    result: Step = Field(description="A long result is a program that names its repeated parts.")


class Picture(BaseModel):
    """The graph of the derivatives, coloured by the orders of the tensors."""

    svg: str = Field(description="An SVG document.")


class Example(BaseModel):
    """A model program."""

    name: str
    title: str
    about: str
    source: str
    group: Literal["MatrixCalculus.org", "Models"]
    formula: str
    declarations: str
    wrt: list[str] = Field(description="Variables to differentiate by, the usual one first.")


class Examples(BaseModel):
    """The model programs."""

    examples: list[Example]


class Function(BaseModel):
    """A function of the language; texts that do not apply are empty."""

    name: str
    aliases: list[str]
    elsewhere: list[str] = Field(description="Its names elsewhere, not accepted here.")
    summary: str
    domain: str
    derivative: str
    kinks: str = Field(description="The convention where it is not differentiable.")
    source: str = Field(description="The source of its derivative.")


class Language(BaseModel):
    """The functions and properties of the language."""

    functions: list[Function]
    properties: list[str] = Field(description="The properties that a variable can have.")
