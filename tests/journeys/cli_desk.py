"""A user's desk: a folder with a project, and the real `beagle` command in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

BEAGLE = Path(sys.executable).with_name("beagle")
DEADLINE = 60.0

PROJECT = """\
name: demo
template: template.yml
optimization: {{type: grid, objective_function: accuracy}}
parameters:
  - {{name: LR, type: absolute, value: {values}}}
"""
TEMPLATE = """\
services:
  train:
    command: ["sh", "-c", {command}]
    environment: {{LR: 1}}
"""


def environment() -> dict[str, str]:
    """Of a `beagle`: two of them would clash at the usual port, and few tests are about HTTP."""
    return {"BEAGLE_PORT": "off", **os.environ}


def eventually(answer: Callable[[], Any], seconds: float = DEADLINE) -> Any:
    """The first true answer; fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        found = answer()
        if found:
            return found
        assert time.monotonic() < deadline, f"still {found!r} after {seconds} s"
        time.sleep(0.03)


class Run:
    """A `beagle` that goes on; what it says is in two files."""

    def __init__(self, folder: Path, *words: object) -> None:
        number = len(list(folder.glob("*.said")))
        self._said, self._complained = folder / f"{number}.said", folder / f"{number}.complained"
        with self._said.open("wb") as said, self._complained.open("wb") as complained:
            self.process = subprocess.Popen(
                [BEAGLE, *map(str, words)],
                cwd=folder,
                env=environment(),
                stdout=said,
                stderr=complained,
                stdin=subprocess.DEVNULL,
            )

    @property
    def said(self) -> str:
        return self._said.read_text()

    @property
    def complained(self) -> str:
        return self._complained.read_text()

    def interrupt(self, how: int = signal.SIGINT) -> None:
        self.process.send_signal(how)

    def end(self) -> int:
        return self.process.wait(DEADLINE)


class Desk:
    """`values` are those of the one parameter LR; `command` is the shell line of each experiment."""

    def __init__(self, folder: Path, command: str, values: str = "[0.1, 0.2, 0.3]", more: str = "") -> None:
        self.folder = folder
        (folder / "project.yml").write_text(PROJECT.format(values=values) + more)
        (folder / "template.yml").write_text(TEMPLATE.format(command=json.dumps(command)))
        self._runs: list[Run] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing of a test outlives it: processes are found by the folder that all of them run in."""
        for run in self._runs:
            run.process.kill()
            run.process.wait()
        while left := self.alive():
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def beagle(self, *words: object, inside: str = ".") -> subprocess.CompletedProcess[str]:
        """Run to the end, its output caught."""
        return subprocess.run(
            [BEAGLE, *map(str, words)],
            cwd=self.folder / inside,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )

    def start(self, *words: object) -> Run:
        run = Run(self.folder, *words)
        self._runs.append(run)
        return run

    def experiments(self) -> list[dict[str, Any]]:
        """None before there is a project."""
        done = self.beagle("experiments", "--format", "json")
        assert done.returncode == 0 or "there is no" in done.stderr, done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout or "[]")
        return found

    def states(self) -> dict[int, str]:
        return {view["number"]: view["state"] for view in self.experiments()}

    def lines(self, name: str) -> list[str]:
        """What the experiments wrote to a file of the folder."""
        file = self.folder / name
        return file.read_text().splitlines() if file.exists() else []

    def alive(self) -> list[int]:
        """The processes of experiments: their environment names this folder."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if b"BEAGLE_" in environment and str(self.folder).encode() in environment:
                found.append(int(entry.name))
        return found
