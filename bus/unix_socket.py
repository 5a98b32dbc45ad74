"""The door to a bus within another process: commands in, answers out, one JSON line each, over a Unix socket.

The socket's mode is 0600: whoever may read the state folder's files may speak to its owner, nobody else.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

from beagle.answers import failure
from beagle.errors import BeagleError, InvalidInput, Unavailable
from beagle.messages import LONGEST, Answer, AnyMessage, Message, decode, encode
from bus.port import Bus
from bus.routes import COMMANDS, address

_ANSWER_TIMEOUT = 60.0
# How long a close waits until it is noticed; looking so often costs a thousandth of a core.
_NOTICE = 0.02
# A command that ends its own scheduler (a pause, from another terminal) is answered in milliseconds.
_LONGEST_FAREWELL = 2.0


class Door:
    """Listens from its making until `close`; every connection has a thread of its own."""

    def __init__(self, path: Path, bus: Bus) -> None:
        self._path = path
        path.unlink(missing_ok=True)  # left by an owner that was killed: the folder's lock says that it is gone
        with _short(path) as name:
            self._server = _Server(name, bus)
        path.chmod(0o600)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_NOTICE,), name="door", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Nobody new comes in; whoever asked before is answered, within `_LONGEST_FAREWELL`."""
        self._path.unlink(missing_ok=True)
        self._server.shutdown()
        self._server.finish(_LONGEST_FAREWELL)
        self._server.server_close()


class Caller:
    """One connection to a `Door`. For one thread at a time. Raises `Unavailable` when nobody listens."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            with _short(path) as name:
                self._socket.connect(name)
        except OSError as error:
            self._socket.close()
            raise Unavailable(f"nobody listens at {path}: {error.strerror}") from error
        self._answers = self._socket.makefile("rb")

    def request(self, message: Message, *, timeout: float) -> Answer:
        """The answer, with whatever error is in it. After `Unavailable` the connection is of no more use."""
        self._socket.settimeout(timeout)
        try:
            self._socket.sendall(encode(message) + b"\n")
            line = self._answers.readline()
        except OSError as error:
            raise Unavailable(f"the scheduler did not answer: {error}") from error
        if not line.endswith(b"\n"):
            raise Unavailable("the scheduler went away before it answered")
        answer: Answer = json.loads(line)
        return answer

    def close(self) -> None:
        self._answers.close()
        self._socket.close()


class _Connection(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        while True:
            line = self.rfile.readline(LONGEST + 2)
            if not line:
                return
            with self.server.answering():
                answer = _answered(self.server.bus, line)
                try:
                    self.wfile.write(json.dumps(answer).encode() + b"\n")
                except OSError:
                    return  # it did not wait for its answer
            if not line.endswith(b"\n"):
                return


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, name: str, bus: Bus) -> None:
        self.bus = bus
        self._under_way = 0
        self._changed = threading.Condition()
        super().__init__(name, _Connection)

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        with self._changed:
            self._under_way += 1
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def finish(self, seconds: float) -> None:
        """Returns when all that was asked has been answered, or after so long."""
        with self._changed:
            self._changed.wait_for(lambda: not self._under_way, seconds)


def _answered(bus: Bus, line: bytes) -> Answer:
    try:
        return bus.request(_command(line), timeout=_ANSWER_TIMEOUT)
    except BeagleError as error:
        return failure(error)


def _command(line: bytes) -> AnyMessage:
    message = decode(line)
    route, key = address(message)
    if route.exchange != COMMANDS or not key.startswith("gateway."):
        raise InvalidInput([f"{message.type} is between actors; a front end sends what the gateway takes"])
    return message


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name of `path` that fits into the 107 bytes of a socket address, however deep its folder is."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
