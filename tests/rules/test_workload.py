"""What one attempt of an experiment finds in its environment."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from beagle.errors import NotFound
from beagle.experiment import Experiment
from beagle.project import Definition
from beagle.records import Plan
from beagle.template import attempt_of, workload_name
from beagle.template_file import read_template
from beagle.workload import prepare, publishes_by_topic, seed_of

TEMPLATE = read_template(
    """
services:
  model:
    command: [train]
    environment: {RATE: 5, LAYERS: "1", BIAS: "", KEPT: as it was, NAME: "", ROOT_TOPIC: "", METRICS_TOPIC: ""}
  side: {command: [serve], environment: {PYTHONUNBUFFERED: "0", EPOCHS: 9}}
""",
    "t.yml",
    "/srv",
)
PLAN = Plan(
    id="p" * 24,
    definition=Definition(name="digits", template="t.yml", parameters=(), seed=7),
    template=TEMPLATE,
)
EXPERIMENT = Experiment(
    id="e" * 24,
    project=PLAN.id,
    number=3,
    name="digits model 3",
    parameters={"RATE": 1e-05, "LAYERS": "20,50", "BIAS": True, "EPOCHS": 4},
    attempt=2,
    order=0,
    rank=0,
    created_at=0.0,
)


def environments() -> list[dict[str, str]]:
    return [service.environment for service in prepare(PLAN, EXPERIMENT).services]


def test_the_workload_is_named_after_the_attempt():
    workload = prepare(PLAN, EXPERIMENT)
    assert (workload.name, workload.experiment, workload.attempt) == (f"beagle-{EXPERIMENT.id}-2", EXPERIMENT.id, 2)
    assert [service.command for service in workload.services] == [("train",), ("serve",)]


@pytest.mark.parametrize("attempt", [1, 2, 10])
def test_a_workloads_name_tells_its_attempt(attempt):
    assert attempt_of(workload_name(EXPERIMENT.id, attempt)) == (EXPERIMENT.id, attempt)


@pytest.mark.parametrize(
    "name",
    ["", "beagle", "beagle-e-", "beagle--1", "beagle-e-0", "beagle-e-01", "beagle-e-1\n", "beagle-./e-1"],
)
def test_a_name_of_another_shape_is_no_workloads(name):
    with pytest.raises(NotFound, match="their names are beagle-<experiment>-<attempt>"):
        attempt_of(name)


def test_parameters_go_where_the_template_names_them():
    model, side = environments()
    assert {name: model[name] for name in ("RATE", "LAYERS", "BIAS", "KEPT")} == {
        "RATE": "1e-05",
        "LAYERS": "20,50",
        "BIAS": "true",
        "KEPT": "as it was",
    }
    assert "EPOCHS" not in model
    assert side["EPOCHS"] == "4"
    assert "RATE" not in side


def test_the_originals_names_are_filled_in_where_the_template_has_them():
    model, side = environments()
    assert model["NAME"] == "digits model 3"
    assert model["ROOT_TOPIC"] == EXPERIMENT.id
    assert model["METRICS_TOPIC"] == f"{EXPERIMENT.id}-metrics"
    assert not {"NAME", "ROOT_TOPIC", "METRICS_TOPIC"} & set(side)


def test_every_service_is_told_who_it_is():
    for name, environment in zip(("model", "side"), environments(), strict=True):
        assert environment["BEAGLE_PROJECT"] == "digits"
        assert environment["BEAGLE_PROJECT_ID"] == PLAN.id
        assert environment["BEAGLE_EXPERIMENT"] == EXPERIMENT.id
        assert environment["BEAGLE_NUMBER"] == "3"
        assert environment["BEAGLE_ATTEMPT"] == "2"
        assert environment["BEAGLE_SERVICE"] == name
        assert environment["BEAGLE_WORKLOAD"] == f"beagle-{EXPERIMENT.id}-2"
        assert json.loads(environment["BEAGLE_PARAMETERS"]) == EXPERIMENT.parameters


def test_output_is_unbuffered_unless_the_template_says_otherwise():
    model, side = environments()
    assert (model["PYTHONUNBUFFERED"], side["PYTHONUNBUFFERED"]) == ("1", "0")


def test_the_seed_depends_on_project_and_number_and_not_on_the_attempt():
    again = prepare(PLAN, replace(EXPERIMENT, attempt=9)).services[0].environment
    assert again["BEAGLE_SEED"] == environments()[0]["BEAGLE_SEED"] == str(seed_of(7, 3))
    assert len({seed_of(seed, number) for seed in range(10) for number in range(10)}) == 100
    assert all(0 <= seed_of(1, number) < 2**32 for number in range(100))


def test_the_same_records_give_the_same_workload():
    assert prepare(PLAN, EXPERIMENT) == prepare(PLAN, EXPERIMENT)


def test_whoever_is_let_in_to_the_bus_is_told_how():
    access = {"BEAGLE_METRICS_URL": "amqp://exp-1:secret@broker/metrics", "BEAGLE_METRICS_KEY": "metric.1.e-2"}
    for with_access, without in zip(prepare(PLAN, EXPERIMENT, access).services, environments(), strict=True):
        assert with_access.environment == without | access


def test_a_template_with_the_originals_variable_publishes_with_the_originals_key():
    assert publishes_by_topic(prepare(PLAN, EXPERIMENT))
    services = tuple(replace(service, environment={}) for service in TEMPLATE.services)
    assert not publishes_by_topic(prepare(replace(PLAN, template=replace(TEMPLATE, services=services)), EXPERIMENT))
