"""A line to a MongoDB server, over which the answer to a request can be lost: done, and nobody told."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread


class Wire:
    """Listens on `port` and passes everything on to the server, until told otherwise."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.lost = 0
        self._of: bytes | None = None
        self._then: Callable[[], None] | None = None
        self._ends: list[socket.socket] = []
        Thread(target=self._accept, daemon=True).start()

    def lose_answer(self, of: bytes, then: Callable[[], None] | None = None) -> None:
        """Cut the connection instead of passing on the answer to the next request that holds `of`.

        `then` is called when the server has done it, before the client learns that its connection is gone.
        """
        self._of, self._then = of, then

    def cut(self) -> None:
        """Every connection, once."""
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listening.close()
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._server) as server:
            self._ends += [client, server]
            answers = Thread(target=self._pump, args=(server, client), daemon=True)
            answers.start()
            with contextlib.suppress(OSError):
                while request := self._request(client):
                    if self._of is not None and self._of in request:
                        self._of = None
                        self._lose(request)
                        break
                    server.sendall(request)
            self._shut(client, server)
            answers.join()

    def _request(self, client: socket.socket) -> bytes:
        """A whole one: it begins with its length."""
        request = client.recv(1 << 20)
        while len(request) < int.from_bytes(request[:4], "little"):
            request += client.recv(1 << 20)
        return request

    def _lose(self, request: bytes) -> None:
        # On a connection of its own, so that no answer can slip through.
        with socket.create_connection(self._server) as other:
            other.sendall(request)
            assert other.recv(1 << 20)
        self.lost += 1
        if self._then is not None:
            self._then()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 20):
                target.sendall(data)
        self._shut(source, target)

    def _shut(self, *ends: socket.socket) -> None:
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def wire(server: tuple[str, int]) -> Iterator[Wire]:
    made = Wire(server)
    try:
        yield made
    finally:
        made.close()
