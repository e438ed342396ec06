"""Starting and ending a server."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from ipaddress import ip_address

import uvicorn

from tcalc.errors import ArgumentError, UnsupportedError

from .app import create_app
from .connections import Connection
from .settings import LOOPBACK, Settings

GRACE = 3
"""Seconds for responses under way when the server is told to end."""


def serve(host: str, port: int, workers: int | None, ready: Callable[[str], None]) -> None:
    """Serve until interrupted; `ready` is called with the address when the page is there.

    Port 0 is any that is free.  Raises `ArgumentError` for an address that cannot be had.
    """
    if not hasattr(os, "fork"):
        raise UnsupportedError(
            "the page needs a system that can fork processes: Linux or macOS",
            hint="under Windows run it in the Windows Subsystem for Linux",
        )
    listener = _listen(host, port)
    # A name other than this machine's own is for the operator to protect.
    hosts = (*LOOPBACK, host) if _is_loopback(host) else ()
    settings = Settings(hosts=hosts) if workers is None else Settings(workers=workers, hosts=hosts)
    name = f"[{host}]" if ":" in host else host
    address = f"http://{name}:{listener.getsockname()[1]}/"
    config = uvicorn.Config(
        create_app(settings),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
        lifespan="on",
        http=Connection,
        ws="none",
    )
    _Server(config, lambda: ready(address)).run(sockets=[listener])


class _Server(uvicorn.Server):
    """A server that tells when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)  # asyncio sets TCP_NODELAY by it
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no name of a machine"
        raise ArgumentError(
            f"cannot listen on {host}, port {port}: {reason or error}",
            hint="choose another with --port, or any free one with --port 0",
        ) from None
    return listener


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
