"""A server that takes reports over HTTP and answers as a test wants it to: as a gateway in trouble, or a proxy."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.servers.keeper import free_ports


@dataclass
class Collector:
    """`statuses` are answered one after the other, then 200. 0 takes the report, and closes without an answer."""

    port: int
    statuses: list[int] = field(default_factory=list)
    # What was said and how it was answered, in the order in which it came, repeats too.
    said: list[tuple[str, int, str, int]] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)
    retry_after: str = "0"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v1/experiments/x/attempts/1/metrics"

    def stored(self) -> list[str]:
        """Each report once, if it was taken."""
        taken = [(source, sequence, body) for source, sequence, body, status in self.said if status in {0, 200}]
        return [body for _, _, body in dict.fromkeys(taken)]


@contextmanager
def collecting(collector: Collector) -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status = collector.statuses.pop(0) if collector.statuses else 200
            named = (self.headers["Beagle-Source"], int(self.headers["Beagle-Sequence"]))
            collector.said.append((*named, body, status))
            collector.tokens.add(self.headers["Authorization"])
            if not status:
                self.close_connection = True
                return
            answer = json.dumps({"error": {"kind": "any", "message": f"status {status}", "problems": []}}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.send_header("Retry-After", collector.retry_after)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", collector.port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def collector(*statuses: int, retry_after: str = "0") -> Collector:
    (port,) = free_ports(1)
    return Collector(port, list(statuses), retry_after=retry_after)
