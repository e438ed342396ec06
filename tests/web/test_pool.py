"""The worker processes: their limits, and that nobody suffers from others."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from serving import needed

needed("fastapi", "web")
needed("uvicorn", "web")

from tcalc.web import schemas, worker  # noqa: E402 -- it is skipped without them
from tcalc.web.app import create_app  # noqa: E402
from tcalc.web.pool import Busy, Gone, Pool  # noqa: E402
from tcalc.web.settings import Settings  # noqa: E402

ENDLESS = json.dumps(
    {"formula": "*".join(["exp(sin(x'*x))*logdet(A)"] * 400), "wrt": ["A"], "order": 3}
).encode()
QUICK = json.dumps({"formula": "x'*x"}).encode()
HUGE = json.dumps(
    {"formula": "norm2(X)^2", "declarations": "X[20000,20000]", "wrt": ["X"]}
).encode()


async def never() -> None:
    """A client that waits for its answer."""
    await asyncio.Event().wait()


@asynccontextmanager
async def pool(**limits: float):
    made = Pool(Settings(**{"workers": 1, "time": 1.2, **limits}))
    await made.start()
    try:
        yield made
    finally:
        made.close()


def within(seconds: float, what: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(what(), seconds))


def kind(reply) -> str:
    return json.loads(reply.body)["error"]["kind"]


def test_a_long_request_delays_no_short_one():
    async def both():
        async with pool() as workers:
            long = asyncio.create_task(workers.run("derivative", ENDLESS, never()))
            await asyncio.sleep(0.3)
            start = time.monotonic()
            assert (await workers.run("parse", QUICK, never())).status == 200
            assert time.monotonic() - start < 1
            assert not long.done()
            reply = await long
            assert reply.status == 422
            assert kind(reply) == "limit"
            assert time.monotonic() - start < 4

    within(20, both)


def test_memory_is_limited():
    async def run():
        async with pool(time=10.0) as workers:
            reply = await workers.run("check", HUGE, never())
            assert reply.status == 422
            assert kind(reply) == "limit"
            assert b"memory" in reply.body
            assert (await workers.run("parse", QUICK, never())).status == 200

    within(30, run)


def test_a_client_that_leaves_frees_its_worker():
    async def run():
        async with pool(time=60.0, slow=1) as workers:
            for _ in range(3):
                with pytest.raises(Gone):
                    await workers.run("derivative", ENDLESS, asyncio.sleep(0.4))
            assert (await workers.run("parse", QUICK, never())).status == 200

    within(20, run)


def test_more_than_the_queue_holds_is_refused():
    async def run():
        async with pool(slow=1, queue=2) as workers:
            asked = [workers.run("derivative", ENDLESS, never()) for _ in range(8)]
            answers = await asyncio.gather(*asked, return_exceptions=True)
            refused = [answer for answer in answers if isinstance(answer, Busy)]
            ended = [answer for answer in answers if not isinstance(answer, BaseException)]
            assert len(refused) + len(ended) == 8
            assert len(refused) >= 5
            assert {kind(answer) for answer in ended} == {"limit"}

    within(30, run)


def test_over_http_a_refusal_says_when_to_come_again():
    httpx = needed("httpx", "browser")

    async def run():
        app = create_app(Settings(workers=1, slow=1, queue=1, time=0.8))
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            headers = {"Content-Type": "application/json"}
            asked = [
                client.post("/api/derivative", content=ENDLESS, headers=headers, timeout=20)
                for _ in range(6)
            ]
            answers = await asyncio.gather(*asked)
        refused = [answer for answer in answers if answer.status_code == 503]
        assert refused
        for answer in refused:
            assert answer.headers["Retry-After"] == "1"
            assert answer.json()["error"]["kind"] == "busy"

    within(30, run)


SECRET = "nobody's business"


def fail(*arguments, **more):
    raise RuntimeError(SECRET)


def test_a_fault_of_a_worker_is_logged_without_the_text_of_the_user(monkeypatch, capfd):
    monkeypatch.setitem(worker.OPERATIONS, "draw", worker.Operation(schemas.Program, fail))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        frame = b"draw\n" + json.dumps({"formula": SECRET}).encode()
        ours.sendall(worker.HEADER.pack(len(frame)) + frame)
        monkeypatch.setattr(worker, "_limit", lambda memory: None)
        monkeypatch.setattr(worker, "_limit_time", lambda: None)
        worker.serve(theirs, 0)  # which ends, as a worker does that may be broken
        length, status, last = worker.REPLY.unpack(ours.recv(worker.REPLY.size))
        body = ours.recv(length)
    assert (status, last) == (500, True)
    assert json.loads(body)["error"]["kind"] == "internal error"
    logged = capfd.readouterr().err
    assert "tcalc.web: draw: " in logged
    assert "in fail > RuntimeError" in logged
    assert SECRET not in logged + body.decode()


def test_a_fault_of_the_server_is_an_error_like_any_other(monkeypatch):
    httpx = needed("httpx", "browser")

    async def broken(*arguments):
        fail()

    monkeypatch.setattr(Pool, "_compute", broken)

    async def run():
        app = create_app(Settings(workers=1))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            return await client.post("/api/parse", json={"formula": "x"})

    answer = asyncio.run(run())
    assert answer.status_code == 500
    assert answer.json()["error"]["kind"] == "internal error"
    assert SECRET not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_fork_server_that_dies_is_replaced():
    async def run():
        async with pool() as workers:
            process = workers._fork_server._process
            os.kill(process.pid, signal.SIGKILL)
            for worker in workers._idle:
                os.kill(worker.pid, signal.SIGKILL)
            await asyncio.sleep(0.1)
            assert (await workers.run("parse", QUICK, never())).status == 200

    within(30, run)


def test_workers_end_with_the_server():
    async def run():
        async with pool(workers=2) as workers:
            pids = [worker.pid for worker in workers._idle]
            assert len(set(pids)) == 2
        return pids

    for pid in asyncio.run(run()):
        with pytest.raises(ProcessLookupError):
            for _ in range(500):
                os.kill(pid, 0)
                time.sleep(0.01)
