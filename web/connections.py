"""Connections that do not wait for ever for a request.

Uvicorn closes a connection that is idle between requests, and no other: one that never says what
it wants, or says it a byte a minute, would stay.
"""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD = 5.0
"""Seconds for the head of a request; a connection is looked at once in so many."""


class Connection(H11Protocol):
    """A connection that is closed if the head of a request takes longer than `HEAD` to arrive."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._look_later()

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
