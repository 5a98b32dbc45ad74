"""One workload as the watcher sees it: its files, how far they have been read, and what tells that it has ended."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from beagle.orchestrators.folders import Attempt, Claim, Ending, is_followed
from beagle.orchestrators.remains import began, boot_id
from beagle.orchestrators.shims import Shim
from beagle.orchestrators.tail import Tail
from beagle.ports import CaughtUp, Ended, Line, Observed

_TAIL_BYTES = 4096
_TAIL_LINES = 20


class Watched:
    """Belongs to the watcher's thread. `unread` are the files that may hold more; `gone`: nothing will be added."""

    def __init__(self, attempt: Attempt, watch: int, *, adopted: bool) -> None:
        self.attempt = attempt
        self.watch = watch
        self.adopted = adopted
        self.shim: Shim | None = None
        self.process: int | None = None
        self.unread: set[str] = set()
        self.gone = False
        self.sweeping: set[int] = set()
        self.kill_at: float | None = None
        self.error = "the process that watched it is gone"
        self._tails: dict[str, Tail] = {}
        self._behind: dict[str, int] | None = None

    def adopt(self) -> None:
        """Tell everything from the beginning, and then that it has been told."""
        for tail in self._tails.values():
            tail.restart()
        self.unread.update(self.attempt.followed())
        self._behind = {name: _size(f"{self.attempt.path}/{name}") for name in self.unread}

    def end(self) -> None:
        """Nothing of it runs any more; what it wrote at last is read before it is `over`."""
        self.gone = True
        self.unread.update(self.attempt.followed())

    def changed(self, name: str) -> None:
        if is_followed(name):
            self.unread.add(name)

    def read(self) -> list[Observed]:
        """One piece of each file that may hold more, so that no workload starves another."""
        observed: list[Observed] = []
        for name in sorted(self.unread):
            tail = self._tail(name)
            if tail is None:
                self.unread.discard(name)
                continue
            lines, more = tail.read()
            observed += [self._line(name, *line) for line in lines]
            if not more:
                self.unread.discard(name)
        # Of one that has ended it comes with the end, in one push.
        if (
            self._behind is not None
            and not self.gone
            and all(self._has_read(name, size) for name, size in self._behind.items())
        ):
            self._behind = None
            observed.append(CaughtUp(workload=self.attempt.name))
        return observed

    def last(self, ending: Ending) -> list[Observed]:
        """Lines without a line end, and the end."""
        observed: list[Observed] = [
            self._line(name, *line) for name, tail in sorted(self._tails.items()) for line in tail.last()
        ]
        if self._behind is not None:
            self._behind = None
            observed.append(CaughtUp(workload=self.attempt.name))
        return [*observed, ended(self.attempt, ending)]

    def close(self) -> None:
        for tail in self._tails.values():
            tail.close()
        self._tails.clear()
        if self.process is not None:
            os.close(self.process)
            self.process = None

    def _tail(self, name: str) -> Tail | None:
        if name not in self._tails:
            try:
                self._tails[name] = Tail(f"{self.attempt.path}/{name}")
            except (FileNotFoundError, PermissionError):
                return None  # not made yet, or removed by hand
        return self._tails[name]

    def _has_read(self, name: str, size: int) -> bool:
        return name not in self.unread or (name in self._tails and self._tails[name].position >= size)

    def _line(self, name: str, offset: int, text: str, length: int) -> Line:
        source = f"{name.removesuffix('.out')}/out" if name.endswith(".out") else name
        return Line(workload=self.attempt.name, source=source, offset=offset, text=text, length=length)


def ended(attempt: Attempt, ending: Ending) -> Ended:
    return Ended(
        workload=attempt.name,
        status=ending.status,
        ended_at=ending.ended_at,
        # After success nobody asks, and to look costs a tenth of what the end of a short program does.
        tail="" if ending.never or ending.status == 0 else _log_tail(attempt, ending.service),
        error=ending.error,
        lost=ending.lost,
        out_of_memory=ending.out_of_memory,
        never=ending.never,
    )


def open_process(claim: Claim) -> int | None:
    """A descriptor of the process that made the claim; None when it is gone, also if its id is another's by now.

    Raises `OSError` when it cannot be told.
    """
    if claim.pid <= 0 or claim.boot != boot_id():
        return None
    try:
        process = os.pidfd_open(claim.pid)
    except ProcessLookupError:
        return None  # any other error is raised: it must not be taken for "gone"
    # Looked at after the opening: from here on the descriptor is of no other process than the one judged.
    if began(claim.pid) != claim.began:
        os.close(process)
        return None
    return process


def send(process: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        signal.pidfd_send_signal(process, number)


def _log_tail(attempt: Attempt, service: str) -> str:
    """The last lines of standard error, else of standard output."""
    names = [service] if service else [name.removesuffix(".out") for name in attempt.followed() if name.endswith("out")]
    for stream in ("err", "out"):
        for name in names:
            text = _last_lines(f"{attempt.path}/{name}.{stream}")
            if text:
                return text
    return ""


def _last_lines(path: str) -> str:
    size = _size(path)
    if not size:
        return ""
    with Path(path).open("rb", buffering=0) as file:
        file.seek(max(0, size - _TAIL_BYTES))
        lines = file.read(_TAIL_BYTES).decode(errors="replace").splitlines()
    return "\n".join(lines[-_TAIL_LINES:])


def _size(path: str) -> int:
    with suppress(FileNotFoundError):
        return os.stat(path).st_size  # noqa: PTH116 - the path is a string, as all of this module's
    return 0
