"""What every request and every response must obey, whatever it is about.

Written against ASGI itself: a body is counted as it arrives, chunk by chunk, whatever its
headers say of its length.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .failures import failure
from .settings import Settings

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "font-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class RefusedError(Exception):
    """The body of a request is too large, or too slow."""


class Guard:
    """An application behind the checks that all requests must pass.

    - The host that the request names is one of the server's: a page elsewhere whose name is made
      to resolve to this machine has another (DNS rebinding).
    - It does not come from a page of another site.
    - Its body keeps within the limits of length and time.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(receive, self._settings)

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        async def answer(message: Message) -> None:
            if body.refusal is None:
                await secured(message)

        refusal = self._refusal(Headers(scope=scope))
        if refusal is None:
            # Whatever the application makes of a body that breaks off, its answer is not sent.
            with suppress(RefusedError):
                await self._app(scope, body.receive, answer)
            refusal = body.refusal
        if refusal is not None:
            await refusal(scope, receive, secured)

    def _refusal(self, headers: Mapping[str, str]) -> Response | None:
        hosts = self._settings.hosts
        if hosts and _host_name(headers.get("host", "")) not in hosts:
            return _response(
                421, "request error", "this server does not go by that name", ", ".join(hosts)
            )
        if headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != (
            "navigate"
        ):
            return _response(403, "request error", "requests from pages elsewhere are refused")
        length = headers.get("content-length", "0")
        if length.isascii() and length.isdigit() and int(length) > self._settings.body:
            return _too_large(self._settings.body)
        return None


class _Body:
    """The body of a request, counted and timed as it arrives."""

    def __init__(self, receive: Receive, settings: Settings) -> None:
        self._receive = receive
        self._limit = self._left = settings.body
        self._end = asyncio.get_running_loop().time() + settings.arrival
        self._whole = False
        self.refusal: Response | None = None

    async def receive(self) -> Message:
        """The next part; after the last one the end of the connection, however long it takes."""
        try:
            async with asyncio.timeout_at(None if self._whole else self._end):
                message = await self._receive()
        except TimeoutError:
            self.refusal = _too_slow()
            raise RefusedError from None
        self._whole = not message.get("more_body", False)
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            self.refusal = _too_large(self._limit)
            raise RefusedError
        return message


def _too_large(limit: int) -> Response:
    message = f"the body of a request has at most {limit} bytes"
    return _response(413, "limit", message, "send a shorter formula")


def _too_slow() -> Response:
    response = _response(408, "limit", "the body of the request takes too long to arrive")
    response.headers["Connection"] = "close"
    return response


def _response(status: int, kind: str, message: str, hint: str | None = None) -> Response:
    body = failure(kind, message, hint)
    return Response(body, status, media_type="application/json")


def _host_name(host: str) -> str:
    """The name in a Host header, without its port.

    >>> _host_name("[::1]:8000"), _host_name("localhost:80")
    ('::1', 'localhost')
    """
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
