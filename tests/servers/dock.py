"""A stand-in for a container engine, as a process of its own: `python -m tests.servers.dock SOCKET LEDGER [SEED]`.

It answers as Docker does: 409 for a name that is there, 404 for what it does not know, 304 for what is so already. An
exited container stays until it is removed, and *runs again* when it is started again; what was removed is forgotten.
With a seed, some answers are slow, and some say 500 after the order was carried out. Each request is one connection
with a line of JSON each way; `events` is a stream of lines. Containers are threads that follow a script (`script.py`).

The ledger has a line for each real start, word and end, in the order in which they happened.
"""

from __future__ import annotations

import json
import random
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from uuid import uuid4

from tests.servers.script import Step, steps, text_of

SLOW, FAILS = 0.03, 0.04
CHANGES = ("create", "start", "stop", "remove")


@dataclass(slots=True)
class Container:
    name: str
    labels: dict[str, str]
    environment: dict[str, str]
    grace: float
    id: str = field(default_factory=lambda: uuid4().hex)
    status: str = "created"
    exit_code: int | None = None
    started_at: float | None = None
    finished_at: float | None = None
    output: bytearray = field(default_factory=bytearray)
    asked: threading.Event = field(default_factory=threading.Event)
    killed: threading.Event = field(default_factory=threading.Event)

    def view(self) -> dict[str, object]:
        shown = ("name", "labels", "id", "status", "exit_code", "started_at", "finished_at")
        return {key: getattr(self, key) for key in shown} | {"size": len(self.output)}


