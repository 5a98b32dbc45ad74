"""What Beagle puts on containers, networks and volumes as labels. What lacks that of this system is not ours."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from beagle.orchestrators.containers.engine import Facts
from beagle.template import Service, Workload

SYSTEM = "beagle.system"
PROJECT = "beagle.project"
EXPERIMENT = "beagle.experiment"
ATTEMPT = "beagle.attempt"
WORKLOAD = "beagle.workload"
SERVICE = "beagle.service"
# "true" for what ends the workload when it ends. Also the user's own word for it, in a template.
MAIN = "beagle.main"
# Who may start what is created: see `makers`.
MAKER = "beagle.maker"
GRACE = "beagle.grace"
# How many containers belong to the workload.
SERVICES = "beagle.services"

NEVER = "0001-01-01"


def of_workload(system: str, workload: Workload) -> dict[str, str]:
    """What everything of a workload bears."""
    return {
        SYSTEM: system,
        PROJECT: workload.project,
        EXPERIMENT: workload.experiment,
        ATTEMPT: str(workload.attempt),
        WORKLOAD: workload.name,
    }


def of_service(service: Service, *, main: bool) -> dict[str, str]:
    return {SERVICE: service.name, MAIN: "true" if main else "false", GRACE: f"{service.grace:g}"}


def of(container: Facts) -> Mapping[str, str]:
    """The labels of a container, listed or inspected."""
    found: Mapping[str, str] | None = container.get("Labels") or container.get("Config", {}).get("Labels")
    return found or {}


def was_started(container: Facts) -> bool:
    """Of one that was inspected: whether it ever ran."""
    return not str(container["State"]["StartedAt"]).startswith(NEVER)


def moment(text: str) -> float:
    """Seconds since the epoch of what the engine says."""
    return datetime.fromisoformat(text).timestamp()
