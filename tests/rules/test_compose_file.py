"""The Compose file of an attempt: the user's, with values that are never text, in networks where names are its own."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from beagle.orchestrators.compose_checks import refused
from beagle.orchestrators.compose_file import Additions, composed, written
from beagle.settings import Settings
from beagle.template import Workload
from beagle.template_file import read_template

LABELS = {"beagle.workload": "beagle-e-1"}
ADDED = Additions(
    labels=LABELS,
    service_labels={"train": {"beagle.main": "true"}},
    network="beagleml",
    volumes={"/beagle/output": "beagle-e-1.output"},
    environment={"BEAGLE_OUTPUT_DIR": "/beagle/1"},
)
ONE = "services: {train: {image: busybox, environment: {RATE: 1}}}"
TWO = """
services:
  train: {image: busybox, environment: [RATE=1], labels: [beagle.main=false, cost=$PRICE]}
  db: {image: redis}
  apart: {image: busybox, network_mode: none}
  inner: {image: busybox, networks: [own]}
networks: {own:, theirs: {external: true}, fixed: {name: fixed}}
volumes: {data: {labels: {a: 1}}}
"""


def workload(text, **environment):
    template = read_template(text, "t.yml", "/")
    services = [service.__class__(**_fields(service, environment)) for service in template.services]
    return Workload(
        name="beagle-e-1",
        project="p",
        experiment="e",
        attempt=1,
        services=tuple(services),
        document=template.document,
    )


def _fields(service, environment):
    fields = {name: getattr(service, name) for name in service.__slots__}
    return fields | {"environment": service.environment | environment}


@given(st.text().filter(lambda text: "\x00" not in text and not any("\ud800" <= c <= "\udfff" for c in text)))
def test_a_value_comes_back_as_it_is_whatever_it_holds(value):
    read = yaml.safe_load(written(workload(ONE, RATE=value, BEAGLE_PARAMETERS='{"RATE": 0}'), ADDED))
    assert read["services"]["train"]["environment"]["RATE"].replace("$$", "\x00").count("$") == 0
    assert read["services"]["train"]["environment"]["RATE"].replace("$$", "$") == value


def test_in_the_files_own_text_a_dollar_is_composes():
    text = ONE.replace("RATE: 1", 'RATE: "$1", HOME: "${HOME} $$"')
    tree = composed(workload(text, BEAGLE_PARAMETERS='{"RATE": 0}', BEAGLE_SEED="$"), ADDED)
    told = tree["services"]["train"]["environment"]
    assert (told["RATE"], told["HOME"], told["BEAGLE_SEED"]) == ("$$1", "${HOME} $$", "$$")


def test_the_template_is_left_as_it_was():
    job = workload(TWO)
    before = json.dumps(job.document)
    composed(job, ADDED)
    assert json.dumps(job.document) == before


def test_one_service_is_in_the_network_of_the_scheduler():
    tree = composed(workload(ONE), ADDED)
    assert tree["networks"] == {"default": {"external": True, "name": "beagleml"}}
    assert "networks" not in tree["services"]["train"]


def test_several_services_find_each_other_in_a_network_of_their_own_first():
    tree = composed(workload(TWO), ADDED)
    assert tree["networks"]["default"] == {"name": "0.beagle-e-1", "labels": LABELS}
    assert tree["networks"]["beagle_network"] == {"external": True, "name": "beagleml"}
    assert tree["services"]["db"]["networks"] == {"default": None, "beagle_network": None}
    assert "networks" not in tree["services"]["apart"]
    assert tree["services"]["inner"]["networks"] == ["own"]


def test_a_containers_name_becomes_one_in_the_network_of_the_attempt():
    text = TWO.replace("{image: redis}", "{image: redis, container_name: cache}")
    for added in (ADDED, Additions(labels=LABELS)):
        db = composed(workload(text), added)["services"]["db"]
        assert db["networks"]["default"] == {"aliases": ["cache"]}
        assert "container_name" not in db


def test_without_a_network_one_service_is_in_dockers_own():
    tree = composed(workload(ONE), Additions(labels=LABELS))
    assert tree["services"]["train"]["network_mode"] == "bridge"
    assert not tree["networks"]


@pytest.mark.parametrize("own", ["{external: true}", "{name: theirs}"])
def test_a_default_network_that_the_user_chose_stays(own):
    tree = composed(workload(f"{ONE}\nnetworks: {{default: {own}}}"), ADDED)
    assert tree["networks"]["default"] == yaml.safe_load(own)


def test_options_of_the_default_network_stay():
    tree = composed(workload(f"{ONE}\nnetworks: {{default: {{driver: bridge}}}}"), ADDED)
    assert tree["networks"]["default"] == {"driver": "bridge", "name": "0.beagle-e-1", "labels": LABELS}
    assert tree["services"]["train"]["networks"] == {"default": None, "beagle_network": None}


def test_what_is_made_for_the_attempt_is_labelled_and_what_outlives_it_is_not():
    tree = composed(workload(TWO), ADDED)
    assert tree["services"]["train"]["labels"] == {
        "beagle.main": "true",
        "cost": "$PRICE",
        "beagle.workload": "beagle-e-1",
    }
    assert tree["networks"]["own"] == {"labels": LABELS}
    assert tree["volumes"]["data"] == {"labels": {"a": 1, **LABELS}}
    assert tree["networks"]["theirs"] == {"external": True}
    assert tree["networks"]["fixed"] == {"name": "fixed"}


def test_outputs_and_checkpoints_are_in_a_volume_that_is_there():
    tree = composed(workload(ONE.replace("RATE: 1}", "RATE: 1}, volumes: ['data:/data']")), ADDED)
    assert tree["volumes"]["beagle_output"] == {"external": True, "name": "beagle-e-1.output"}
    assert tree["services"]["train"]["volumes"] == ["data:/data", "beagle_output:/beagle/output"]
    assert tree["services"]["train"]["environment"] == {"RATE": "1", "BEAGLE_OUTPUT_DIR": "/beagle/1"}


def test_names_that_a_second_attempt_would_want_are_left_out():
    text = "name: mine\n" + ONE.replace("image", "container_name: mine, image")
    tree = composed(workload(text), ADDED)
    assert "name" not in tree
    assert "container_name" not in tree["services"]["train"]


def test_a_grace_is_given_in_whole_seconds_which_every_compose_takes():
    tree = composed(workload(ONE.replace("image", "stop_grace_period: 1500ms, image")), ADDED)
    assert tree["services"]["train"]["stop_grace_period"] == "2s"


@pytest.mark.parametrize("version", ["", "version: '2'", "version: '2.4'", "version: '3.8'"])
def test_templates_of_every_version_are_taken(version):
    assert refused(read_template(f"{version}\n{ONE}", "t.yaml", "/"), Settings()) == []


@pytest.mark.parametrize(
    ("field", "place", "what"),
    [
        ("restart: always", "services.a.restart", "would run twice"),
        ("deploy: {restart_policy: {condition: any}}", "services.a.deploy.restart_policy", "would run twice"),
        ("scale: 2", "services.a.scale", "is 2; give 1"),
        ("deploy: {replicas: 0}", "services.a.deploy.replicas", "is 0; give 1"),
        ("deploy: {mode: global}", "services.a.deploy.mode", "is global; remove it"),
        ("profiles: [x]", "services.a.profiles", "keep the service from being started"),
        ("container_name: x\n    networks: [n]", "services.a.container_name", "would be taken"),
        ("volumes: [./x:/x]", "services.a.volumes[1]", "relative to no folder"),
        ("volumes: [{type: bind, source: ~/x, target: /x}]", "services.a.volumes[1]", "relative to no folder"),
    ],
)
def test_what_cannot_work_is_refused_with_its_place(field, place, what):
    text = f"services:\n  b: {{image: i}}\n  a:\n    image: i\n    {field}"
    (problem,) = refused(read_template(text, "t.yml", "/"), Settings())
    assert problem.startswith(f"t.yml:5: {place}: ")
    assert what in problem


def test_a_service_without_an_image_and_a_file_of_another_kind_are_refused():
    template = read_template('{"services": {"a": {"command": "x"}}}', "t.json", "/")
    assert refused(template, Settings()) == [
        "t.json: is no file for docker-compose; call it .yml or .yaml",
        "t.json:1: services.a.image: is missing; name the image that it runs",
    ]


def test_no_service_takes_the_place_of_a_server_in_the_common_network():
    template = read_template("services: {rabbitmq: {image: i}}", "t.yml", "/")
    (problem,) = refused(template, Settings(bus="amqp://u:p@rabbitmq/beagle"))
    assert problem == (
        "t.yml:1: services.rabbitmq: has the name of a server (bus), and would take its place there; rename it"
    )
