"""One small page for each actor process: `/healthz` says whether its loops turn, `/metrics` what it measures."""

from __future__ import annotations

import errno
import logging
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from beagle.errors import InvalidInput

log = logging.getLogger(__name__)

AUTO, OFF = "auto", "off"
USUAL_PORT = 9464
_PATIENCE = 5.0


class HealthPage:
    """Serves from its making until `close`. `reason` says in one sentence what is wrong, or nothing."""

    def __init__(self, address: str, port: str, reason: Callable[[], str], measures: Callable[[], bytes]) -> None:
        self._server = _bound(address, port)
        self._server.reason, self._server.measures = reason, measures
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="health", daemon=True)
        self._thread.start()
        self.port: int = self._server.server_address[1]
        log.info("health and metrics at http://%s:%d", address, self.port)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    reason: Callable[[], str]
    measures: Callable[[], bytes]


class _Page(BaseHTTPRequestHandler):
    server: _Server
    timeout = _PATIENCE

    def do_GET(self) -> None:
        if self.path == "/healthz":
            reason = self.server.reason()
            status = HTTPStatus.SERVICE_UNAVAILABLE if reason else HTTPStatus.OK
            self._answer(status, f"{reason or 'ok'}\n".encode())
        elif self.path == "/metrics":
            self._answer(HTTPStatus.OK, self.server.measures())
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"there is /healthz and /metrics\n")

    def _answer(self, status: HTTPStatus, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        log.debug(format, *args)


def _bound(address: str, port: str) -> _Server:
    tried = [USUAL_PORT, 0] if port == AUTO else [int(port)]
    while True:
        number = tried.pop(0)
        try:
            return _Server((address, number), _Page)
        except OSError as error:
            if tried and error.errno == errno.EADDRINUSE:
                continue
            what = f"the health page cannot be at {address}:{number}: {error.strerror or error}"
            raise InvalidInput([f"{what}; choose another --health-address or --health-port"]) from error
