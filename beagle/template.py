"""What an experiment runs: the model template, in the shape of a Compose file."""

from __future__ import annotations

from dataclasses import dataclass


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
    """`filename` is what a project definition calls it by; `folder` is where relative paths start."""

    filename: str
    folder: str
    services: tuple[Service, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One attempt, ready to start: `services` carry their whole environment of the template and of Beagle."""

    name: str
    experiment: str
    attempt: int
    services: tuple[Service, ...]


def workload_name(experiment: str, attempt: int) -> str:
    """The identity of an attempt, in every orchestrator."""
    return f"beagle-{experiment}-{attempt}"
