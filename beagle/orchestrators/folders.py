"""Where the process orchestrator keeps what. What is known of a workload is in its files.

running/<workload>                      made before its start, removed when it is cleaned: a link to the empty `mark`
experiments/<id>/checkpoint/            kept over all attempts
experiments/<id>/<attempt>/shim.json    who runs it: made once, by whoever is the first
                           exit.json    how it ended
                           stop         it never starts again
                           <service>.out, <service>.err, *.report, output/
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from beagle.template import attempt_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Who runs an attempt: a process by its id, when it began (clock ticks), and the boot of the machine."""

    pid: int = 0
    began: int = 0
    boot: str = ""
    started_at: float = 0.0
    grace: float = 0.0
    services: tuple[str, ...] = ()
    main: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How it ended; `service` is the one whose status counted."""

    status: int | None = None
    service: str = ""
    ended_at: float
    error: str = ""
    lost: bool = False
    out_of_memory: bool = False
    never: bool = False


class Attempt:
    """The files of one workload. Every method reads or writes them anew."""

    __slots__ = ("checkpoint", "name", "path", "url")

    def __init__(self, name: str, path: str, checkpoint: str) -> None:
        self.name = name
        self.path = path
        self.checkpoint = checkpoint
        self.url = f"file://{path}"

    def claim(self) -> Claim | None:
        """None when nobody has started it; a claim that a crash of the machine left empty is nobody's process."""
        try:
            content = _load(f"{self.path}/shim.json")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except ValueError:
            return Claim()
        return Claim(**{**content, "services": tuple(content["services"])})

    def ending(self) -> Ending | None:
        try:
            return Ending(**_load(f"{self.path}/exit.json"))
        except (FileNotFoundError, ValueError):
            return None

    def record(self, ending: Ending) -> None:
        """For one that nobody watched to its end. What cannot be written is found out anew the next time."""
        draft = Path(f"{self.path}.exit")
        with suppress(OSError):
            draft.write_text(json.dumps(asdict(ending)))
            draft.rename(Path(self.path, "exit.json"))

    def has_ended(self) -> bool:
        return os.access(f"{self.path}/exit.json", os.F_OK)

    def is_forbidden(self) -> bool:
        return os.access(f"{self.path}/stop", os.F_OK)

    def forbid(self) -> None:
        """From now on a start of it runs nothing."""
        folder = Path(self.path)
        folder.mkdir(parents=True, exist_ok=True)
        Path(folder, "stop").touch()

    def prepare(self) -> None:
        for path in (self.path.rpartition("/")[0], self.path, self.checkpoint, f"{self.path}/output"):
            with suppress(FileExistsError):
                os.mkdir(path)  # noqa: PTH102 - strings, as everything on this path: a Path is half of its cost

    def followed(self) -> list[str]:
        """The files whose lines are pushed."""
        try:
            names = os.listdir(self.path)  # noqa: PTH208 - names are all that is needed, 10 times as fast
        except FileNotFoundError:
            return []
        return sorted(name for name in names if is_followed(name))


def is_followed(name: str) -> bool:
    """Not what goes to standard error: a traceback is no report."""
    return name.endswith((".out", ".report"))


class Folders:
    """All workloads below `root`, which is made when it is missing."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._running = self.root / "running"
        self._experiments = self.root / "experiments"
        self._running.mkdir(parents=True, exist_ok=True)
        self._experiments.mkdir(exist_ok=True)
        self._mark = f"{self.root}/mark"
        Path(self._mark).touch()

    def attempt(self, name: str) -> Attempt:
        """The files of `beagle-<experiment>-<attempt>`. Raises `NotFound` for a name of another shape."""
        experiment, number = attempt_of(name)
        folder = f"{self._experiments}/{experiment}"
        return Attempt(name, f"{folder}/{number}", f"{folder}/checkpoint")

    def enter(self, name: str) -> None:
        # A link, not a file: ext4 searches a free inode around all that were removed in the last five seconds.
        with suppress(FileExistsError):
            os.link(self._mark, f"{self._running}/{name}")

    def leave(self, name: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(f"{self._running}/{name}")  # noqa: PTH108 - as in `prepare`

    def entered(self) -> list[str]:
        return sorted(os.listdir(self._running))  # noqa: PTH208 - names are all that is needed


def _load(path: str) -> dict[str, Any]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content: dict[str, Any] = json.loads(os.read(descriptor, 1 << 20))
    finally:
        os.close(descriptor)
    return content
