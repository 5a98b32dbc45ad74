"""A client that costs little: the same request again and again over kept connections, from one thread."""

from __future__ import annotations

import selectors
import socket
import time
from dataclasses import dataclass

from tests.benchmarks.child import Found, serve

AT_ONCE = 8


@dataclass(slots=True)
class _Caller:
    """One connection, and what has come of the answer under way."""

    connection: socket.socket
    received: bytes = b""

    def answered(self) -> bool | None:
        """Whether it was good; None while it is not complete."""
        self.received += self.connection.recv(1 << 20)
        head, separator, body = self.received.partition(b"\r\n\r\n")
        if not separator:
            return None
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        if len(body) < int(length.partition(b":")[2]):
            return None
        self.received = b""
        return head.startswith(b"HTTP/1.1 200 ")


def run(port: int, path: str, count: int) -> Found:
    """How many were sent, how many were answered with 200, and the seconds."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    waiting = selectors.DefaultSelector()
    callers = [_Caller(socket.create_connection(("127.0.0.1", port))) for _ in range(min(AT_ONCE, count))]
    sent = good = done = 0
    started = time.perf_counter()
    for caller in callers:
        waiting.register(caller.connection, selectors.EVENT_READ, caller)
        caller.connection.sendall(request)
        sent += 1
    while done < count:
        for key, _ in waiting.select():
            outcome = key.data.answered()
            if outcome is None:
                continue
            done, good = done + 1, good + outcome
            if sent < count:
                key.data.connection.sendall(request)
                sent += 1
    seconds = time.perf_counter() - started
    for caller in callers:
        caller.connection.close()
    return {"sent": sent, "good": good, "seconds": seconds}


if __name__ == "__main__":
    serve(run)
