"""One connection to the gateway: whoever is slow to say what it wants is let go, and so is one too many.

The server's library leaves both open for ever, and each is one of the few files that a process may open. Whoever does
not read its answer is let go by the kernel: `server.bound` says when.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from http import HTTPStatus

import h11
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol

from actors.http.errors import described
from actors.http.peers import is_stranger

# Seconds for the head of a call, or for the rest of a body that nobody reads.
HEAD_WITHIN = 10.0
# Of a body that was declined: many a client reads why only after it has sent all of it.
LARGEST_REST = 4 << 20
# In the state of each call: whether another user of this machine makes it.
STRANGER = "stranger"
_MOST = 1000
_FEWEST = 16


def most_connections() -> int:
    """The store and the experiments need files too."""
    return max(_FEWEST, min(_MOST, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2))


class _Flow(FlowControl):
    """Reads on only when what came is used up: of calls sent before their answers a piece more was read with each."""

    def __init__(self, transport: asyncio.Transport, conn: h11.Connection) -> None:
        super().__init__(transport)
        self._conn = conn

    def resume_reading(self) -> None:
        if len(self._conn.trailing_data[0]) <= HIGH_WATER_LIMIT:
            super().resume_reading()


class Connection(H11Protocol):
    """Lives in the loop of the server. A client may keep one for as long as it calls, or listens."""

    _late: asyncio.TimerHandle | None = None
    _rest = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = _Flow(transport, self.conn)
        self.app_state = {**self.app_state, STRANGER: is_stranger(self.server, self.client)}
        if len(self.connections) > most_connections():
            self._end(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "too many connections are open here; close some")
        else:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._late is not None:
            self._late.cancel()

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._is_rest():
            self._rest += len(data)
        if self._rest > LARGEST_REST:
            self.transport.close()
            return
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.transport.is_closing():
            self._watch()

    def send_400_response(self, msg: str) -> None:
        """What came is no HTTP. The library calls this while it handles what its parser raised."""
        error = sys.exception()
        if getattr(error, "error_status_hint", None) == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
            sentence = "the headers of this call are longer than is read here; make them shorter"
            self._end(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "invalid", sentence)
        else:
            what = str(error or msg).partition(": bytearray(")[0]
            self._end(HTTPStatus.BAD_REQUEST, "invalid", f"this is no HTTP/1.1 call: {what[:200]}")

    def _is_rest(self) -> bool:
        """Whether what comes belongs to a body whose call is answered already."""
        return self.conn.our_state is h11.DONE and self.conn.their_state is h11.SEND_BODY

    def _watch(self) -> None:
        awaited = self.conn.their_state is h11.IDLE or self._is_rest()
        if not awaited and self._late is not None:
            self._late.cancel()
            self._late = None
        elif awaited and self._late is None and self.timeout_keep_alive_task is None:
            self._late = self.loop.call_later(HEAD_WITHIN, self._too_late)

    def _too_late(self) -> None:
        if not self.transport.is_closing():
            sentence = f"the headers of a call did not arrive within {HEAD_WITHIN:g} s"
            self._end(HTTPStatus.REQUEST_TIMEOUT, "invalid", sentence)

    def _end(self, status: HTTPStatus, kind: str, sentence: str) -> None:
        """Close, and say why if nothing is being said."""
        busy = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        if not busy and self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            body = json.dumps(described(kind, sentence)).encode()
            headers = [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                (b"x-content-type-options", b"nosniff"),
                (b"connection", b"close"),
            ]
            head = h11.Response(status_code=status, headers=headers, reason=status.phrase.encode())
            for event in (head, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        if self.cycle is not None:
            # Whoever works on this call has nobody to answer any more.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()
