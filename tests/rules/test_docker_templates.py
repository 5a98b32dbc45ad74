"""What the docker orchestrator makes of a template's fields, and what it refuses rather than pass over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from beagle.orchestrators.containers import labels, values
from beagle.orchestrators.containers.interpolation import filled
from beagle.orchestrators.containers.options import BESIDE, FIELDS, WITHOUT_MEANING
from beagle.orchestrators.containers.services import containers, in_order, main_of, refusals
from beagle.settings import Settings
from beagle.template import Workload
from beagle.template_file import _BESIDE_COMMAND, read_template

ID = "0" * 24


def read(text: str):
    return read_template(text, "model.yml", "/models")


def refused(service: str, rest: str = "") -> list[str]:
    lines = "".join(f"    {line}\n" for line in service.splitlines())
    return list(refusals(read(f"services:\n  train:\n{lines}{rest}")))


def made(text: str, settings: Settings | None = None):
    template = read(text)
    job = Workload(
        name=f"beagle-{ID}-1",
        project="p",
        experiment=ID,
        attempt=1,
        services=template.services,
        document=template.document,
    )
    return containers(job, settings or Settings(), {"beagle.system": "s"})


def config(fields: str):
    lines = "".join(f"    {line}\n" for line in fields.splitlines())
    return made(f"services:\n  train:\n    image: i\n{lines}")[0].config


@pytest.mark.parametrize(
    ("field", "place", "expected"),
    [
        ("mem_limit: 512m", "Memory", 512 << 20),
        ("cpus: 1.5", "NanoCpus", 1_500_000_000),
        ("shm_size: 2gb", "ShmSize", 2 << 30),
        ("memswap_limit: -1", "MemorySwap", -1),
        ("pids_limit: 100", "PidsLimit", 100),
        ("init: true", "Init", True),
        ("network_mode: none", "NetworkMode", "none"),
        ("tmpfs: /run:size=1m", "Tmpfs", {"/run": "size=1m"}),
        ("ulimits: {nofile: {soft: 1, hard: 2}, nproc: 3}", "Ulimits", [("nofile", 1, 2), ("nproc", 3, 3)]),
        ("extra_hosts: ['a:1.2.3.4', 'b=::1']", "ExtraHosts", ["a:1.2.3.4", "b:::1"]),
        ("extra_hosts: {a: 1.2.3.4}", "ExtraHosts", ["a:1.2.3.4"]),
        ("dns: 8.8.8.8", "Dns", ["8.8.8.8"]),
        (
            "devices: ['/dev/fuse', '/dev/a:/dev/b:r']",
            "Devices",
            [("/dev/fuse", "/dev/fuse", "rwm"), ("/dev/a", "/dev/b", "r")],
        ),
        ("deploy: {resources: {limits: {cpus: '0.5', memory: 1g}}}", "Memory", 1 << 30),
        ("ports: ['127.0.0.1:80:8080/udp']", "PortBindings", {"8080/udp": [{"HostIp": "127.0.0.1", "HostPort": "80"}]}),
        ("ports: [{target: 80, published: 8080}]", "PortBindings", {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}),
        ("volumes: ['/data:/data:ro', 'named:/x']", "Binds", ["/data:/data:ro", f"beagle-{ID}-1_named:/x"]),
    ],
)
def test_a_field_is_what_compose_means_by_it(field, place, expected):
    found = config(field)["HostConfig"][place]
    plain = (
        [tuple(each.values()) if isinstance(each, dict) else each for each in found]
        if isinstance(found, list)
        else found
    )
    assert plain == expected


@pytest.mark.parametrize(
    ("field", "count", "devices"),
    [
        ("gpus: all", -1, None),
        ("deploy: {resources: {reservations: {devices: [{driver: nvidia, count: 2, capabilities: [gpu]}]}}}", 2, None),
        ("deploy: {resources: {reservations: {devices: [{device_ids: ['0'], capabilities: [gpu]}]}}}", 0, ["0"]),
    ],
)
def test_gpus_are_asked_for_as_compose_asks(field, count, devices):
    request = config(field)["HostConfig"]["DeviceRequests"][0]
    assert (request["Count"], request["DeviceIDs"], request["Capabilities"]) == (count, devices, [["gpu"]])


def test_entrypoint_and_command_stay_apart():
    found = config("entrypoint: python -m\ncommand: [train, 1e-3, $$HOME]")
    assert (found["Entrypoint"], found["Cmd"]) == (["python", "-m"], ["train", "1e-3", "$HOME"])
    assert config("command: a b")["Entrypoint"] is None


@pytest.mark.parametrize(
    ("service", "told"),
    [
        ("build: .", "model.yml:3: services.train.build: needs more than Docker's engine"),
        ("build: .", "services.train.image: is missing; give the name of an image (`build` needs docker-compose)"),
        ("image: i\nsecrets: [x]", "model.yml:4: services.train.secrets: needs more"),
        ("image: i\nnetworks: [a]", "services.train.networks: needs more"),
        ("image: i\nrestart: always", "services.train.restart: is 'always'; give \"no\""),
        ("image: i\nscale: 2", "services.train.scale: is 2; give 1"),
        ("image: i\ndeploy: {replicas: 3}", "services.train.deploy: is 3; give 1 replica"),
        ("image: i\ndeploy: {mode: global}", "services.train.deploy: has the field mode"),
        ("image: i\nmem_limit: lots", "services.train.mem_limit: is 'lots'; give a size"),
        ("image: i\nvolumes: ['./data:/data']", "services.train.volumes: binds './data', which is relative"),
        ("image: i\ncommand: echo $HOME", "services.train.command: takes HOME from the environment"),
        ("image: i:${TAG}", "services.train.image: takes TAG from the environment"),
        ("image: i\nlogging: {driver: none}", "services.train.logging: needs more"),
        ("image: i\ndepends_on: {train: {condition: service_healthy}}", "waits until 'service_healthy'"),
        ("image: i\ndepends_on: [nobody]", "names nobody, and there is no such service"),
        ("image: i\ndepends_on: [train]", "goes in a circle"),
        ("image: i\npull_policy: daily", "services.train.pull_policy: is 'daily'"),
    ],
)
def test_what_the_engine_does_not_do_by_itself_is_refused_in_a_sentence(service, told):
    assert any(told in sentence for sentence in refused(service)), refused(service)


def test_what_is_declared_beside_the_services_is_refused_too():
    found = refused("image: i", "secrets: {a: {file: b}}\nnetworks: {a: {}}\nx-note: 1\nvolumes: {v: {}}\n")
    assert [sentence.split(": ")[1] for sentence in found] == ["secrets", "networks"]


def test_a_template_that_needs_no_more_is_not_refused():
    assert refused("image: i:${TAG:-1}\ncommand: [echo, $$HOME]\ndepends_on: []\nx-note: $HOME\nattach: false") == []


def test_every_field_that_a_template_may_have_is_taken_or_refused():
    """None is known twice, so none is passed over."""
    assert not set(FIELDS) & (BESIDE | WITHOUT_MEANING)
    for field in set(_BESIDE_COMMAND.split()) - set(FIELDS) - BESIDE - WITHOUT_MEANING:
        assert any("needs" in sentence for sentence in refused(f"image: i\n{field}: x")), field


@pytest.mark.parametrize(
    ("written", "read"),
    [("a$$b", "a$b"), ("${X:-y}", "y"), ("${X-y z}", "y z"), ("$$$$", "$$"), ("${X:-}", ""), ("no", "no")],
)
def test_text_of_the_file_is_read_as_compose_reads_it(written, read):
    assert filled(written) == read


@pytest.mark.parametrize("written", ["$X", "${X}", "${X:?wrong}", "${X:+y}", "$", "$1", "${X:-${Y}}"])
def test_what_would_take_the_environment_is_refused(written):
    with pytest.raises(ValueError):
        filled(written)


def test_services_start_after_those_that_they_depend_on_and_the_main_one_as_late_as_it_can():
    text = """
services:
  train: {image: i, depends_on: [data], labels: {beagle.main: "true"}}
  data: {image: i, depends_on: [disk]}
  disk: {image: i}
  watch: {image: i, depends_on: [train]}
"""
    found = made(text)
    assert found[0].service == "train"
    assert [each.service for each in in_order(found)] == ["disk", "data", "train", "watch"]


def test_the_main_service_is_labelled_or_named_or_the_only_one():
    services = read("services: {a: {image: i}, b: {image: i}}").services
    assert main_of(services, Settings()) is None
    assert main_of(services, Settings(main_service="b")) == "b"
    assert main_of(services[:1], Settings()) == "a"
    assert main_of((services[0], replace(services[1], main=True)), Settings(main_service="a")) == "b"


def test_our_labels_are_stronger_than_those_of_the_file():
    found = config("labels: {beagle.system: mine, beagle.service: x, team: blue}")["Labels"]
    assert (found["beagle.system"], found[labels.SERVICE], found["team"]) == ("s", "train", "blue")


def test_sizes_are_powers_of_two():
    assert [values.size(text) for text in ("1k", "1.5m", "2GiB", "7b", 9)] == [1024, 1_572_864, 2 << 30, 7, 9]
