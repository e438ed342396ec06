"""A worker process: it reads requests from a socket, one at a time, and writes the responses.

A request is a frame of the length of what follows, the name of the operation and its request as
JSON; a response a frame of the length, the HTTP status, whether the worker ends after it, and the
body.  A worker that ran short of memory, or has grown, ends by itself.
"""

from __future__ import annotations

import os
import resource
import socket
import struct
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from traceback import extract_tb
from typing import Any

from pydantic import BaseModel

import tcalc

from . import operations, schemas
from .failures import failure, of_tcalc

HEADER = struct.Struct("!I")
REPLY = struct.Struct("!IH?")

MOST_REQUESTS = 5_000
GROWN = 400 * 2**10
"""The resident memory, in KiB, beyond which a worker is not used again."""
LONGEST_REPLY = 8 * 2**20
DEEPEST = 6
"""The calls that are logged of an error."""
SPARE_CPU = 10
"""Seconds of CPU time after which the system ends a worker that nobody else has ended."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A function of a worker, and the request that it takes."""

    request: type[BaseModel]
    compute: Callable[[Any], BaseModel]


OPERATIONS = {
    "parse": Operation(schemas.Program, operations.parse),
    "derivative": Operation(schemas.DerivativeRequest, operations.differentiate),
    "code": Operation(schemas.CodeRequest, operations.write_code),
    "check": Operation(schemas.CheckRequest, operations.check),
    "cost": Operation(schemas.CostRequest, operations.cost),
    "draw": Operation(schemas.DrawRequest, operations.draw),
    "explain": Operation(schemas.ExplainRequest, operations.explain),
}


def warm_up(names: Sequence[str]) -> None:
    """Import and run once what ordinary requests need for these operations."""
    warnings.simplefilter("ignore")
    example = {"formula": "norm2(A*x - y)^2 + logdet(A) + sum(exp(x))", "wrt": ["x"], "order": 2}
    for name in names:
        operation = OPERATIONS[name]
        fields = operation.request.model_fields
        operation.compute(
            operation.request.model_validate({k: v for k, v in example.items() if k in fields})
        )


def serve(channel: socket.socket, memory: int) -> None:
    """Answer requests until the other end closes; never returns an error."""
    _limit(memory)
    warm_up(("parse", "derivative"))  # so that it has its own copy of the memory that is written to
    served = 0
    while (frame := _read(channel)) is not None:
        served += 1
        _limit_time()
        name, _, body = frame.partition(b"\n")
        status, reply, last = _answer(name.decode(), body)
        last = last or served >= MOST_REQUESTS or _resident() > GROWN
        channel.sendall(REPLY.pack(len(reply), status, last) + reply)
        if last:
            return


def _answer(name: str, body: bytes) -> tuple[int, bytes, bool]:
    """The status and the body of a response, and whether the worker had better end."""
    try:
        operation = OPERATIONS[name]
        reply = operation.compute(operation.request.model_validate_json(body))
        content = reply.model_dump_json().encode()
        if len(content) <= LONGEST_REPLY:
            return HTTPStatus.OK, content, False
        return (
            HTTPStatus.UNPROCESSABLE_ENTITY,
            failure("limit", f"the result is {len(content) // 10**6} MB of text"),
            True,
        )
    except tcalc.TcalcError as error:
        made = schemas.Failure(error=of_tcalc(error))
        return HTTPStatus.UNPROCESSABLE_ENTITY, made.model_dump_json().encode(), False
    except MemoryError:
        return (
            HTTPStatus.UNPROCESSABLE_ENTITY,
            failure("limit", "the computation needs more memory than there is for it"),
            True,
        )
    except Exception as error:
        print(f"tcalc.web: {name}: {_origin(error)}", file=sys.stderr)
        return (
            HTTPStatus.INTERNAL_SERVER_ERROR,
            failure("internal error", f"{type(error).__name__} in tcalc: please report it"),
            True,
        )


def _origin(error: Exception) -> str:
    """The type of an error and where it arose; its message may quote the text of a user."""
    frames = extract_tb(error.__traceback__)[-DEEPEST:]
    calls = [f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}" for frame in frames]
    return " > ".join([*calls, type(error).__name__])


def _read(channel: socket.socket) -> bytes | None:
    header = _receive(channel, HEADER.size)
    return None if header is None else _receive(channel, HEADER.unpack(header)[0])


def _receive(channel: socket.socket, length: int) -> bytes | None:
    parts: list[bytes] = []
    while length:
        part = channel.recv(min(length, 2**16))
        if not part:
            return None
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def _limit(memory: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_time() -> None:
    used = os.times()
    seconds = int(used.user + used.system) + SPARE_CPU
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, hard))


def _resident() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
