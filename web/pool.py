"""Who computes what, and for how long: the worker processes of a server.

A request takes one of a few places for short ones and a warm worker.  If it is not done within
the server's patience it becomes a long one: its process yields to the others, and its place is
free again, so that long requests delay no short ones.  There are only so many places for long
requests too, and a time after which every request is ended with its process.  Beyond all places
requests wait in a queue, and beyond that they are refused.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from . import forkserver
from .failures import failure
from .settings import Settings
from .worker import HEADER, REPLY


@dataclass(frozen=True, slots=True)
class Reply:
    """The status and the body of a response."""

    status: int
    body: bytes


class Busy(Exception):  # noqa: N818 -- a state of the server, not a fault
    """There are more requests than the server can take."""


class Gone(Exception):  # noqa: N818 -- the same of a client
    """Nobody waits for the response any more."""


class Worker:
    """One worker process, as the server sees it."""

    def __init__(
        self, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.pid = pid
        self.usable = True
        self._reader = reader
        self._writer = writer

    @property
    def alive(self) -> bool:
        """Whether the process has not ended while it was idle."""
        return not self._reader.at_eof()

    @property
    def cpu_seconds(self) -> float | None:
        """The time that it has computed so far; None where the system does not tell."""
        try:
            # clock_getcpuclockid(3) of Linux, which Python does not have for processes
            return time.clock_gettime(~self.pid << 3 | 2)
        except OSError:
            return None

    async def ask(self, operation: str, body: bytes) -> Reply:
        """Have one request answered; `ConnectionError` or `EOFError` where the process dies."""
        self.usable = False
        frame = operation.encode() + b"\n" + body
        self._writer.write(HEADER.pack(len(frame)) + frame)
        await self._writer.drain()
        header = await self._reader.readexactly(REPLY.size)
        length, status, last = REPLY.unpack(header)
        reply = Reply(status, await self._reader.readexactly(length))
        self.usable = not last
        return reply

    def close(self) -> None:
        self._writer.close()


class ForkServer:
    """The process that forks workers, started anew if it should die."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._lock = asyncio.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    async def fork(self) -> Worker:
        """A new worker."""
        async with self._lock:
            for _ in range(2):
                try:
                    return await self._forked(self._control or await self._start())
                except (OSError, EOFError):
                    self.close()
        raise Busy

    async def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        numbers = map(str, (theirs.fileno(), self._memory))
        command = [sys.executable, "-m", forkserver.__name__, *numbers]
        with theirs:
            self._process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        ours.setblocking(False)
        self._control = ours
        if await self._receive(ours) != forkserver.READY:
            raise EOFError
        return ours

    async def _forked(self, control: socket.socket) -> Worker:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                command = forkserver.COMMAND.pack(forkserver.FORK, 0)
                socket.send_fds(control, [command], [theirs.fileno()])
            (pid,) = forkserver.PID.unpack(await self._receive(control))
        except (OSError, EOFError):
            ours.close()
            raise
        return Worker(pid, *await asyncio.open_connection(sock=ours))

    async def _receive(self, control: socket.socket) -> bytes:
        answer = await asyncio.get_running_loop().sock_recv(control, forkserver.PID.size)
        if len(answer) < forkserver.PID.size:
            raise EOFError
        return answer

    def end(self, worker: Worker) -> None:
        """End a worker at once, whatever it does."""
        worker.close()
        self._tell(forkserver.END, worker)

    def slow_down(self, worker: Worker) -> None:
        """Let others go before it."""
        self._tell(forkserver.YIELD, worker)

    def _tell(self, command: bytes, worker: Worker) -> None:
        if self._control is not None:
            with suppress(OSError):  # it is gone, and its workers with it
                self._control.send(forkserver.COMMAND.pack(command, worker.pid))

    def close(self) -> None:
        """End the process and all its workers."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            try:
                self._process.wait(timeout=2)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


class Pool:
    """The workers of a server, and the places for requests."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._fork_server = ForkServer(settings.memory)
        self._idle: deque[Worker] = deque()
        self._short = asyncio.Semaphore(settings.workers)
        self._long = asyncio.Semaphore(settings.slow)
        self._waiting = 0
        self._forks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Have one worker for every short request ready."""
        for _ in range(self._settings.workers):
            self._idle.append(await self._fork_server.fork())

    def close(self) -> None:
        """End all workers."""
        for worker in self._idle:
            worker.close()
        self._fork_server.close()

    async def run(self, operation: str, body: bytes, gone: Coroutine[None, None, None]) -> Reply:
        """The answer to a request.

        Raises `Busy` where there is no place for it, and `Gone` if `gone` comes first.
        """
        leaving = asyncio.ensure_future(gone)
        try:
            async with self._place():
                reply = await self._compute(operation, body, leaving)
            return reply if isinstance(reply, Reply) else await reply.finish()
        finally:
            leaving.cancel()

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """A place among the short requests, waited for in turn."""
        if self._waiting >= self._settings.queue:
            raise Busy
        self._waiting += 1
        try:
            await self._short.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._short.release()

    async def _compute(
        self, operation: str, body: bytes, leaving: asyncio.Future[None]
    ) -> Reply | LongRequest:
        """The answer, or the request as a long one if it is not to be had soon."""
        if leaving.done():
            raise Gone
        worker = await self._worker()
        answer = asyncio.ensure_future(worker.ask(operation, body))
        end = asyncio.get_running_loop().time() + self._settings.time
        request = LongRequest(self, worker, answer, leaving, end)
        keep = False
        try:
            await self._be_patient(request)
            if not answer.done() and not leaving.done():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._long_place(request), self._settings.wait)
                if request.placed:
                    self._fork_server.slow_down(worker)
                    self._replace()
                    keep = True
                    return request
                if not answer.done() and not leaving.done():
                    raise Busy
            return request.outcome()
        finally:
            if not keep:
                self.release(request)

    async def _be_patient(self, request: LongRequest) -> None:
        """Wait until a request is done or has computed for longer than a short one may.

        Time on the clock would not do: on a busy machine short requests take long too, and would
        lose their workers for it.
        """
        left = self._settings.patience
        before = request.worker.cpu_seconds
        while left > 0.001:
            await _first(request.answer, request.leaving, timeout=left)
            now = request.worker.cpu_seconds
            if request.answer.done() or request.leaving.done() or now is None or before is None:
                return
            if asyncio.get_running_loop().time() > request.end:
                return
            left = self._settings.patience - (now - before)

    def _replace(self) -> None:
        """Have a worker ready in the place of one that is busy for long."""

        async def fork() -> None:
            with suppress(Busy):
                self._idle.append(await self._fork_server.fork())

        task = asyncio.create_task(fork())
        self._forks.add(task)
        task.add_done_callback(self._forks.discard)

    async def _worker(self) -> Worker:
        while self._idle:
            worker = self._idle.popleft()
            if worker.alive:
                return worker
            self._fork_server.end(worker)
        return await self._fork_server.fork()

    async def _long_place(self, request: LongRequest) -> None:
        """Wait for a place among the long requests, or for the end of this one."""
        place = asyncio.ensure_future(self._long.acquire())
        try:
            await _first(place, request.answer, request.leaving)
        finally:
            if place.done() and not place.cancelled():
                request.placed = True
            else:
                place.cancel()

    def release(self, request: LongRequest) -> None:
        """Take back what a request holds."""
        worker = request.worker
        if request.placed:
            self._long.release()
        request.answer.cancel()
        # A process that yields cannot be given its priority back.
        if worker.usable and not request.placed and len(self._idle) < self._settings.workers:
            self._idle.append(worker)
        else:
            self._fork_server.end(worker)


@dataclass(slots=True, eq=False)
class LongRequest:
    """A request under way: who computes it, its answer, and its client's leaving."""

    pool: Pool
    worker: Worker
    answer: asyncio.Future[Reply]
    leaving: asyncio.Future[None]
    end: float
    placed: bool = False

    async def finish(self) -> Reply:
        """The answer, or the end of the request's time."""
        left = self.end - asyncio.get_running_loop().time()
        try:
            await _first(self.answer, self.leaving, timeout=left)
            if not self.answer.done() and not self.leaving.done():
                return _limit("it takes too long", "ask for less: a part of it, or a lower order")
            return self.outcome()
        finally:
            self.pool.release(self)

    def outcome(self) -> Reply:
        """What came of it, now that something did."""
        if not self.answer.done():
            raise Gone
        try:
            return self.answer.result()
        except (ConnectionError, EOFError):
            return _limit("it needs more memory than there is for it", "ask for less")


async def _first(*futures: asyncio.Future[Any], timeout: float | None = None) -> None:
    """Wait until one of them is done, or for so many seconds."""
    await asyncio.wait(futures, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)


def _limit(reason: str, hint: str) -> Reply:
    body = failure("limit", f"the computation was ended: {reason}", hint)
    return Reply(HTTPStatus.UNPROCESSABLE_ENTITY, body)