class Exited(Exception):
    """The script has come to an end."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Dock:
    """All of it, without its socket. Each method is one order, and returns the answer."""

    def __init__(self, ledger: Path, seed: int | None) -> None:
        self._ledger = ledger.open("a", buffering=1)
        self._chance = random.Random(seed) if seed is not None else None
        self._lock = threading.RLock()
        self._containers: dict[str, Container] = {}
        self._listeners: set[SimpleQueue[dict[str, str]]] = set()

    def answer(self, request: dict[str, object]) -> dict[str, object]:
        order = str(request.pop("order"))
        with self._lock:
            answer: dict[str, object] = getattr(self, f"on_{order}")(**request)
        if self._chance is None:
            return answer
        with self._lock:
            slow = self._chance.uniform(0.05, 0.6) if self._chance.random() < SLOW else 0.0
            fails = order in CHANGES and self._chance.random() < FAILS
        time.sleep(slow)
        return {"status": 500} if fails else answer

    def on_create(self, *, name: str, labels: dict[str, str], environment: dict[str, str], grace: float):
        if name in self._containers:
            return {"status": 409}
        container = self._containers[name] = Container(name, labels, environment, grace)
        return {"status": 201, "id": container.id}

    def on_start(self, *, id: str):
        container = self._by_id(id)
        if container is None:
            return {"status": 404}
        if container.status == "running":
            return {"status": 304}
        container.status, container.started_at, container.exit_code = "running", time.time(), None
        container.asked.clear()
        container.killed.clear()
        self._write("start", container)
        threading.Thread(target=self._run, args=(container,), daemon=True).start()
        return {"status": 204}

    def on_stop(self, *, id: str):
        """It is asked at once and killed after its grace; other than Docker's, this call does not wait for that."""
        container = self._by_id(id)
        if container is None:
            return {"status": 404}
        if container.status != "running" or container.asked.is_set():
            return {"status": 304}
        container.asked.set()
        killer = threading.Timer(container.grace, container.killed.set)
        killer.daemon = True
        killer.start()
        return {"status": 204}

    def on_remove(self, *, id: str):
        container = self._by_id(id)
        if container is None:
            return {"status": 404}
        if container.status == "running":
            return {"status": 409}
        del self._containers[container.name]
        return {"status": 204}

    def on_inspect(self, *, name: str):
        container = self._containers.get(name)
        return {"status": 404} if container is None else {"status": 200, "container": container.view()}

    def on_list(self):
        return {"status": 200, "containers": [container.view() for container in self._containers.values()]}

    def on_logs(self, *, name: str, offset: int, limit: int):
        container = self._containers.get(name)
        if container is None:
            return {"status": 404}
        return {"status": 200, "data": container.output[offset : offset + limit].decode("latin-1")}

    @contextmanager
    def listening(self) -> Iterator[SimpleQueue[dict[str, str]]]:
        news: SimpleQueue[dict[str, str]] = SimpleQueue()
        with self._lock:
            self._listeners.add(news)
        try:
            yield news
        finally:
            with self._lock:
                self._listeners.discard(news)

    def _by_id(self, id: str) -> Container | None:
        return next((container for container in self._containers.values() if container.id == id), None)

    def _run(self, container: Container) -> None:
        try:
            self._follow(container)
        except Exited as exited:
            status = exited.status
        else:
            status = 0
        with self._lock:
            container.status, container.finished_at = "exited", time.time()
            container.exit_code = status if status >= 0 else 128 - status
            self._write("end", container, status=status, stopped=container.asked.is_set())
            self._tell("die", container)

    def _follow(self, container: Container) -> None:
        on_stop: Step | None = None
        ignores = False
        for step in steps(container.environment.get("SCRIPT", "")):
            match step.word:
                case "say" | "write" | "fill":
                    self._say(container, text_of(step))
                case "wait":
                    self._wait(container, float(step.rest), None, ignores, on_stop)
                case "until":
                    self._wait(container, 600, Path(step.rest), ignores, on_stop)
                case "mark":
                    with Path(step.rest).open("a") as file:
                        file.write("ran\n")
                case "exit":
                    raise Exited(int(step.rest))
                case "exit-first" if container.environment.get("BEAGLE_ATTEMPT") == "1":
                    raise Exited(int(step.rest))
                case "on-stop":
                    on_stop = step
                case "ignore":
                    ignores = True

    def _wait(self, container: Container, seconds: float, file: Path | None, ignores: bool, on_stop: Step | None):
        ended, until = container.killed if ignores else container.asked, time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not (file is not None and file.exists()):
            if not ended.wait(left if file is None else min(left, 0.01)):
                continue
            if ignores:
                raise Exited(-9)
            if on_stop is None:
                raise Exited(-15)
            text, _, status = on_stop.rest.rpartition(" ")
            self._say(container, text + "\n")
            raise Exited(int(status))

    def _say(self, container: Container, text: str) -> None:
        with self._lock:
            self._write("say", container, offset=len(container.output), text=text)
            container.output += text.encode()
            self._tell("output", container)

    def _write(self, what: str, container: Container, **more: object) -> None:
        entry = {"what": what, "name": container.name, "at": time.time(), **more}
        if what == "start":
            entry["script"] = container.environment.get("SCRIPT", "")
        self._ledger.write(json.dumps(entry) + "\n")

    def _tell(self, event: str, container: Container) -> None:
        for listener in self._listeners:
            listener.put({"event": event, "name": container.name})


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        line = self.rfile.readline()
        if not line:
            return
        request = json.loads(line)
        if request["order"] == "events":
            self._events()
        else:
            self._send(self.server.dock.answer(request))

    def _events(self) -> None:
        with self.server.dock.listening() as news:
            self._send({"event": "hello"})
            while True:
                try:
                    self._send(news.get(timeout=1))
                except Empty:
                    self._send({"event": "quiet"})

    def _send(self, told: dict[str, object]) -> None:
        self.wfile.write(json.dumps(told).encode() + b"\n")


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, socket: str, dock: Dock) -> None:
        super().__init__(socket, Handler)
        self.dock = dock

    def handle_error(self, request, client_address) -> None:
        """A client that hung up, as those do that are killed."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def running(folder: Path, *, seed: int | None = None) -> Iterator[Path]:
    """A dock in a process of its own, with its socket in `folder`; its ledger."""
    folder.mkdir(parents=True, exist_ok=True)
    ledger = folder / "dock.ledger"
    command = [sys.executable, "-m", "tests.servers.dock", str(folder / "dock.socket"), str(ledger)]
    told = [] if seed is None else [str(seed)]
    root = Path(__file__).parents[2]
    with subprocess.Popen([*command, *told], cwd=root, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n", "the dock did not come up"
            yield ledger
        finally:
            process.kill()


def main() -> None:
    socket, ledger, *seed = sys.argv[1:]
    with Server(socket, Dock(Path(ledger), int(seed[0]) if seed else None)) as server:
        print("ready", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
