"""Servers for tests: started once for all workers of a test run, and gone when that ends, even if it was killed.

A server is a `Process` with a way to tell when it is ready. `shared` starts it in whichever worker asks first and hands
what describes it, as JSON, to all others. A test that kills its server starts one of its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

SUPERVISOR = Path(__file__).with_name("supervisor.py")
# Below the ports that the system gives to clients: none of them may sit on a server's port while that is down.
PORTS = range(15_000, 32_000)
PATIENCE = 90.0


class Missing(AssertionError):
    """What a test needs is not installed."""


def need(*programs: str) -> None:
    for program in programs:
        if not shutil.which(program):
            raise Missing(f"{program} is not installed, and this test needs it: run scripts/services.sh")


def test_run(folder: Path) -> Path:
    """The folder that all workers of this test run share, from the base temporary folder of one of them."""
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


def runner() -> int:
    """The process whose end is the end of the test run: that of pytest, also for its workers."""
    return os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()


def shared(folder: Path, name: str, start: Callable[[Path], dict[str, object]]) -> dict[str, object]:
    """What `start` told when the first worker called it; the others wait for that."""
    place = folder / "servers" / name
    place.mkdir(parents=True, exist_ok=True)
    told = place / "told.json"
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            told.write_text(json.dumps(start(place)))
    found: dict[str, object] = json.loads(told.read_text())
    return found


def free_ports(count: int) -> list[int]:
    found: set[int] = set()
    while len(found) < count:
        port = random.SystemRandom().choice(PORTS)
        with socket.socket() as tried, contextlib.suppress(OSError):
            tried.bind(("127.0.0.1", port))
            found.add(port)
    return sorted(found)


class Process:
    """A server's process group under its supervisor; started, killed and started again, from any worker."""

    def __init__(self, folder: Path, command: list[str], environment: Mapping[str, str] | None = None) -> None:
        self.folder, self.command, self.environment = folder, command, dict(environment or {})
        self._pid = folder / "server.pid"

    def start(self, is_ready: Callable[[], bool], watched: int | None = None) -> None:
        """Returns when it is ready. It ends with the process `watched`, or else with the test run."""
        self._pid.unlink(missing_ok=True)
        with (self.folder / "output").open("ab") as output:
            supervisor = subprocess.Popen(
                [sys.executable, "-S", SUPERVISOR, str(watched or runner()), self._pid, *self.command],
                env=os.environ | self.environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + PATIENCE
        while not is_ready():
            assert supervisor.poll() is None, f"it ended at once: {self.told()}"
            assert time.monotonic() < deadline, f"it did not come up in {PATIENCE:g} s: {self.told()}"
            time.sleep(0.05)
        supervisor.returncode = 0  # it ends when it ends: nobody waits for it

    def told(self) -> str:
        return (self.folder / "output").read_text(errors="replace")[-2000:]

    def kill(self) -> None:
        """SIGKILL to all of it; returns when it is gone."""
        self.signal(signal.SIGKILL)
        self._gone()

    def stop(self) -> None:
        """SIGTERM; returns when it is gone."""
        self.signal(signal.SIGTERM)
        self._gone()

    def signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            os.killpg(int(self._pid.read_text()), number)

    def _gone(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.is_alive():
            assert time.monotonic() < deadline, f"it did not end in {PATIENCE:g} s: {self.told()}"
            time.sleep(0.02)

    def is_alive(self) -> bool:
        """Whether any process of its group is there; a zombie is none, unless threads of it are still to go."""
        group = self._pid.read_text() if self._pid.exists() else ""
        for status in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                state, _, its_group = status.read_text().rpartition(")")[2].split()[:3]
                if its_group == group and (state != "Z" or len(list((status.parent / "task").iterdir())) > 1):
                    return True
        return False
