"""One attempt's programs, from their start until nothing of them is left. Runs in the shim, which has one thread."""
# pathlib would double the shim's imports, hence:
# ruff: noqa: PTH112, PTH113, PTH118

from __future__ import annotations

import errno
import os
import signal
import time
from contextlib import suppress
from functools import cache
from typing import Any

from beagle.orchestrators.remains import descendants, read

_WAITED = (signal.SIGCHLD, signal.SIGTERM)
# Python ignores SIGPIPE and SIGXFSZ, and an ignored signal stays so over an exec.
_DEFAULTS = tuple(number for number in signal.valid_signals() if signal.getsignal(number) == signal.SIG_IGN)
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


class Supervision:
    """`request` holds `folder`, `grace` and `services`, each with name, command, directory, environment, main."""

    def __init__(self, request: dict[str, Any]) -> None:
        self._folder: str = request["folder"]
        self._grace: float = request["grace"]
        self._services: list[dict[str, Any]] = request["services"]
        self._has_main = any(service["main"] for service in self._services)
        self._running: dict[int, dict[str, Any]] = {}
        self._counted: tuple[str, int] | None = None
        self._childless = False
        self._over = False
        self._killed = False
        self._killed_it = False
        self._error = ""

    def run(self) -> dict[str, object]:
        """Start, wait, stop what is left; returns what `exit.json` holds."""
        # A stop writes its mark, then looks for the claim; we claimed and now look for the mark: one sees the other.
        if self._is_forbidden():
            return self._ending(never=True)
        ooms = out_of_memory_kills()
        for service in self._services:
            self._start(service)
            if self._error:
                break
        while self._running and not self._over:
            self._wait(None)
        self._end_the_rest()
        killed = self._counted is not None and self._counted[1] in (-signal.SIGKILL, 128 + signal.SIGKILL)
        return self._ending(
            out_of_memory=killed and not self._killed_it and out_of_memory_kills() > ooms,
        )

    def _start(self, service: dict[str, Any]) -> None:
        environment = {**_inherited(), **service["environment"]}
        command: list[str] = service["command"]
        try:
            os.chdir(service["directory"])
            out = os.open(f"{self._folder}/{service['name']}.out", _APPEND, 0o644)
            err = os.open(f"{self._folder}/{service['name']}.err", _APPEND, 0o644)
        except OSError as error:
            self._fail(f"{service['name']} could not be started: {error.strerror}: {error.filename}")
            return
        program = find(command[0], environment.get("PATH", os.defpath))
        if program is None:
            self._fail(f'the command "{command[0]}" was not found')
            return
        actions = ((os.POSIX_SPAWN_DUP2, out, 1), (os.POSIX_SPAWN_DUP2, err, 2))  # 0 is /dev/null already
        try:
            pid = os.posix_spawn(
                program, command, environment, file_actions=actions, setpgroup=0, setsigmask=(), setsigdef=_DEFAULTS
            )
        except (OSError, ValueError) as error:
            why = "no #! line names what runs it" if getattr(error, "errno", 0) == errno.ENOEXEC else error
            self._fail(f'the command "{command[0]}" could not be run: {why}')
        else:
            self._running[pid] = service
        finally:
            os.close(out)
            os.close(err)

    def _fail(self, sentence: str) -> None:
        self._error = sentence
        self._over = True

    def _wait(self, seconds: float | None) -> None:
        """Until a child ended, a stop came or the time is up."""
        if seconds is None:
            came = signal.sigwaitinfo(_WAITED).si_signo
        else:
            info = signal.sigtimedwait(_WAITED, max(0.0, seconds))
            came = info.si_signo if info else 0
        # A stop that was meant for the attempt before this one left no mark here.
        if came == signal.SIGTERM and self._is_forbidden():
            self._over = True
        self._reap()

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                service = self._running.pop(pid, None)
                if service is not None:
                    self._note(service, os.waitstatus_to_exitcode(status))
        self._childless = True

    def _note(self, service: dict[str, Any], status: int) -> None:
        if self._has_main and not service["main"]:
            return
        if self._counted is None or (self._counted[1] == 0 and not self._has_main):
            self._counted = (service["name"], status)
            self._killed_it = self._killed
        if self._has_main or status != 0:
            self._over = True

    def _end_the_rest(self) -> None:
        """SIGTERM, the grace, SIGKILL until there are no children: so no descendants, for orphans become children."""
        if not self._childless:
            self._reap()
        told: set[int] = set()
        patience, pause = time.monotonic() + self._grace, 0.01
        while not self._childless and (left := patience - time.monotonic()) > 0:
            # Again and again, for what was forked meanwhile and left its group.
            told |= self._signal(signal.SIGTERM, told)
            self._wait(min(left, pause))
            pause *= 2
        self._killed = True
        while not self._childless:
            self._signal(signal.SIGKILL, set())
            self._wait(0.01)

    def _signal(self, number: signal.Signals, but: set[int]) -> set[int]:
        """To whole groups of the descendants, so that no fork of this moment escapes it; returns the groups."""
        own, members = os.getpgrp(), descendants(os.getpid())
        groups = set(members.values()) - but - {own}
        for group in groups:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)
        for pid in (pid for pid, group in members.items() if group == own):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)  # it joined the shim's group, which must not die of it
        return groups

    def _is_forbidden(self) -> bool:
        return os.access(f"{self._folder}/stop", os.F_OK)

    def _ending(self, *, never: bool = False, out_of_memory: bool = False) -> dict[str, object]:
        service, status = self._counted or ("", None)
        return {
            "status": None if self._error else status,
            "service": service,
            "ended_at": time.time(),
            "error": self._error,
            "out_of_memory": out_of_memory,
            "never": never,
        }


@cache
def _inherited() -> dict[str, str]:
    """The scheduler's environment as of its start; `os.environ` decodes all of it each time."""
    return dict(os.environ)


def find(command: str, path: str) -> str | None:
    """The program that `command` names, as a shell would find it; relative to the current directory."""
    if "/" in command:
        return command if os.path.isfile(command) else None
    for folder in path.split(os.pathsep):
        program = os.path.join(folder, command)
        if os.access(program, os.X_OK) and not os.path.isdir(program):
            return program
    return None


def out_of_memory_kills() -> int:
    """How many processes of this machine the kernel has killed for memory, since it was booted."""
    return int(read("/proc/vmstat").partition(b"\noom_kill ")[2].split(b"\n", 1)[0] or 0)
