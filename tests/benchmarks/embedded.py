"""One search through the whole embedded system, in this process: as `beagle run` has it, without its view."""

from __future__ import annotations

import json
import os
import resource
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from actors.main import Session, open_session
from beagle.commands import (
    SetLimit,
    ShowProject,
    ShowSystem,
    StartSystem,
    SubmitProject,
)
from beagle.orchestrators.remains import descendants, read
from beagle.settings import Settings
from tests.benchmarks.child import Found, serve

LONGEST = 300.0


def run(
    folder: str,
    command: Sequence[str],
    count: int,
    limit: int,
    more: dict[str, Any],
    variables: dict[str, str],
    settings: dict[str, str] | None = None,
    service: dict[str, Any] | None = None,
) -> Found:
    """Seconds from StartSystem until the project is completed and no place is held, and who used the processors.

    `service` is more of the template's service, for containers.
    """
    place = Path(folder)
    place.mkdir(parents=True)
    session = open_session(place / "state", settings=Settings(**(settings or {})), scheduling=True)
    try:
        session.ask(SetLimit(limit=limit))
        project = session.ask(order(place, command, count, more, variables, service))["projects"][0]["id"]
        used, started = _own_seconds(), time.perf_counter()
        session.ask(StartSystem())
        _wait(session, project, count)
        seconds = time.perf_counter() - started
        return {
            "seconds": seconds,
            "scheduler": _own_seconds() - used,
            **_descendants_seconds(),
            "counts": session.ask(ShowProject(project=project))["project"]["counts"],
        }
    finally:
        session.close()


def order(
    folder: Path,
    command: Sequence[str],
    count: int,
    more: dict[str, Any],
    variables: dict[str, str],
    service: dict[str, Any] | None = None,
) -> SubmitProject:
    parameters = [{"name": "N", "type": "int", "min": 1, "max": count}]
    definition = {"name": "bench", "template": "template.yml", "parameters": parameters, **more}
    train = {"command": list(command), "environment": {"N": "0", **variables}, **(service or {})}
    return SubmitProject(
        definition=json.dumps(definition),
        definition_name="project.json",
        template=json.dumps({"services": {"train": train}}),
        template_name="template.yml",
        folder=str(folder),
        source=str(folder / "project.json"),
    )


def _wait(session: Session, project: str, count: int) -> None:
    """Looks into the store until there is something to ask: a question costs the scheduler a hundred times that."""
    store = session._system.world.store
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        counts = store.counts(project)
        waiting = counts["queue"]
        if not waiting and sum(counts.values()) == count and not counts["pool"]:
            view = session.ask(ShowProject(project=project))["project"]
            if view["state"] != "running" and not session.ask(ShowSystem())["held"]:
                return
        time.sleep(0.02 if waiting else 0.002)
    raise TimeoutError(f"after {LONGEST:g} s the experiments are {store.counts(project)}")


def _own_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _descendants_seconds() -> dict[str, float]:
    """Of the shims and the process that forks them, and of the experiments that they have waited for."""
    tick = os.sysconf("SC_CLK_TCK")
    own = waited = 0
    for pid in descendants(os.getpid()):
        fields = read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
        own += sum(int(field) for field in fields[11:13])
        waited += sum(int(field) for field in fields[13:15])
    return {"shims": own / tick, "experiments": waited / tick}


if __name__ == "__main__":
    serve(run)
