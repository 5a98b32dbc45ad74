"""Schedulers in processes of their own, to be killed and stopped. Run as a module it is the process that forks them:
everything is imported there once, so that one is up after 50 ms instead of 700.

Lines in: `start <cast> <orchestrator> <folder>`, `kill <pid>`. Line out: the process id of one that is ready, or
`dead`. At the end of the input all are killed.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self

from actors.gateway import Gateway
from actors.main import Cast, GuestSession, open_session
from actors.queue_manager import QueueManager
from beagle.errors import BeagleError
from beagle.folder import Folder
from beagle.settings import Settings
from tests.journeys.beagle_run import ROOT, Run
from tests.journeys.census import end_all


class Stopping(QueueManager):
    """Stops its whole process between its third claim's two writes."""

    claims = 0

    def between_writes(self) -> None:
        self.claims += 1
        if self.claims == 3:
            os.kill(os.getpid(), signal.SIGSTOP)


class Impatient(Gateway):
    """Nobody sleeps for long here."""

    quiet = 0.2


CASTS = {"usual": Cast(), "stopping": Cast(queue_manager=Stopping), "impatient": Cast(gateway=Impatient)}


class Kennel:
    """Starts and kills schedulers of one folder; a context manager, at whose end nothing of them is left."""

    def __init__(self, folder: Path, *, orchestrator: str = "process") -> None:
        self.folder = folder
        self._orchestrator = orchestrator
        self._state = Folder(folder / "state")
        self._forker = subprocess.Popen(
            [sys.executable, "-m", "tests.journeys.kennel"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = 0
        self._guest: GuestSession | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._hang_up()
        self._forker.stdin.close()
        self._forker.wait()
        self._forker.stdout.close()
        end_all(self._state.experiments)

    def start(self, cast: str = "usual") -> None:
        """Returns when it listens."""
        self.pid = int(self._order(f"start {cast} {self._orchestrator} {self._state.path}"))

    def kill(self) -> None:
        """As `kill -9`; returns when it is dead."""
        self._hang_up()
        assert self._order(f"kill {self.pid}") == "dead"

    def run(self) -> Run:
        """To speak to the one that runs now."""
        self._hang_up()
        self._guest = GuestSession(self._state)
        return Run(self.folder, self._guest)

    def is_stopped(self) -> bool:
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    def _hang_up(self) -> None:
        if self._guest is not None:
            self._guest.close()
            self._guest = None

    def _order(self, line: str) -> str:
        self._forker.stdin.write(line + "\n")
        self._forker.stdin.flush()
        return self._forker.stdout.readline().strip()


def _fork(cast: str, orchestrator: str, folder: str) -> int:
    ready, up = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ready)
        os.close(0)
        try:
            open_session(Path(folder), settings=Settings(orchestrator=orchestrator), scheduling=True, cast=CASTS[cast])
            os.write(up, b"1")
        except BeagleError as error:
            print(error, file=sys.stderr)
            os._exit(1)
        while True:
            signal.pause()
    os.close(up)
    select.select([ready], [], [], 60)
    assert os.read(ready, 1) == b"1", "the scheduler did not come up"
    os.close(ready)
    return pid


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError, ChildProcessError):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def main() -> None:
    alive: set[int] = set()
    for line in sys.stdin:
        order, *words = line.split(maxsplit=3)
        if order == "start":
            pid = _fork(words[0], words[1], words[2].strip())
            alive.add(pid)
            print(pid, flush=True)
        else:
            _kill(int(words[0]))
            alive.discard(int(words[0]))
            print("dead", flush=True)
    for pid in alive:
        _kill(pid)


if __name__ == "__main__":
    main()
