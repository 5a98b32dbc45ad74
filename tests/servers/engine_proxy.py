"""A socket before a Docker daemon's, which answers late, wrongly or not at all; what it passes on is done all the same.

A rule is asked about each request, by its method and path without the version, for what to do with it:
PASS it on, FAIL (pass it on, and answer 500), HANG UP (pass it on, and answer nothing), or HOLD it until `release`.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum, auto
from pathlib import Path
from tempfile import TemporaryDirectory


class Do(Enum):
    PASS = auto()
    FAIL = auto()
    HANG_UP = auto()
    HOLD = auto()


Rule = Callable[[str, str], Do]
_WRONG = b'{"message":"something went wrong"}'
_FAILED = b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nConnection: close\r\n"


class EngineProxy:
    """`rule` may be changed at any time; `asked` are the requests so far, as `METHOD path`."""

    def __init__(self, path: str, daemon: str) -> None:
        self.url, self._path, self._daemon = f"unix://{path}", path, daemon
        self.rule: Rule = lambda _method, _path: Do.PASS
        self.asked: list[str] = []
        self._released = threading.Event()
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(path)
        self._server.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def release(self) -> None:
        """Pass on what is held, and hold nothing more."""
        self.rule = lambda _method, _path: Do.PASS
        self._released.set()

    def close(self) -> None:
        self.release()
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError), socket.socket(socket.AF_UNIX) as daemon:
            request = _request(client)
            method, target = request.split(b" ", 2)[:2]
            path = re.sub(r"^/v[\d.]+", "", target.decode())
            self.asked.append(f"{method.decode()} {path}")
            do = self.rule(method.decode(), path)
            if do is Do.HOLD:
                self._released.wait()
            daemon.connect(self._daemon)
            daemon.sendall(request)
            answer = b"".join(_pieces(daemon)) if do in (Do.FAIL, Do.HANG_UP) else None
            if answer is None:
                threading.Thread(target=_until_closed, args=(client, daemon), daemon=True).start()
                for piece in _pieces(daemon):
                    client.sendall(piece)
            elif do is Do.FAIL:
                client.sendall(_FAILED + f"Content-Length: {len(_WRONG)}\r\n\r\n".encode() + _WRONG)


def _request(client: socket.socket) -> bytes:
    """Head and body, as the only one of its connection."""
    content = b""
    while b"\r\n\r\n" not in content:
        content += client.recv(65536) or _gone()
    head, _, body = content.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    while length and len(body) < int(length[1]):
        body += client.recv(65536) or _gone()
    first, _, rest = head.partition(b"\r\n")
    kept = [line for line in rest.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    return b"\r\n".join([first, *kept, b"Connection: close"]) + b"\r\n\r\n" + body


def _gone() -> bytes:
    raise ConnectionResetError("it hung up")


def _pieces(daemon: socket.socket) -> Iterator[bytes]:
    while piece := daemon.recv(65536):
        yield piece


def _until_closed(client: socket.socket, daemon: socket.socket) -> None:
    """A client that hangs up ends what it asked for."""
    with suppress(OSError):
        while client.recv(65536):
            pass
        daemon.shutdown(socket.SHUT_RDWR)


@contextmanager
def before(daemon: str) -> Iterator[EngineProxy]:
    with TemporaryDirectory(prefix="bgl-", dir="/tmp") as folder:
        proxy = EngineProxy(str(Path(folder, "s")), daemon)
        try:
            yield proxy
        finally:
            proxy.close()
