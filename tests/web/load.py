"""Load on a server, beside hostile requests: `python tests/web/load.py --seconds 20`.

Starts ``tcalc serve``, sends mixed small formulas at a steady rate, each at its time whatever
became of those before it, and beside them requests that mean harm, each of which must get its
proper error.  Prints how many of the small ones were answered well, and how soon.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from serving import served

FORMULAS = (
    ("0.5*x'*A*x", "x"),
    ("norm2(A*x - y)^2", "x"),
    ("sum(log(exp(-y.*(X*w)) + vector(1)))", "w"),
    ("tr(A*X'*B*X*C)", "X"),
    ("log(det(inv(X)))", "X"),
    ("sin(x)'*y", "x"),
    ("(y.*v)'*x", "x"),
    ("norm1(A*x - y)", "x"),
    ("A*exp(x)", "x"),
    ("a^b", "a"),
)

ENDLESS = "*".join(["exp(sin(x'*x))*logdet(A)"] * 400)
HOSTILE: Mapping[str, tuple[str, bytes, int, str]] = {
    "endless product": (
        "derivative",
        json.dumps({"formula": ENDLESS, "wrt": ["A"], "order": 3}).encode(),
        422,
        "limit",
    ),
    "megabyte": ("parse", json.dumps({"formula": "x+" * 600_000}).encode(), 413, "limit"),
    "deep nesting": (
        "derivative",
        json.dumps(
            {"formula": "exp(" * 3000 + "x" + ")" * 3000, "wrt": ["x"], "order": 3}
        ).encode(),
        422,
        "limit",
    ),
    "tower of powers": (
        "derivative",
        json.dumps({"formula": "9^9^9^9*x", "wrt": ["x"]}).encode(),
        422,
        "limit",
    ),
}


@dataclass
class Outcome:
    """What came of all requests."""

    seconds: list[float] = field(default_factory=list)
    wrong: Counter[str] = field(default_factory=Counter)
    hostile: Counter[str] = field(default_factory=Counter)

    @property
    def p99(self) -> float:
        return statistics.quantiles(self.seconds, n=100)[98]

    def __str__(self) -> str:
        half, most = statistics.median(self.seconds), max(self.seconds)
        times = f"median {half * 1e3:.1f} ms, 99 % within {self.p99 * 1e3:.1f} ms"
        lines = [
            f"{len(self.seconds)} small requests answered: {times}, {most * 1e3:.1f} ms at most"
        ]
        lines += [f"  {count} small ones wrong: {what}" for what, count in self.wrong.items()]
        lines += [f"  {count} hostile: {what}" for what, count in sorted(self.hostile.items())]
        return "\n".join(lines)


class Client:
    """Requests to a server over connections that are kept; as little work as can be."""

    def __init__(self, address: str) -> None:
        self._at = urlsplit(address)
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._all: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def close(self) -> None:
        """End all connections."""
        writers = [writer for _, writer in self._all]
        for writer in writers:
            writer.close()
        await asyncio.gather(*(w.wait_closed() for w in writers), return_exceptions=True)

    async def post(self, operation: str, body: bytes) -> tuple[int, bytes]:
        """The status and the body of the answer."""
        while self._free:
            with suppress(OSError, EOFError):  # a server closes connections that are idle
                return await self._post(*self._free.pop(), operation, body)
        made = await asyncio.open_connection(self._at.hostname, self._at.port)
        self._all.append(made)
        return await self._post(*made, operation, body)

    async def _post(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        operation: str,
        body: bytes,
    ) -> tuple[int, bytes]:
        head = (
            f"POST /api/{operation} HTTP/1.1\r\nHost: {self._at.netloc}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        status = int(answer.split(b" ", 2)[1])
        headers = answer.lower().split(b"\r\n")
        length = next(int(h.split(b":")[1]) for h in headers if h.startswith(b"content-length:"))
        content = await reader.readexactly(length)
        if b"connection: close" in headers:
            writer.close()
        else:
            self._free.append((reader, writer))
        return status, content


async def small(client: Client, k: int, outcome: Outcome) -> None:
    """One request of an ordinary user; no two are alike, so that nothing is remembered."""
    formula, wrt = FORMULAS[k % len(FORMULAS)]
    text = f"{formula} + {k}*{formula}"
    body: dict[str, Any] = {"formula": text}
    if k % 2:
        body |= {"wrt": [wrt], "notations": ["text", "mathml"]}
    start = time.perf_counter()
    try:
        status, content = await client.post(
            "derivative" if k % 2 else "parse", json.dumps(body).encode()
        )
    except (OSError, EOFError) as error:
        outcome.wrong[type(error).__name__] += 1
        return
    if status != 200 or b'"error":{' in content:
        outcome.wrong[f"{status} {content[:120]!r}"] += 1
        return
    outcome.seconds.append(time.perf_counter() - start)


async def hostile(client: Client, name: str, outcome: Outcome, until: float) -> None:
    """One kind of hostile request, again and again, a second after each answer."""
    operation, body, expected, kind = HOSTILE[name]
    while time.perf_counter() < until:
        try:
            status, content = await client.post(operation, body)
            found = json.loads(content)["error"]["kind"] if status != 200 else "no error"
            proper = status == expected and found == kind
        except (OSError, EOFError) as error:
            # A server may close the connection on a body that it will not read.
            status, found, proper = 0, type(error).__name__, name == "megabyte"
        outcome.hostile[f"{name}: {'proper' if proper else 'WRONG'} ({status} {found})"] += 1
        await asyncio.sleep(1)


async def attack(address: str, rate: float, seconds: float, enemies_too: bool = True) -> Outcome:
    """Small requests at a rate for so many seconds, hostile ones beside them."""
    outcome = Outcome()
    client = Client(address)
    await asyncio.gather(*(small(client, k, Outcome()) for k in range(20)))
    start = time.perf_counter()
    foe = Client(address)
    enemies = [
        asyncio.create_task(hostile(foe, name, outcome, start + seconds))
        for name in (HOSTILE if enemies_too else ())
    ]
    running: set[asyncio.Task[None]] = set()
    for k in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, start + k / rate - time.perf_counter()))
        task = asyncio.create_task(small(client, k, outcome))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running, *enemies)
    await asyncio.gather(client.close(), foe.close())
    return outcome


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rate", type=float, default=200, help="small requests a second")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--peace", action="store_true", help="no hostile requests")
    options = parser.parse_args()
    with served() as address:
        outcome = attack(address, options.rate, options.seconds, not options.peace)
        print(asyncio.run(outcome))


if __name__ == "__main__":
    main()
