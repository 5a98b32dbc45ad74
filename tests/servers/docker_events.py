"""Writes down what a Docker daemon says of its containers, for as long as a test lasts, whatever the daemon dies of."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

import requests
from docker.errors import DockerException

from tests.servers.dockerd import Dockerd

# Of a daemon that came again, what it said before it was listened to, too: it keeps its last 256 events.
FROM_THE_BEGINNING = "0"


@dataclass(frozen=True, slots=True)
class Event:
    """`at` is the daemon's own time; `about` are its name, image, labels and, of `die`, its exit code."""

    action: str
    container: str
    at: float
    about: Mapping[str, str]

    @property
    def name(self) -> str:
        return self.about["name"]


class Recorder:
    """A context manager. `events` are those of containers, each once, in the order in which they happened."""

    def __init__(self, dockerd: Dockerd) -> None:
        self._dockerd = dockerd
        self._known: dict[tuple[int, str, str], Event] = {}
        self._since = FROM_THE_BEGINNING
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._stream: Any = None
        self._thread = threading.Thread(target=self._listen, name="docker events", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        stream = self._stream
        if stream is not None:
            with suppress(Exception):
                stream.close()
        self._thread.join(5)

    @property
    def events(self) -> list[Event]:
        with self._lock:
            return sorted(self._known.values(), key=lambda event: event.at)

    def caught_up(self) -> list[Event]:
        """Also what had happened by now and was not heard of yet; for a daemon that answers."""
        with self._dockerd.client() as client:
            for told in client.api.events(since=self._since, until=f"{time.time():.6f}", decode=True, filters=_FILTERS):
                self._add(told)
        return self.events

    def _listen(self) -> None:
        while not self._over.is_set():
            with suppress(DockerException, requests.RequestException, OSError), self._dockerd.client(3600) as client:
                self._stream = client.api.events(since=self._since, decode=True, filters=_FILTERS)
                for told in self._stream:
                    self._add(told)
            self._over.wait(0.02)

    def _add(self, told: dict[str, Any]) -> None:
        nanoseconds, actor = int(told["timeNano"]), told["Actor"]
        event = Event(told["Action"], actor["ID"], nanoseconds / 1e9, actor["Attributes"])
        with self._lock:
            self._known[nanoseconds, event.container, event.action] = event
            # Some of the same moment may be still to come: they are told from those that are known.
            self._since = f"{nanoseconds // 10**9}.{nanoseconds % 10**9:09d}"


_FILTERS = {"type": "container"}
