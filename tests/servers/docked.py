"""The orchestrator plug-in that runs workloads at a dock (`dock.py`), as one for Docker would.

A container is started by whoever made it, once, and by its id, never by its name. Whoever makes one holds a lock until
it is started: one that was made and not started is removed and made anew when that lock is free, so that nobody removes
what starts and ends just then. A stop of what was never started leaves a container that nobody starts. What was cleaned
has a companion with `.cleaned` behind its name.
"""

from __future__ import annotations

import builtins
import codecs
import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any
from uuid import uuid4

from beagle.errors import NotFound, Unavailable
from beagle.ports import CaughtUp, Ended, Line, Log, Observed
from beagle.settings import Settings
from beagle.template import Template, Workload

TIMEOUT, TRIES, SWEEP, PIECE, LONGEST = 20.0, 50, 1.0, 1 << 20, 64 * 1024
# Seconds that a start waits for somebody else's of the same name.
PATIENCE, LOOK = 10.0, 0.005
Container = dict[str, Any]


class Dock:
    """Orders to the process that `dock.py` is. Raises `Unavailable` when it does not answer."""

    def __init__(self, path: str) -> None:
        self._path = path

    def ask(self, order: str, **more: object) -> dict[str, Any]:
        with self._opened(order, **more) as answers:
            answer: dict[str, Any] = json.loads(next(answers))
        return answer

    def events(self) -> Iterator[dict[str, str]]:
        with self._opened("events") as answers:
            for line in answers:
                yield json.loads(line)

    def _opened(self, order: str, **more: object):
        return _Answers(self._path, json.dumps({"order": order, **more}).encode() + b"\n")


class _Answers:
    def __init__(self, path: str, request: bytes) -> None:
        self._path, self._request = path, request

    def __enter__(self) -> Iterator[bytes]:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(TIMEOUT)
        try:
            self._socket.connect(self._path)
            self._socket.sendall(self._request)
            self._file = self._socket.makefile("rb")
        except OSError as error:
            self._socket.close()
            raise Unavailable(f"the dock does not answer: {error}") from error
        return self._lines()

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def _lines(self) -> Iterator[bytes]:
        try:
            while line := self._file.readline():
                yield line
        except OSError as error:
            raise Unavailable(f"the dock does not answer: {error}") from error
        raise Unavailable("the dock hung up")


@dataclass(slots=True)
class Followed:
    """How far the output of one was read; `behind` is how much of it an adoption has to tell first."""

    name: str
    offset: int = 0
    behind: int | None = None


