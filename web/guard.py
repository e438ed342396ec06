"""What every request and every response must obey, whatever it is about.

Written against ASGI itself: a body is counted as it arrives, chunk by chunk, whatever its
headers say of its length.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .complaints import failure
from .settings import Settings

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "font-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class TooLargeError(Exception):
    """The body of a request is over the limit."""


class Guard:
    """An application behind the checks that all requests must pass.

    - The host that the request names is one of the server's: a page elsewhere whose name is made
      to resolve to this machine has another (DNS rebinding).
    - It does not come from a page of another site.
    - Its body keeps within the limit.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(receive, self._settings.body)

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        async def answer(message: Message) -> None:
            if not body.too_large:
                await secured(message)

        refusal = self._refusal(Headers(scope=scope))
        if refusal is None:
            # Whatever the application makes of a body that breaks off, its answer is not sent.
            with suppress(TooLargeError):
                await self._app(scope, body.receive, answer)
            refusal = self._too_large() if body.too_large else None
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
            return self._too_large()
        return None

    def _too_large(self) -> Response:
        return _response(
            413,
            "limit",
            f"the body of a request has at most {self._settings.body} bytes",
            "send a shorter formula",
        )


class _Body:
    """The body of a request, counted as it arrives."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._left = limit
        self.too_large = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            self.too_large = True
            raise TooLargeError
        return message


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
