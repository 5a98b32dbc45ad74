"""What an experiment runs: the model template, in the shape of a Compose file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pydantic import JsonValue

from beagle.errors import NotFound

# What a service's command may be.
COMMAND = "text, or a list of words"
_NAME = re.compile("beagle-([0-9a-z]+)-([1-9][0-9]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One command of the template. `grace` is the seconds between SIGTERM and SIGKILL; the end of a
    `main` one ends the workload."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]
    working_dir: str
    grace: float = 10.0
    main: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """`filename` is what a project definition calls it by; `folder` is where relative paths start.

    `document` is the whole file as data; `lines` are its lines by place, the parts of a place joined by `/`.
    """

    filename: str
    folder: str
    services: tuple[Service, ...]
    document: dict[str, JsonValue] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)

    def sentence(self, place: tuple[str | int, ...], what: str) -> str:
        """A mistake as users read it: file, line, field, what is wrong. A missing field has the line of its parent."""
        named = "".join(f".{part}" if isinstance(part, str) else f"[{part + 1}]" for part in place)[1:]
        while place and "/".join(map(str, place)) not in self.lines:
            place = place[:-1]
        line = self.lines.get("/".join(map(str, place)))
        return f"{self.filename}{'' if line is None else f':{line}'}: {named}: {what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One attempt, ready to start: `services` carry their whole environment of the template and of Beagle.

    `document` is the template's, as it was written: the values of the experiment are in `services`.
    """

    name: str
    project: str
    experiment: str
    attempt: int
    services: tuple[Service, ...]
    document: dict[str, JsonValue] = field(default_factory=dict)


def workload_name(experiment: str, attempt: int) -> str:
    """The identity of an attempt, in every orchestrator."""
    return f"beagle-{experiment}-{attempt}"


def attempt_of(name: str) -> tuple[str, int]:
    """The experiment and the attempt of a workload's name. Raises `NotFound` for a name of another shape."""
    found = _NAME.fullmatch(name)
    if found is None:
        raise NotFound(f'there is no workload "{name}": their names are beagle-<experiment>-<attempt>')
    return found[1], int(found[2])
