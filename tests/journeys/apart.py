"""A deployment whose actors are processes of their own, over a real broker and a server of MongoDB's protocol."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.journeys.census import end_all
from tests.journeys.cli_desk import BEAGLE, DEADLINE, eventually

KINDS = ("monitor", "launcher", "gateway", "heuristic", "queue-manager")


class Actor:
    """One `beagle` process that serves; what it logs is in a file."""

    def __init__(self, folder: Path, environment: dict[str, str], *words: str) -> None:
        self.log = folder / f"{'-'.join(words)}.{len(list(folder.glob('*.log')))}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [BEAGLE, *words], cwd=folder, env=environment, stderr=log, stdout=log, stdin=subprocess.DEVNULL
            )

    @property
    def said(self) -> str:
        return self.log.read_text()

    @property
    def port(self) -> int:
        return int(eventually(lambda: re.search(r"health and metrics at http://[^:]+:(\d+)", self.said))[1])

    def serves(self) -> Self:
        """As soon as it says so."""
        eventually(lambda: "serving" in self.said or self.process.poll() is not None)
        assert self.process.poll() is None, self.said
        return self

    def page(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def end(self, how: int = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(DEADLINE)


class Apart:
    """A context manager, at whose end nothing of it is left. `environment` is what every process is given."""

    def __init__(self, folder: Path, bus: str, metrics_bus: str, store: str) -> None:
        self.folder = folder
        self.actors: list[Actor] = []
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("BEAGLE_", "ORCHESTRATOR"))}
        self.environment = kept | {
            "BEAGLE_BUS": bus,
            "BEAGLE_METRICS_BUS": metrics_bus,
            "BEAGLE_STORE": store,
            "BEAGLE_FOLDER": str(folder / "state"),
            "BEAGLE_HEALTH_PORT": "0",
            "BEAGLE_PORT": "off",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for actor in self.actors:
            with suppress(ProcessLookupError):
                actor.process.kill()
            actor.process.wait()
        end_all(self.folder / "state" / "experiments")

    def start(self, *words: str, **more: str) -> Actor:
        """`beagle` with these words; `more` are further variables."""
        actor = Actor(self.folder, self.environment | more, *words)
        self.actors.append(actor)
        return actor

    def start_each(self, kinds: Iterable[str] = KINDS, **more: str) -> dict[str, Actor]:
        """One process for each kind, all of them serving."""
        started = {kind: self.start("actor", kind, **more) for kind in kinds}
        for actor in started.values():
            actor.serves()
        return started

    def beagle(self, *words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BEAGLE, *map(str, words)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=2 * DEADLINE,
            check=False,
        )
