"""The fork server: a process with tcalc loaded, which forks workers, each within milliseconds.

It serves one socket, over which it is told what to do.  A fork of a process with one thread is
safe, and shares the memory of everything that is loaded; so a worker that is ended for taking too
long costs nothing to replace.  When the socket closes, it ends with all its workers.

    python -m tcalc.web.forkserver DESCRIPTOR MEMORY
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import struct
import sys
from contextlib import suppress

COMMAND = struct.Struct("!cI")
FORK, END, YIELD = b"f", b"e", b"y"
"""Fork a worker that serves the socket sent along; end one; let others go before it."""
PID = struct.Struct("!I")
READY = PID.pack(0)
NICENESS = 15
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main(control: socket.socket, memory: int) -> None:
    """Load tcalc, then follow commands until there are no more."""
    from .worker import warm_up

    warm_up(("parse", "derivative", "code", "check"))
    gc.collect()
    gc.freeze()  # the collector of a worker need not touch, and so copy, what it shares
    control.sendall(READY)
    workers: set[int] = set()
    try:
        while True:
            message, descriptors, _, _ = socket.recv_fds(control, COMMAND.size, 1)
            if len(message) < COMMAND.size:
                break
            workers -= _ended(workers)
            command, pid = COMMAND.unpack(message)
            if command == FORK:
                workers.add(_fork(control, descriptors[0], memory))
            elif pid in workers and command == END:
                os.kill(pid, signal.SIGKILL)
            elif pid in workers and command == YIELD:
                with suppress(OSError):
                    os.setpriority(os.PRIO_PROCESS, pid, NICENESS)
    finally:
        for pid in workers - _ended(workers):
            os.kill(pid, signal.SIGKILL)


def _fork(control: socket.socket, descriptor: int, memory: int) -> int:
    pid = os.fork()
    if pid == 0:
        # Whatever happens, a child never returns into the loop of its parent.
        try:
            from .worker import serve

            control.close()
            serve(socket.socket(fileno=descriptor), memory)
        finally:
            os._exit(0)
    os.close(descriptor)
    control.sendall(PID.pack(pid))
    return pid


def _ended(workers: set[int]) -> set[int]:
    """The workers that have ended; until they are asked for here, their numbers stay theirs."""
    ended: set[int] = set()
    for pid in workers:
        with suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG)[0] == 0:
                continue
        ended.add(pid)
    return ended


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which closes down
    os.environ.update(dict.fromkeys(THREADS, "1"))
    main(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
