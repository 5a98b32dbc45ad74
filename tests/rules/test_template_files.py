"""Model templates have the shape of a Compose file, and environments reach programs as they are written."""

from __future__ import annotations

import pytest

from beagle.errors import InvalidInput
from beagle.template import Service, Template
from beagle.template_file import read_template

COMPOSE = """\
version: "2"
services:
  model:
    image: registry.example/model:1
    command: python train.py --rate "a b"
    environment:
      EPOCHS: 4
      RATE: 1e-3
      SHARE: 0.10
      SWITCH: on
      FLAG: True
      LATER:
    networks: [beagle]
    depends_on: [data]
  data:
    entrypoint: ["sh", "-c"]
    command: ["sleep $$N", 5]
    working_dir: sub/folder
    environment: [N=1, "PAIR=a=b", EMPTY]
    stop_grace_period: 1m30s
    labels: {beagle.main: "true", other: x}
    x-note: {anything: [goes]}
networks: {beagle: {}}
x-shared: 1
"""


def template(service: str) -> Service:
    return read_template(f"services:\n  a: {service}\n", "t.yml", "/srv").services[0]


def problems(text: str) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        read_template(text, "t.yml", "/srv")
    return list(caught.value.problems)


def test_a_compose_file_is_read():
    found = read_template(COMPOSE, "t.yml", "/srv")
    assert found == Template(
        filename="t.yml",
        folder="/srv",
        document=found.document,
        lines=found.lines,
        services=(
            Service(
                name="model",
                command=("python", "train.py", "--rate", "a b"),
                environment={
                    "EPOCHS": "4",
                    "RATE": "1e-3",
                    "SHARE": "0.10",
                    "SWITCH": "on",
                    "FLAG": "True",
                    "LATER": "",
                },
                working_dir="/srv",
            ),
            Service(
                name="data",
                command=("sh", "-c", "sleep $$N", "5"),
                environment={"N": "1", "PAIR": "a=b", "EMPTY": ""},
                working_dir="/srv/sub/folder",
                grace=90.0,
                main=True,
            ),
        ),
    )


def test_the_whole_file_is_kept_as_data_with_its_lines():
    found = read_template(COMPOSE, "t.yml", "/srv")
    assert found.document["services"]["model"]["image"] == "registry.example/model:1"
    assert found.document["networks"] == {"beagle": {}}
    line = COMPOSE[: COMPOSE.index("stop_grace_period")].count("\n") + 1
    place = ("services", "data", "stop_grace_period")
    assert found.sentence(place, "is long") == f"t.yml:{line}: services.data.stop_grace_period: is long"
    missing = found.sentence((*place[:2], "image"), "is missing")
    assert missing.startswith(f"t.yml:{found.lines['services/data']}: services.data.image: ")


def test_what_services_have_in_common_is_written_once():
    text = """\
x-common: &common
  image: registry.example/model:1
  environment: &variables
    EPOCHS: 1e1
    RATE: 0.10
services:
  model:
    <<: *common
    environment:
      <<: *variables
      RATE: 0.20
  data: *common
"""
    model, data = read_template(text, "t.yml", "/srv").services
    assert model.environment == {"EPOCHS": "1e1", "RATE": "0.20"}
    assert data.environment == {"EPOCHS": "1e1", "RATE": "0.10"}
    found = read_template(text, "t.yml", "/srv")
    assert found.document["services"]["model"]["image"] == "registry.example/model:1"
    assert found.sentence(("services", "model", "image"), "is old").startswith("t.yml:2: ")


def test_names_that_would_grow_with_every_level_are_refused():
    text = "services: {a: {command: x}}\nx-long:\n"
    for level in range(1, 28):
        text += " " * level + "n" * 1000 + ":\n"
    text += (" " * 28 + "- x\n") * 5_000
    assert problems(text) == ["t.yml:1: has too many fields with long names, one within the other; make it smaller"]


def test_a_service_without_a_command_leaves_it_to_its_image():
    assert template("{image: x}").command == ()


