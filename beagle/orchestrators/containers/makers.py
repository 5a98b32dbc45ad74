"""Who made a container, and so alone may start it; and when that one surely never will."""

from __future__ import annotations

import math
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from threading import Lock
from uuid import uuid4

from beagle.orchestrators.remains import began, boot_id

# A container is started within so many seconds of its creation, by the clock that goes on in a suspended machine.
BOUND = 60.0
# After so many seconds nobody on another machine can still be about to start it.
FORGOTTEN = 180.0


@dataclass(frozen=True, slots=True)
class Maker:
    """One try of one process to start a workload, as text on its containers: see `mark`."""

    mark: str
    began: float

    @staticmethod
    def new() -> Maker:
        maker = Maker("/".join((*_here(), uuid4().hex)), time.clock_gettime(time.CLOCK_BOOTTIME))
        with _lock:
            _trying[maker.mark] = math.inf
        return maker

    def is_late(self) -> bool:
        """Then it must not start anything any more: others may count on that."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) - self.began > BOUND

    def done(self, after: float = 0.0) -> None:
        """It starts nothing any more; `after` so many seconds, when a call of its was not answered."""
        with _lock:
            if after:
                _trying[self.mark] = time.monotonic() + after
            else:
                _trying.pop(self.mark, None)


# Of this process: until when each may start something.
_trying: dict[str, float] = {}
_lock = Lock()


def is_gone(mark: str, age: float) -> bool:
    """Whether whoever left this mark will surely start nothing any more; `age` is the container's, in seconds."""
    with suppress(ValueError):
        boot, namespace, pid, start, _ = mark.split("/")
        if (boot, namespace) == _here()[:2]:
            if (pid, start) == _here()[2:]:
                with _lock:
                    return _trying.get(mark, 0.0) < time.monotonic()
            return began(int(pid)) != int(start)
    return age > FORGOTTEN


def _here() -> tuple[str, str, str, str]:
    return (*_machine(), str(os.getpid()), str(began(os.getpid())))


@cache
def _machine() -> tuple[str, str]:
    """A process id means something only within one boot and one namespace of processes."""
    namespace = os.readlink("/proc/self/ns/pid").strip("pid:[]")  # noqa: PTH115 - it is no path
    return boot_id().replace("/", ""), namespace