class DockOrchestrator:
    """See `Orchestrator`. The dock's socket is named by DOCK_SOCKET, else it is in `folder`; DOCK_STARTS at once."""

    def __init__(self, folder: Path, site: str = "") -> None:
        self.site = site or "dock"
        self.starts = int(os.environ.get("DOCK_STARTS", "1"))
        socket = os.environ.get("DOCK_SOCKET", str(folder / "dock.socket"))
        self.dock, self._makers = Dock(socket), Path(f"{socket}.makers")
        self._followed: dict[str, Followed] = {}
        self._orders: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._listener: Callable[[Sequence[Observed]], None] | None = None
        self._closed = threading.Event()
        self._threads: list[threading.Thread] = []

    @staticmethod
    def refusals(template: Template, settings: Settings) -> builtins.list[str]:
        return []

    def check(self, template: Template) -> builtins.list[str]:
        return []

    def watch(self, listener: Callable[[Sequence[Observed]], None]) -> None:
        self._listener = listener
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._watch, self._hear)]
        for thread in self._threads:
            thread.start()

    def start(self, workload: Workload) -> float:
        for _ in range(TRIES):
            with self._making() as maker:
                made = self._make(workload, maker)
                if made is not None and self._begin(made):
                    self._orders.put(lambda: self._follow(workload.name, adopted=False))
                    return float(self._inspect(workload.name)["started_at"])
            there = self._once_made(workload.name)
            if there is None:
                continue
            if "forbidden" in there["labels"]:
                self._orders.put(lambda: self._never(workload.name))
                return time.time()
            self._orders.put(lambda: self._follow(workload.name, adopted=True))
            return float(there["started_at"])
        raise Unavailable(f"{workload.name} could not be started: the dock fails again and again")

    def stop(self, name: str) -> None:
        for _ in range(TRIES):
            there = self._inspect(name)
            if there is None:
                self._create(name, {"forbidden": "yes"}, {}, 0)
            elif "forbidden" in there["labels"]:
                self._orders.put(lambda: self._never(name))
                return
            elif there["status"] == "created":
                self.dock.ask("remove", id=there["id"])
            else:
                self.dock.ask("stop", id=there["id"])
                if self._inspect(name) is not None:
                    self._orders.put(lambda: self._follow_to_end(name))
                    return
        raise Unavailable(f"{name} could not be stopped: the dock fails again and again")

    def list(self) -> builtins.list[str]:
        containers = self.dock.ask("list")["containers"]
        names = {c["name"] for c in containers if "beagle" in c["labels"]}
        return sorted(name for name in names if f"{name}.cleaned" not in {c["name"] for c in containers})

    def clean(self, name: str) -> None:
        if self._inspect(name) is not None:
            self._create(f"{name}.cleaned", {}, {}, 0)

    def logs(self, name: str, *, stream: str = "out", offset: int = 0, limit: int = 65536) -> Log:
        there = self._inspect(name)
        if there is None or there["started_at"] is None or stream != "out":
            raise NotFound(f'{name} has not written to "{stream}"')
        begin = max(0, there["size"] + offset) if offset < 0 else offset
        content = self._output(name, begin, limit)
        last = begin + len(content) >= there["size"] and there["status"] == "exited"
        # A character that the limit cuts comes with the next piece.
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text = decoder.decode(content, final=last or len(content) < 4)
        return Log(text, begin + len(content) - len(decoder.getstate()[0]), last)

    def close(self) -> None:
        self._closed.set()
        self._orders.put(None)
        for thread in self._threads:
            thread.join()
        self._threads = []

    # Orders whose outcome may be unknown

    @contextmanager
    def _making(self) -> Iterator[str]:
        """A maker's name, and its lock, which goes with this process."""
        maker = uuid4().hex
        self._makers.mkdir(exist_ok=True)
        path = self._makers / maker
        with path.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                yield maker
            finally:
                path.unlink()

    def _is_making(self, maker: str) -> bool:
        try:
            with (self._makers / maker).open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def _once_made(self, name: str) -> Container | None:
        """What somebody else has started by now; None when nobody has, and nobody is about to."""
        until = time.monotonic() + PATIENCE
        while (there := self._inspect(name)) is not None:
            if there["status"] != "created" or "forbidden" in there["labels"]:
                return there
            if not self._is_making(there["labels"]["maker"]):
                # Its maker may have started it since it was looked at, and is done: then it is not `created` any more.
                again = self._inspect(name)
                if again is not None and (again["id"], again["status"]) == (there["id"], "created"):
                    self.dock.ask("remove", id=there["id"])
            elif time.monotonic() > until:
                raise Unavailable(f"somebody else is starting {name}, and takes long")
            else:
                time.sleep(LOOK)
        return None

    def _make(self, workload: Workload, maker: str) -> Container | None:
        """A new container of this caller; None when the name is there."""
        service = next((service for service in workload.services if service.main), workload.services[0])
        labels = {"beagle": workload.experiment, "maker": maker}
        self._create(workload.name, labels, service.environment, service.grace)
        there = self._inspect(workload.name)
        return there if there is not None and there["labels"].get("maker") == maker else None

    def _create(self, name: str, labels: dict[str, str], environment: dict[str, str], grace: float) -> None:
        self.dock.ask("create", name=name, labels=labels, environment=environment, grace=grace)

    def _begin(self, made: Container) -> bool:
        """Whether it was started; not when someone removed it."""
        while self.dock.ask("start", id=made["id"])["status"] == 500:
            there = self._inspect(made["name"])
            if there is None or there["id"] != made["id"]:
                return False
            if there["status"] != "created":
                return True
        there = self._inspect(made["name"])
        return there is not None and there["id"] == made["id"]

    def _inspect(self, name: str) -> Container | None:
        found: Container | None = self.dock.ask("inspect", name=name).get("container")
        return found

    def _output(self, name: str, offset: int, limit: int) -> bytes:
        return str(self.dock.ask("logs", name=name, offset=offset, limit=limit).get("data", "")).encode("latin-1")

    # The thread that watches, and the one that hears when there is something to look at

    def _watch(self) -> None:
        swept = time.monotonic()
        while not self._closed.is_set():
            with suppress(Empty):
                order = self._orders.get(timeout=SWEEP)
                if order is not None:
                    with suppress(Unavailable):  # the next look finds the same
                        order()
            if time.monotonic() - swept > SWEEP:
                swept = time.monotonic()
                with suppress(Unavailable):
                    for name in [*self._followed]:
                        self._look(name)

    def _hear(self) -> None:
        while not self._closed.is_set():
            with suppress(Unavailable):
                for event in self.dock.events():
                    if self._closed.is_set():
                        return
                    if "name" in event:
                        self._orders.put(lambda name=event["name"]: self._look(name))
            self._closed.wait(0.2)

    def _follow(self, name: str, *, adopted: bool) -> None:
        self._followed[name] = Followed(name)
        if adopted:
            there = self._inspect(name)
            self._followed[name].behind = 0 if there is None else there["size"]
        self._look(name)

    def _follow_to_end(self, name: str) -> None:
        if name not in self._followed:
            self._follow(name, adopted=True)
        else:
            self._look(name)

    def _never(self, name: str) -> None:
        self._listener([Ended(workload=name, status=None, ended_at=time.time(), never=True)])

    def _look(self, name: str) -> None:
        """Push what it has written since, and its end if it has ended: looked at before, so that nothing follows."""
        followed = self._followed.get(name)
        if followed is None:
            return
        there = self._inspect(name)
        ended = there is None or there["status"] == "exited"
        observed: list[Observed] = []
        while piece := self._output(name, followed.offset, PIECE):
            lines = self._lines(followed, piece, last=ended and len(piece) < PIECE)
            if not lines:
                break
            observed += lines
        if followed.behind is not None and (ended or followed.offset >= followed.behind):
            followed.behind = None
            observed.append(CaughtUp(workload=name))
        if ended:
            del self._followed[name]
            observed.append(self._ended(name, there))
        if observed:
            self._listener(observed)

    @staticmethod
    def _lines(followed: Followed, piece: bytes, *, last: bool) -> builtins.list[Line]:
        found = []
        for line in _split(piece):
            if not line.endswith(b"\n") and not last:
                break
            whole = line.removesuffix(b"\n").removesuffix(b"\r")
            found.append(
                Line(
                    workload=followed.name,
                    source="train/out",
                    offset=followed.offset,
                    text=whole[:LONGEST].decode(errors="replace"),
                    length=len(whole),
                )
            )
            followed.offset += len(line)
        return found

    def _ended(self, name: str, there: Container | None) -> Ended:
        if there is None:
            return Ended(workload=name, status=None, ended_at=time.time(), lost=True, error="it was removed")
        code = there["exit_code"]
        tail = self._output(name, max(0, there["size"] - 4096), 4096).decode(errors="replace") if code else ""
        return Ended(
            workload=name,
            status=code if code <= 128 else 128 - code,
            ended_at=there["finished_at"],
            tail="\n".join(tail.splitlines()[-20:]),
        )


def _split(piece: bytes) -> list[bytes]:
    """Lines that end with a line feed alone."""
    parts = piece.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])