def test_an_absolute_folder_stays_as_it_is():
    assert template("{command: x, working_dir: /data}").working_dir == "/data"


@pytest.mark.parametrize("labels", ["{beagle.main: true}", "['beagle.main=true']", "{beagle.main: 'true'}"])
def test_the_main_service_is_labelled_in_either_form(labels):
    assert template(f"{{command: x, labels: {labels}}}").main


@pytest.mark.parametrize("labels", ["{beagle.main: false}", "[]", "{}", "[other=true]"])
def test_other_labels_make_no_service_the_main_one(labels):
    assert not template(f"{{command: x, labels: {labels}}}").main


@pytest.mark.parametrize(("written", "seconds"), [("0s", 0), ("500ms", 0.5), ("10", 10), ("1h", 3600)])
def test_the_grace_period_is_a_compose_duration(written, seconds):
    assert template(f"{{command: x, stop_grace_period: {written}}}").grace == seconds


@pytest.mark.parametrize(
    ("service", "sentence"),
    [
        ("{comand: x}", "services.a.comand: is no field that is known here; did you mean command?"),
        (
            "{command: x, evironment: {}}",
            "services.a.evironment: is no field that is known here; did you mean environment?",
        ),
        (
            "{command: x, depend_on: []}",
            "services.a.depend_on: is no field that is known here; did you mean depends_on?",
        ),
        ("{command: 5}", "services.a.command: is 5; give text, or a list of words"),
        ("{command: ''}", "services.a.command: has no word"),
        ("{command: []}", "services.a.command: has no word"),
        ("{command: [[x]]}", "services.a.command[1]: is a list; give text"),
        ('{command: "it\'s"}', "services.a.command: cannot be split into words: no closing quotation"),
        ('{command: ["a\\0"]}', "services.a.command[1]: holds a zero byte"),
        ("{command: x, environment: 5}", "services.a.environment: is 5; give a mapping, or a list of KEY=value"),
        ("{command: x, environment: {A: [1]}}", "services.a.environment.A: is a list; give text"),
        ("{command: x, environment: [A=1, A=2]}", "services.a.environment[2]: A was given before"),
        ("{command: x, environment: [=1]}", "services.a.environment[1]: '' is no name for a variable"),
        ("{command: x, environment: {A=: 1}}", "services.a.environment.A=: 'A=' is no name for a variable"),
        ("{command: x, labels: {beagle.main: maybe}}", "services.a.labels: beagle.main is 'maybe'; give \"true\""),
        ("{command: x, stop_grace_period: soon}", "services.a.stop_grace_period: is 'soon'; give seconds"),
        ("{command: x, working_dir: 5}", "services.a.working_dir: is 5; give a folder"),
        ("train", "services.a: is 'train'; give a mapping with command"),
    ],
)
def test_a_wrong_service_is_one_sentence_with_its_line(service, sentence):
    found = problems(f"services:\n  a: {service}\n")
    assert found[0].startswith("t.yml:2: ")
    assert any(sentence in problem for problem in found)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("version: '2'\n", "t.yml:1: services: is missing; give a mapping with at least one service"),
        ("services: {}\n", "t.yml:1: services: is an empty mapping; give a mapping with at least one service"),
        ("services: [a]\n", "t.yml:1: services: is a list; give a mapping"),
        ("- a\n", "t.yml:1: is a list; give a mapping with services"),
        ("services: {a: {command: x}}\nservces: 1\n", "t.yml:2: servces: is no field that is known here; did you mean"),
        ("services: {../a: {command: x}}\n", "cannot name a service; use letters, digits"),
    ],
)
def test_a_template_without_services_is_refused(text, sentence):
    assert sentence in problems(text)[0]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file():
    found = problems("services:\n  a: {command: 5}\n  b: {working_dir: 5}\n  c: {command: x, environment: 1}\nnam: x\n")
    assert [problem.split(":")[1] for problem in found] == ["2", "3", "4", "5"]
