"""Runs experiments as processes of this machine. What they are and how they ended is in files, so a scheduler that
was killed learns the truth on its return. Linux only: it rests on subreapers, process descriptors and inotify.
"""

from __future__ import annotations

import builtins
import codecs
import errno
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Lock

from beagle.errors import LaunchFailed, NotFound, Refused, Unavailable
from beagle.orchestrators.folders import Attempt, Folders
from beagle.orchestrators.shims import Shims
from beagle.orchestrators.watcher import Watcher
from beagle.ports import Log, Observed
from beagle.settings import Settings
from beagle.template import COMMAND, Service, Template, Workload

_PASSES = {errno.EAGAIN, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC}


class ProcessOrchestrator:
    """See `Orchestrator`. `folder` is this system's own; `site` is by default the name of the machine.

    Several schedulers may use one folder: each workload runs once. The listener must not raise.
    """

    starts = 1

    def __init__(self, folder: Path, site: str = "") -> None:
        self.site = site or socket.gethostname()
        self._folders = Folders(folder)
        self._shims = Shims(self._folders.root / "shims.log")
        self._watcher: Watcher | None = None
        self._starting = Lock()

    @staticmethod
    def refusals(template: Template, settings: Settings) -> builtins.list[str]:  # noqa: ARG004 - none speaks of it
        missing = [service.name for service in template.services if not service.command]
        return [template.sentence(("services", name, "command"), f"is missing; give {COMMAND}") for name in missing]

    def check(self, template: Template) -> builtins.list[str]:
        return [problem for service in template.services for problem in _problems(template, service)]

    def watch(self, listener: Callable[[Sequence[Observed]], None]) -> None:
        self._watcher = Watcher(listener, self._shims.give_back)

    def start(self, workload: Workload) -> float:
        watcher, attempt = self._watching(), self._folders.attempt(workload.name)
        try:
            with self._starting:
                if not attempt.is_forbidden() and attempt.claim() is None:
                    started_at = self._launch(watcher, attempt, workload)
                    if started_at is not None:
                        return started_at
                claim = attempt.claim()
        except OSError as error:
            raise _failure(workload.name, error.errno or 0, str(error)) from error
        watcher.adopt(attempt)
        return claim.started_at if claim is not None else time.time()

    def stop(self, name: str) -> None:
        attempt = self._folders.attempt(name)
        try:
            attempt.forbid()
        except OSError as error:
            raise Unavailable(f"{name} cannot be stopped: {error}") from error
        self._watching().stop(attempt)

    def list(self) -> builtins.list[str]:
        try:
            return self._folders.entered()
        except OSError as error:
            raise Unavailable(f"what was started cannot be listed: {error}") from error

    def clean(self, name: str) -> None:
        """Its files stay: the logs, and the claim that keeps it from running again. Raises `Refused` while it runs."""
        if self._watcher is not None and self._watcher.is_watching(name):
            raise Refused(f"{name} has not ended yet")
        self._folders.leave(name)

    def logs(self, name: str, *, stream: str = "out", offset: int = 0, limit: int = 65536) -> Log:
        """With several services `out` and `err` are those of the main one, else of the first;
        `<service>/out` and `<service>/err` are those of any."""
        attempt = self._folders.attempt(name)
        # Before the reading: what is read after the end is all there is.
        ended = attempt.has_ended()
        try:
            with Path(_log_file(attempt, stream)).open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                begin = max(0, size + offset) if offset < 0 else offset
                # Far behind the end no file can be read at all.
                content = os.pread(file.fileno(), limit, begin) if begin <= size else b""
                last = begin + len(content) >= size
        except FileNotFoundError as error:
            raise NotFound(f'{name} has not written to "{stream}"') from error
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text = decoder.decode(content, final=(ended and last) or len(content) < 4)
        # A character that the limit cuts comes with the next piece.
        return Log(text, begin + len(content) - len(decoder.getstate()[0]), ended and last)

    def close(self) -> None:
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None
        self._shims.close()

    def _watching(self) -> Watcher:
        if self._watcher is None:
            raise Refused("watch comes before start and stop, and nothing after close")
        return self._watcher

    def _launch(self, watcher: Watcher, attempt: Attempt, workload: Workload) -> float | None:
        """When it was started; None when someone else has claimed it."""
        now = time.time()
        attempt.prepare()
        self._folders.enter(workload.name)
        watched = watcher.prepare(attempt)
        try:
            shim, number = self._shims.start(_request(attempt, workload, now))
        except Unavailable:
            watcher.drop(watched)
            raise
        if shim is not None:
            watcher.launched(watched, shim)
            return now
        watcher.drop(watched)
        if number:
            self._folders.leave(workload.name)
            raise _failure(workload.name, number, f"{os.strerror(number)}: {attempt.path}")
        return None


def _failure(name: str, number: int, why: str) -> LaunchFailed | Unavailable:
    """What passes by itself is no fault of the workload."""
    kind = Unavailable if number in _PASSES else LaunchFailed
    return kind(f"{name} could not be started: {why}")


def _request(attempt: Attempt, workload: Workload, now: float) -> dict[str, object]:
    """What the shim is to do, and what the claim is to hold."""
    grace = max((service.grace for service in workload.services), default=0.0)
    beagle = {
        "BEAGLE_WORKLOAD": attempt.name,
        "BEAGLE_OUTPUT_DIR": f"{attempt.path}/output",
        "BEAGLE_CHECKPOINT_DIR": attempt.checkpoint,
        "BEAGLE_REPORT_URL": attempt.url,
    }
    return {
        "folder": attempt.path,
        "grace": grace,
        "claim": {
            "started_at": now,
            "grace": grace,
            "services": [service.name for service in workload.services],
            "main": next((service.name for service in workload.services if service.main), ""),
        },
        "services": [
            {
                "name": service.name,
                "command": service.command,
                "directory": service.working_dir,
                "environment": {**service.environment, **beagle},
                "main": service.main,
            }
            for service in workload.services
        ],
    }


def _log_file(attempt: Attempt, stream: str) -> str:
    service, _, kind = stream.rpartition("/")
    if kind not in ("out", "err") or "/" in service:
        raise NotFound(f'there is no stream "{stream}"; there are out, err, <service>/out and <service>/err')
    if not service:
        claim = attempt.claim()
        if claim is None or not claim.services:
            raise NotFound(f"{attempt.name} has not written anything")
        service = claim.main or claim.services[0]
    return f"{attempt.path}/{service}.{kind}"


def _problems(template: Template, service: Service) -> Iterator[str]:
    where = f"{template.filename}: service {service.name}"
    if not service.command:
        return
    folder, program = Path(template.folder, service.working_dir), service.command[0]
    if not folder.is_dir():
        yield f"{where}: working_dir {folder} is no folder"
    elif "/" in program:
        if not os.access(folder / program, os.X_OK) or (folder / program).is_dir():
            yield f'{where}: the command "{program}" is no executable file in {folder}'
    elif shutil.which(program, path=service.environment.get("PATH")) is None:
        yield f'{where}: the command "{program}" was not found in any folder of PATH'
