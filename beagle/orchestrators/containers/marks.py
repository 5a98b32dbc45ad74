"""Marks at the engine that outlive containers: this workload never starts again, and that one was cleaned.

They are empty volumes: those need no image, to make one twice is to make it once, and other machines see them too.
"""

from __future__ import annotations

from beagle.orchestrators.containers import labels
from beagle.orchestrators.containers.engine import Engine, Facts
from beagle.template import attempt_of

MARK = "beagle.mark"
STOPPED, CLEANED = "stopped", "cleaned"


def forbid(engine: Engine, system: str, name: str) -> None:
    _make(engine, system, name, STOPPED)


def is_forbidden(engine: Engine, name: str) -> bool:
    return engine.has_volume(f"{name}.{STOPPED}")


def clean(engine: Engine, system: str, name: str) -> None:
    _make(engine, system, name, CLEANED)


def cleaned(engine: Engine, system: str) -> dict[str, Facts]:
    return _marks(engine, system, CLEANED)


def forbidden(engine: Engine, system: str) -> dict[str, Facts]:
    return _marks(engine, system, STOPPED)


def _marks(engine: Engine, system: str, mark: str) -> dict[str, Facts]:
    """Workloads with that mark."""
    found = engine.volumes({labels.SYSTEM: system, MARK: mark})
    return {str(volume["Labels"][labels.WORKLOAD]): volume for volume in found}


def _make(engine: Engine, system: str, name: str, mark: str) -> None:
    experiment, attempt = attempt_of(name)
    borne = {labels.SYSTEM: system, labels.EXPERIMENT: experiment, labels.ATTEMPT: str(attempt)}
    engine.create_volume(f"{name}.{mark}", {**borne, labels.WORKLOAD: name, MARK: mark})
