"""Experiments that publish their metrics themselves, in several languages, over a real RabbitMQ to a whole Beagle."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.journeys.apart import Apart
from tests.journeys.cli_desk import eventually
from tests.servers.keeper import Missing, free_ports

VALUES = [1, 2, 3, 4]
RUBY = Path(__file__).parents[2] / "examples" / "clients" / "metrics.rb"
BY_REPORT = """
import os
assert os.environ["BEAGLE_REPORT_URL"].startswith("file://"), "files that Beagle reads outlive a crash of either side"
os.environ["BEAGLE_REPORT_URL"] = os.environ["BEAGLE_METRICS_URL"] + "?key=" + os.environ["BEAGLE_METRICS_KEY"]
import beagle
for epoch in range(1, 4):
    beagle.report(step=epoch, accuracy=epoch * 0.2, cost=1 / epoch)
"""
BY_HAND = """
import os, sys, pika
key = os.environ[sys.argv[1]]
connection = pika.BlockingConnection(pika.URLParameters(os.environ["BEAGLE_METRICS_URL"]))
channel = connection.channel()
channel.confirm_delivery()
for number, body in enumerate(["1\\t2\\t3\\t0.5\\t0.2", '{"metrics": {"accuarcy": 0.95}, "type": "metrics"}']):
    properties = pika.BasicProperties(message_id=f"{os.environ['BEAGLE_WORKLOAD']}-{number}", delivery_mode=2)
    channel.basic_publish("beagle.metrics", key, body, properties, mandatory=True)
connection.close()
raise SystemExit(3)
"""


@pytest.fixture
def apart(tmp_path, rabbitmq, hosts):
    main, metrics = hosts
    with Apart(tmp_path, rabbitmq.url(main), rabbitmq.url(metrics), "sqlite") as apart:
        apart.environment["BEAGLE_MANAGEMENT"] = rabbitmq.management_url
        yield apart


def write(apart, *command: str) -> None:
    service = {"command": list(command), "environment": {"N": "", "METRICS_TOPIC": ""}}
    (apart.folder / "template.yml").write_text(json.dumps({"services": {"train": service}}))
    definition = {
        "name": "demo",
        "template": "template.yml",
        "experiment_accuracy_limit": 0.9,
        "optimization": {"type": "grid", "objective_function": "accuracy"},
        "parameters": [{"name": "N", "type": "absolute", "value": VALUES}],
    }
    (apart.folder / "project.yml").write_text(json.dumps(definition))


def run(apart, *command: str) -> subprocess.CompletedProcess[str]:
    write(apart, *command)
    return apart.beagle("run", "project.yml", "--limit", 2)


def reported(apart, number: int) -> list[dict[str, float]]:
    shown = json.loads(apart.beagle("metrics", number, "--format", "json").stdout)
    return [each["values"] for each in shown]


def guests(rabbitmq, apart) -> list[str]:
    ids = [each["id"] for each in json.loads(apart.beagle("experiments", "--format", "json").stdout)]
    names = [user["name"] for user in rabbitmq.call("GET", "/users").json()]
    return [name for name in names if any(identity in name for identity in ids)]


def check_for_ruby() -> None:
    if shutil.which("ruby") is None or subprocess.run(["ruby", "-e", "require 'bunny'"], check=False).returncode:
        raise Missing("ruby with its bunny is not installed, and this test needs it: run scripts/services.sh")


@pytest.mark.parametrize("language", ["ruby", "beagle.report"])
def test_what_a_program_publishes_is_stored_once_and_in_order_and_its_user_goes_with_it(apart, rabbitmq, language):
    if language == "ruby":
        check_for_ruby()
    command = ("ruby", str(RUBY)) if language == "ruby" else (sys.executable, "-c", BY_REPORT)
    apart.start("up").serves()
    done = run(apart, *command)
    assert done.returncode == 0, done.stderr
    assert f"demo is completed: {len(VALUES)} completed" in done.stdout
    for number in range(1, len(VALUES) + 1):
        accuracies = [round(values["accuracy"], 6) for values in reported(apart, number)]
        assert accuracies == [0.2, 0.4, 0.6]
    eventually(lambda: guests(rabbitmq, apart) == [])


@pytest.mark.parametrize("key", ["METRICS_TOPIC", "BEAGLE_METRICS_KEY"])
def test_what_was_confirmed_before_the_exit_counts_before_the_exit_status(apart, rabbitmq, key):
    apart.start("up").serves()
    run(apart, sys.executable, "-c", BY_HAND, key)
    states = [each["state"] for each in json.loads(apart.beagle("experiments", "--format", "json").stdout)]
    assert states == ["accuracy_limit_reached"] * len(VALUES)
    assert [values["accuracy"] for values in reported(apart, 1)] == [0.2, 0.95]
    eventually(lambda: guests(rabbitmq, apart) == [])


def test_while_no_user_can_be_made_an_experiment_waits_and_its_launcher_says_why(apart):
    (port,) = free_ports(1)
    apart.environment["BEAGLE_MANAGEMENT"] = f"http://beagle:canary-b1rd@127.0.0.1:{port}"
    up = apart.start("up").serves()
    write(apart, "true")
    apart.start("run", "project.yml", "--limit", "1")
    eventually(lambda: f"nothing answers at 127.0.0.1:{port}" in up.said)
    waits = f"is being launched; its launcher waits: nothing answers at 127.0.0.1:{port}"
    eventually(lambda: waits in apart.beagle("why", 1).stdout)
    assert "canary" not in up.said
