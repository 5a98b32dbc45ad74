"""Sees from outside when a program reported and when it was dead: the scheduler is not asked.

The program connects to a socket, by which the kernel says who it is, is told to go on once it is observed, and sends
the time just before it prints. Both read the same monotonic clock of the machine, in a container too.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from pathlib import Path

LONGEST = 60.0

# Prints a value over the limit, then sleeps. `struct` and the like would only make it start later.
PROGRAM = """
import os, signal, socket, time
if os.getpid() == 1:  # the first process of a container ignores what it does not handle
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
observer = socket.socket(socket.AF_UNIX)
observer.connect(os.environ["OBSERVER"])
observer.recv(1)
observer.sendall(b"%d\\n" % time.monotonic_ns())
print("accuracy=0.99", flush=True)
while True:
    time.sleep(0.005)  # a signal that comes just before a sleep is handled after it
"""


class Observer:
    """Listens at `path`, which must fit into a socket's address."""

    def __init__(self, path: Path) -> None:
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen(1024)
        self._server.settimeout(LONGEST)

    def observe(self, count: int) -> list[float]:
        """Milliseconds from the metric to the death, of `count` programs that come one after the other."""
        return [self._one() for _ in range(count)]

    def _one(self) -> float:
        program, _ = self._server.accept()
        with program:
            program.settimeout(LONGEST)
            with program.makefile("rb") as told:
                process = os.pidfd_open(_peer(program))
                try:
                    program.sendall(b"g")
                    reported = int(told.readline())
                    dead = select.poll()
                    dead.register(process, select.POLLIN)
                    if not dead.poll(LONGEST * 1000):
                        raise TimeoutError(f"it still ran {LONGEST:g} s after it had crossed its limit")
                    return (time.monotonic_ns() - reported) / 1e6
                finally:
                    os.close(process)

    def close(self) -> None:
        self._server.close()


def _peer(program: socket.socket) -> int:
    """The process at the other end."""
    process, _, _ = struct.unpack("3i", program.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(process)
