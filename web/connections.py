"""Connections that do not wait for ever for a request, or for an answer to be taken.

Uvicorn closes a connection that is idle between requests, and no other: one that never says what
it wants, or says it a byte a minute, would stay, and so would one that never reads its answer.
"""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD = 5.0
"""Seconds for the head of a request; a connection is looked at once in so many."""
STALLED = 30.0
"""Seconds in which a client has to take some of an answer that it has not taken whole."""


class Connection(H11Protocol):
    """A connection that is closed if the head of a request takes longer than `HEAD` to arrive.

    It is also closed if nothing of an answer is taken for `STALLED`.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._stalled: asyncio.TimerHandle | None = None
        self._look_later()

    def pause_writing(self) -> None:
        """Wait for the client to read, as long as it does."""
        super().pause_writing()
        self._expect_less_than(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Go on: the client has read."""
        super().resume_writing()
        self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave nothing behind."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _expect_less_than(self, left: int) -> None:
        self._stalled = self.loop.call_later(STALLED, self._progress, left)

    def _progress(self, before: int) -> None:
        """Go on waiting if there is less left than before."""
        left = self.transport.get_write_buffer_size()
        if left < before:
            self._expect_less_than(left)
        else:
            self.transport.abort()  # closing would wait for the client again

    def _stop_waiting(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _look_later(self) -> None:
        awaited = self.cycle if self.conn.their_state is h11.IDLE else self
        self.loop.call_later(HEAD, self._look, awaited)

    def _look(self, awaited: object) -> None:
        """Close if a head was awaited, and still is, and no request came in between."""
        if self.transport.is_closing():
            return
        if self.conn.their_state is h11.IDLE and self.cycle is awaited:
            self.transport.close()
        else:
            self._look_later()
