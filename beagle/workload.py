"""Makes one attempt of an experiment out of its project's template: pure, the same again for the same records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256

from beagle.experiment import Experiment
from beagle.records import Plan
from beagle.space import as_text
from beagle.template import Service, Workload, workload_name


def prepare(plan: Plan, experiment: Experiment, access: Mapping[str, str] | None = None) -> Workload:
    """Folders for output, checkpoints and reports are the orchestrator's to add. `access`: how it reaches the bus."""
    name = workload_name(experiment.id, experiment.attempt)
    told = {
        "BEAGLE_PROJECT": plan.definition.name,
        "BEAGLE_PROJECT_ID": plan.id,
        "BEAGLE_EXPERIMENT": experiment.id,
        "BEAGLE_NUMBER": str(experiment.number),
        "BEAGLE_ATTEMPT": str(experiment.attempt),
        "BEAGLE_SEED": str(seed_of(plan.definition.seed, experiment.number)),
        "BEAGLE_PARAMETERS": json.dumps(experiment.parameters, allow_nan=False),
        "BEAGLE_WORKLOAD": name,
        **(access or {}),
    }
    services = tuple(_filled(service, experiment, told) for service in plan.template.services)
    return Workload(
        name=name,
        project=plan.id,
        experiment=experiment.id,
        attempt=experiment.attempt,
        services=services,
        document=plan.template.document,
    )


def seed_of(project_seed: int, number: int) -> int:
    """The same for every attempt of an experiment; below 2**32, which every library takes."""
    return int.from_bytes(sha256(f"{project_seed}/{number}".encode()).digest()[:4])


def _filled(service: Service, experiment: Experiment, told: dict[str, str]) -> Service:
    replaced = {name: as_text(value) for name, value in experiment.parameters.items()} | {
        "NAME": experiment.name,
        "ROOT_TOPIC": experiment.id,
        "METRICS_TOPIC": f"{experiment.id}-metrics",
    }
    own = {name: replaced.get(name, value) for name, value in service.environment.items()}
    return replace(service, environment={"PYTHONUNBUFFERED": "1"} | own | told | {"BEAGLE_SERVICE": service.name})


def publishes_by_topic(workload: Workload) -> bool:
    """Whether its programs know the original's key, which all attempts share."""
    return any("METRICS_TOPIC" in service.environment for service in workload.services)
