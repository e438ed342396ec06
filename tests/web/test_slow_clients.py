"""Clients that take their time: their connections are closed, and nobody else's."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager

import pytest
from serving import needed

needed("fastapi", "web")
uvicorn = needed("uvicorn", "web")

from tcalc.web import connections  # noqa: E402 -- it is skipped without them
from tcalc.web.guard import Guard  # noqa: E402
from tcalc.web.settings import Settings  # noqa: E402

HEAD = 0.2
COMPLETE = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def slow_app(scope, receive, send):
    """Answers with the body of the request, after longer than a head may take."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    await asyncio.sleep(3 * HEAD)
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


LARGE = 40 * 2**20
"""More bytes than the system holds for a client that does not read."""


async def large_app(scope, receive, send):
    """Answers with more than a system takes at once."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": bytes(LARGE)})


@asynccontextmanager
async def connected(app=slow_app, state=None, **limits):
    """A connection to a server of an application."""
    config = uvicorn.Config(
        Guard(app, Settings(**limits)), http=connections.Connection, log_config=None
    )
    config.load()
    state = state or uvicorn.server.ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: connections.Connection(config, state, {}), "127.0.0.1", 0
    )
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    yield reader, writer
    writer.close()
    server.close()
    await asyncio.gather(*state.tasks)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(connections, "HEAD", HEAD)
    monkeypatch.setattr(connections, "STALLED", HEAD)


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost:"], ids=["nothing", "half"])
def test_a_head_that_does_not_come_is_not_waited_for(said):
    async def run():
        async with connected() as (reader, writer):
            writer.write(said)
            start = time.monotonic()
            assert await asyncio.wait_for(reader.read(), 5) == b""
            assert time.monotonic() - start >= HEAD / 2

    asyncio.run(run())


def test_an_answer_may_take_longer_than_a_head():
    async def run():
        async with connected() as (reader, writer):
            for _ in range(2):
                writer.write(COMPLETE)
                answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
                assert answer.startswith(b"HTTP/1.1 200")

    asyncio.run(run())


def test_a_body_that_does_not_come_is_answered():
    async def run():
        async with connected(arrival=HEAD) as (reader, writer):
            writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf")
            head, _, body = (await asyncio.wait_for(reader.read(), 5)).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 408")
            assert json.loads(body)["error"]["kind"] == "limit"

    asyncio.run(run())


def test_an_answer_that_is_not_taken_is_not_kept():
    async def run():
        state = uvicorn.server.ServerState()
        async with connected(large_app, state) as (_, writer):
            writer.write(COMPLETE)
            async with asyncio.timeout(5):
                while not state.total_requests:
                    await asyncio.sleep(0.01)
                while state.connections:
                    await asyncio.sleep(0.01)

    asyncio.run(run())


def test_an_answer_that_is_taken_in_time_is_whole():
    async def run():
        async with connected(large_app) as (reader, writer):
            writer.write(COMPLETE)
            received, start = 0, time.monotonic()
            async with asyncio.timeout(20):
                while received < LARGE:
                    received += len(await reader.readexactly(LARGE // 16))
                    await asyncio.sleep(HEAD / 4)
            assert time.monotonic() - start > 2 * HEAD

    asyncio.run(run())
