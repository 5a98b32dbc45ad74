"""Counts the living experiments of a folder as the operating system sees them: processes with Beagle's marker."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from beagle.orchestrators.remains import began, read


def living(folder: Path) -> dict[int, str]:
    """Process ids and the workload of each, of those that report to `folder`."""
    found = {}
    place = f"BEAGLE_REPORT_URL=file://{folder}/".encode()
    for entry in Path("/proc").iterdir():
        environment = read(f"{entry}/environ") if entry.name.isdigit() else b""
        if place in environment:
            variables = dict(v.split(b"=", 1) for v in environment.split(b"\0") if b"=" in v)
            found[int(entry.name)] = variables[b"BEAGLE_WORKLOAD"].decode()
    return found


def end_all(folder: Path) -> None:
    """Nothing of a test outlives it."""
    deadline = time.monotonic() + 10
    while remaining := living(folder):
        assert time.monotonic() < deadline, f"{remaining} cannot be killed"
        for pid in remaining:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)


class Census:
    """Looks every few milliseconds from `with` to its end; `most` is how many workloads lived at one instant."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.most = 0
        self.looks = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def now(self) -> int:
        # A look takes some milliseconds, in which one may end and the next begin. Those that are seen before and after
        # one moment lived at that moment.
        seen = {pid: (workload, began(pid)) for pid, workload in living(self._folder).items()}
        still = {workload for pid, (workload, since) in seen.items() if since and began(pid) == since}
        return len(still)

    def _look(self) -> None:
        while not self._over.wait(0.003):
            self.most = max(self.most, self.now())
            self.looks += 1
