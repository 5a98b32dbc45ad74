"""Runs Docker Compose: the plug-in of version 2 or the command `docker-compose`, whichever is there.

No shell is involved, and nothing of this process's environment is told but how Docker is reached: what a user's file
says in `${…}` finds no secret. The file goes over standard input: no copy of it lies anywhere.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock

from beagle.errors import LaunchFailed, Unavailable
from beagle.redaction import redacted

# Where Docker's packages put its plug-ins. They run by themselves too; and then the child is ours, not one of `docker`.
_PLUGINS = (
    "~/.docker/cli-plugins",
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)
_PASSED = re.compile("PATH|HOME|LANG|DOCKER_.*|SSH_AUTH_SOCK|(https?|no)_proxy|(HTTPS?|NO)_PROXY")
_AWAY = re.compile(
    "Couldn't connect to Docker daemon|Cannot connect to the Docker daemon|Connection refused|Connection aborted"
    "|Read timed out|COMPOSE_HTTP_TIMEOUT|error during connect|context deadline exceeded|EOF$"
)
# What Compose reports while all goes well, and what it says about files of older versions.
_PROGRESS = re.compile(
    r"time=.* level=warning|Some networks were defined but|Encountered errors while bringing up the project"
    r"|(Container|Network|Volume) .* (Creat|Start|Stopp|Remov|Wait|Healthy|Exited|Error)"
    r"|(Creating|Pulling|Starting|Removing|Stopping|Recreating) |Attaching to |WARNING: "
)
MISSING = (
    "there is no Docker Compose on this machine: neither a plug-in docker-compose of Docker nor the command"
    " docker-compose was found; install either"
)
_LINES, _LONGEST = 3, 700


class Halt:
    """Tells a run of the command, from another thread, that it is not to go on. What is halted stays halted."""

    def __init__(self) -> None:
        self.is_set = False
        self._end: Callable[[], None] | None = None
        self._lock = Lock()

    def set(self) -> None:
        with self._lock:
            self.is_set = True
            if self._end is not None:
                self._end()

    @contextmanager
    def calling(self, end: Callable[[], None]) -> Iterator[None]:
        """`end` is called if it is halted now or within."""
        with self._lock:
            self._end = end
            if self.is_set:
                end()
        try:
            yield
        finally:
            with self._lock:
                self._end = None


@dataclass(frozen=True, slots=True)
class Ran:
    """`told` is what it said besides its progress, as one sentence; `halted`: it did not get to its end."""

    status: int
    told: str
    halted: bool = False


def found() -> str | None:
    """The path of Docker Compose: first the plug-in, which takes a third of the time."""
    for folder in _PLUGINS:
        path = Path(folder).expanduser() / "docker-compose"
        if os.access(path, os.X_OK):
            return str(path)
    return shutil.which("docker-compose")


class ComposeCommand:
    """Its methods may be called from several threads. It runs in `folder`, which stays empty: so it finds no file of
    settings, and no relative path of a template leads anywhere."""

    def __init__(self, path: str, folder: Path, url: str, environment: Mapping[str, str]) -> None:
        self._path, self._folder = path, folder.absolute()
        self._environment = {name: value for name, value in environment.items() if _PASSED.fullmatch(name)}
        if url:
            self._environment["DOCKER_HOST"] = url

    def up(self, project: str, file: str, *, within: float, halt: Halt) -> None:
        """All services of the file are started when this returns. With `halt` it ends at once.

        Raises `LaunchFailed` with what Compose said, `Unavailable` when Docker does not answer. Some of the services
        may run then all the same, and nothing starts any more of them.
        """
        ran = self.run(project, ("up", "--detach", "--no-color"), file, within=within, halt=halt)
        if ran.halted:
            why = "it was stopped" if halt.is_set else f"it had not come up after {within:g} s"
            raise LaunchFailed(f"{project} did not start: {why}{f': {ran.told}' if ran.told else ''}")
        if ran.status:
            kind = Unavailable if _AWAY.search(ran.told) else LaunchFailed
            raise kind(f"{project} could not be started: docker-compose: {ran.told or f'status {ran.status}'}")

    def run(self, project: str, words: Sequence[str], file: str, *, within: float, halt: Halt) -> Ran:
        options = ("--ansi", "never", "--project-name", project, "--project-directory", str(self._folder), "--file")
        # It ends with the thread that waits for it, and so with this process: it would go on making containers.
        command = ("setpriv", "--pdeathsig", "KILL", "--", self._path, *options, "-", *words)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            process = subprocess.Popen(  # noqa: S603 - no shell; and no word of it comes from outside
                command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise Unavailable(f"{project} is not started: Docker Compose cannot be run: {error}") from error
        with process:
            try:
                return _attended(process, file.encode(), within, halt)
            finally:
                if process.returncode is None:
                    _kill(process)


def _attended(process: subprocess.Popen[bytes], file: bytes, within: float, halt: Halt) -> Ran:
    # Without the file it does nothing. It gets that when it is sure to end with us.
    while _is_setpriv(process.pid) and process.poll() is None:
        time.sleep(0.001)
    with halt.calling(partial(_kill, process)):
        try:
            _, told = process.communicate(file, timeout=within)
            halted = halt.is_set
        except subprocess.TimeoutExpired:
            _kill(process)
            _, told = process.communicate()
            halted = True
    return Ran(process.returncode, sentence(told), halted=halted)


def sentence(told: bytes) -> str:
    """The last of what it said that is no report of progress."""
    lines = [line.strip() for line in told.decode(errors="replace").splitlines()]
    lines = [line.removeprefix("ERROR: ") for line in lines if line]
    kept = [line for line in dict.fromkeys(lines) if not _PROGRESS.match(line)]
    return redacted("; ".join(kept[-_LINES:]))[-_LONGEST:]


def _is_setpriv(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/exe").readlink().name == "setpriv"
    return False


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
