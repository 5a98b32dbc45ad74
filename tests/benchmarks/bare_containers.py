"""What the Docker API allows: create, start and wait; and follow a log and stop at its first crossing line."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import local
from typing import Any

from tests.benchmarks.child import Found, serve

_mine = local()


class _Docker(http.client.HTTPConnection):
    """One connection to the daemon's socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)

    def order(self, method: str, path: str, body: object = None) -> Any:
        text = None if body is None else json.dumps(body)
        self.request(method, path, text, {"Content-Type": "application/json"})
        answer = self.getresponse()
        data = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {data!r}")
        return json.loads(data) if data else None


def run(
    path: str, image: str, command: list[str], network: str, count: int, limit: int, binds: list[str] | None = None
) -> Found:
    """Seconds for `count` containers that end by themselves, or with `binds` are stopped at a metric of 0.99."""
    body = {
        "Image": image,
        "Cmd": command,
        "HostConfig": {"NetworkMode": network, "LogConfig": {"Type": "json-file"}, "Binds": binds or []},
    }
    each = _stopped if binds else _ended
    started = time.perf_counter()
    with ThreadPoolExecutor(limit) as pool:
        good = sum(pool.map(lambda _: each(path, body), range(count)))
    return {"seconds": time.perf_counter() - started, "good": good}


def _ended(path: str, body: object) -> bool:
    docker = _connection(path)
    made = docker.order("POST", "/containers/create", body)["Id"]
    docker.order("POST", f"/containers/{made}/start")
    return bool(docker.order("POST", f"/containers/{made}/wait")["StatusCode"] == 0)


def _stopped(path: str, body: object) -> bool:
    docker = _connection(path)
    made = docker.order("POST", "/containers/create", body)["Id"]
    docker.order("POST", f"/containers/{made}/start")
    with _following(path, made) as lines:
        next(line for line in lines if b"accuracy=0.99" in line)
        docker.order("POST", f"/containers/{made}/kill?signal=SIGTERM")
    return bool(docker.order("POST", f"/containers/{made}/wait")["StatusCode"] == 0)


@contextmanager
def _following(path: str, made: str) -> Iterator[Iterator[bytes]]:
    docker = _Docker(path)
    docker.request("GET", f"/containers/{made}/logs?stdout=1&follow=1")
    yield iter(docker.getresponse().readline, b"")
    docker.close()


def _connection(path: str) -> _Docker:
    if not hasattr(_mine, "docker"):
        _mine.docker = _Docker(path)
    docker: _Docker = _mine.docker
    return docker


if __name__ == "__main__":
    serve(run)
