"""The web application: the page, its API, and the description of the API.

It computes nothing itself: each request is checked against its schema, handed to a worker process
as it came, and the worker's answer is handed back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from . import assets, catalogue, schemas
from .failures import failure
from .guard import HEADERS, Guard
from .pool import Busy, Gone, Pool
from .settings import Settings

JSON = "application/json"
CLIENT_GONE = 499
"""The status, by custom, of a response that nobody will read."""

FAILURES: dict[int | str, dict[str, Any]] = {
    400: {"model": schemas.Failure, "description": "The body is not JSON."},
    408: {"model": schemas.Failure, "description": "The body takes too long to arrive."},
    413: {"model": schemas.Failure, "description": "The body is too large."},
    422: {"model": schemas.Failure, "description": "The program, or the request, is wrong."},
    503: {"model": schemas.Failure, "description": "Too many requests; try again soon."},
}


@dataclass(frozen=True, slots=True)
class Operation:
    """What a worker does under a name, and what the description of the API tells of it."""

    name: str
    request: type[schemas.Program]
    answer: type[BaseModel]
    summary: str
    description: str


OPERATIONS = (
    Operation(
        "parse",
        schemas.Program,
        schemas.Parsed,
        "Parse a program: its variables, its axes, its errors",
        "An error in the program is reported in the response, which still has status 200.",
    ),
    Operation(
        "derivative",
        schemas.DerivativeRequest,
        schemas.Derivatives,
        "Differentiate a program",
        "The derivative of F[s] by X[t] has the axes [s,t].",
    ),
    Operation(
        "code",
        schemas.CodeRequest,
        schemas.Code,
        "Write a module for value and derivatives",
        "The module is self-contained: it needs NumPy and SciPy, or CuPy, but not tcalc.",
    ),
    Operation(
        "check",
        schemas.CheckRequest,
        schemas.Checks,
        "Check derivatives numerically, on random data",
        "Each is compared with the numerical directional derivative of the one below it.",
    ),
    Operation(
        "cost",
        schemas.CostRequest,
        schemas.Costs,
        "Count operations and memory of derivatives",
        "For all modes, dense and factored, as formulas in the sizes and as numbers.",
    ),
    Operation(
        "draw",
        schemas.DrawRequest,
        schemas.Picture,
        "Draw the graph of derivatives",
        "As derived in the given mode, coloured by the orders of the tensors.",
    ),
    Operation(
        "explain",
        schemas.ExplainRequest,
        schemas.Explanation,
        "Derive a gradient step by step",
        "The steps of the function, then the derivatives by these steps, from the last one back.",
    ),
)


@dataclass(frozen=True, slots=True)
class Listing:
    """A list that is the same for all, and what the description of the API tells of it."""

    name: str
    make: Callable[[], BaseModel]
    answer: type[BaseModel]
    summary: str
    description: str


LISTINGS = (
    Listing(
        "examples",
        catalogue.examples,
        schemas.Examples,
        "List the model programs",
        "The formulas documented by MatrixCalculus.org, and models.",
    ),
    Listing(
        "language",
        catalogue.language,
        schemas.Language,
        "List the functions and properties of the language",
        "The functions with their derivatives, and the properties that variables can have.",
    ),
)


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application, with the given limits; its workers live as long as its lifespan."""
    settings = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        pool = Pool(settings)
        await pool.start()
        app.state.pool = pool
        try:
            yield
        finally:
            pool.close()

    app = FastAPI(
        title="tcalc",
        version="1",
        summary="Derivatives of tensor expressions, as formulas and as code.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.add_middleware(Guard, settings=settings)
    _add_errors(app)
    _add_api(app)
    _add_catalogue(app)
    _add_page(app)
    return app


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            at = f"{first['ctx']['error']}, at character {first['loc'][1] + 1}"
            return _error(400, "request error", f"the body is not JSON: {at}")
        place = ".".join(str(part) for part in first["loc"][1:])
        unit = {"string_too_long": "characters", "too_long": "items"}.get(first["type"])
        if unit is not None:
            longest = f"the limit is {first['ctx']['max_length']:,} {unit}"
            return _error(422, "limit", f"the field {place} is too long: {longest}", "shorten it")
        if not place and isinstance(error.body, bytes):  # which FastAPI takes for JSON by its type
            hint = "send it with the header Content-Type: application/json"
            return _error(422, "request error", "the body is not declared to be JSON", hint)
        message = f"{place}: {first['msg']}" if place else first["msg"]
        return _error(422, "request error", message, "/openapi.json describes the requests")

    @app.exception_handler(HTTPException)
    async def failed(request: Request, error: HTTPException) -> Response:
        kind = "not found" if error.status_code == 404 else "request error"
        response = _error(error.status_code, kind, str(error.detail))
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> Response:
        response = _error(500, "internal error", "the server is at fault: please report it")
        response.headers.update(HEADERS)  # it is sent past the guard
        return response

    @app.exception_handler(Busy)
    async def busy(request: Request, error: Busy) -> Response:
        response = _error(503, "busy", "there are too many requests", "try again in a second")
        response.headers["Retry-After"] = "1"
        return response

    @app.exception_handler(Gone)
    async def gone(request: Request, error: Gone) -> Response:
        return Response(status_code=CLIENT_GONE)


def _error(status: int, kind: str, message: str, hint: str | None = None) -> Response:
    return Response(failure(kind, message, hint), status, media_type=JSON)


def _add_api(app: FastAPI) -> None:
    """One route for each operation of a worker."""
    for operation in OPERATIONS:
        app.post(
            f"/api/{operation.name}",
            operation_id=operation.name,
            summary=operation.summary,
            description=operation.description,
            response_model=operation.answer,
            responses=FAILURES,
        )(_route(operation))


def _route(operation: Operation) -> Callable[..., Awaitable[Response]]:
    """What answers requests for an operation; FastAPI reads the type of the body off it."""

    async def compute(body: schemas.Program, request: Request) -> Response:
        pool: Pool = request.app.state.pool
        content = body.model_dump_json().encode()
        reply = await pool.run(operation.name, content, _disconnected(request))
        return Response(reply.body, reply.status, media_type=JSON)

    compute.__annotations__["body"] = operation.request
    return compute


def _add_catalogue(app: FastAPI) -> None:
    """One route for each list of what there is to choose from."""
    for listing in LISTINGS:
        serve = _list(listing)
        app.get(
            f"/api/{listing.name}",
            operation_id=listing.name,
            summary=listing.summary,
            description=listing.description,
            response_model=listing.answer,
        )(serve)
        app.head(f"/api/{listing.name}", include_in_schema=False)(serve)


def _list(listing: Listing) -> Callable[..., Awaitable[Response]]:
    """What answers requests for a list, which is made for the first of them."""

    @cache
    def made() -> assets.Asset:
        return assets.Asset.of(f"{listing.name}.json", listing.make().model_dump_json().encode())

    async def serve(request: Request) -> Response:
        return made().respond(request)

    return serve


def _add_page(app: FastAPI) -> None:
    """The files of the page, each under its path."""
    for path, asset in assets.load().items():

        async def serve(request: Request, asset: assets.Asset = asset) -> Response:
            return asset.respond(request)

        app.add_route(path, serve, methods=["GET"])


async def _disconnected(request: Request) -> None:
    """Return when the client is gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
