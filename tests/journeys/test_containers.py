"""The original's main flow, whole: models and projects go up over HTTP, containers train, and end in every way."""

from __future__ import annotations

import json

import pytest

from tests.journeys.cli_desk import eventually
from tests.journeys.fleet import Fleet
from tests.servers.mongodb import fresh_database
from tests.servers.rabbitmq import RabbitNode

pytestmark = [pytest.mark.xdist_group("containers"), pytest.mark.timeout(300)]

# Fits a line by gradient descent, and reports as it goes.
TRAINING = """\
import os, sys, time
import beagle
rate = float(os.environ["RATE"])
points = [(x / 10, 2 * x / 10 + 1) for x in range(-10, 11)]
slope = offset = 0.0
for step in range(40):
    errors = [(slope * x + offset - y, x) for x, y in points]
    cost = sum(error**2 for error, _ in errors) / len(points)
    if cost > 1e6:
        print("it diverges", file=sys.stderr)
        sys.exit(3)
    beagle.report(step=step, cost=cost, accuracy=1 / (1 + cost))
    while rate <= 0:
        time.sleep(1)
    slope -= rate * sum(2 * error * x for error, x in errors) / len(points)
    offset -= rate * sum(2 * error for error, _ in errors) / len(points)
    time.sleep(0.01)
if rate == 0.02:
    beagle.completed()
    time.sleep(600)
"""
MODEL = """\
version: "2"
services:
  train:
    image: {image}
    command: {command}
    environment:
      {parameter}: "1"
      METRICS_TOPIC: x
    stop_grace_period: 1s
    mem_limit: 64m
"""
PROJECT = """\
name: {name}
template: {model}
{more}
optimization: {{type: grid, objective_function: accuracy, objectiveResult: max}}
parameters:
  - {{name: {parameter}, type: absolute, value: {values}}}
"""
ORCHESTRATORS = ("docker", "docker-compose")


@pytest.fixture(scope="module")
def node(tmp_path_factory, dockerd):
    """A broker that containers on Docker's bridge reach."""
    node = RabbitNode.start_new(tmp_path_factory.mktemp("rabbitmq"), also_at=dockerd.host)
    yield node
    node.kill()


@pytest.fixture(scope="module", params=ORCHESTRATORS)
def fleet(request, tmp_path_factory, node, mongodb, dockerd):
    with fresh_database(mongodb) as database, node.hosts() as hosts:
        folder = tmp_path_factory.mktemp("fleet")
        with Fleet(folder, node, hosts, database, dockerd, BEAGLE_ORCHESTRATOR=request.param) as fleet:
            yield fleet


@pytest.fixture
def front(fleet):
    """Each test begins with nothing that runs, and leaves nothing that does."""
    fleet.front.limit(4)
    fleet.front.play()
    yield fleet.front
    (system,) = fleet.front.get("systems")
    fleet.front.well("POST", f"systems/{system['id']}/reset")
    eventually(lambda: not fleet.running() and not fleet.networks())


def submit(front, name, image, command, parameter, values, **more):
    model = f"{name}.yml"
    # In a Compose file `$` is written `$$`.
    told = json.dumps(command).replace("$", "$$")
    front.add_model(model, MODEL.format(image=image, command=told, parameter=parameter))
    lines = "\n".join(f"{key}: {json.dumps(value)}" for key, value in more.items())
    listed = json.dumps(values)
    return front.add_project(PROJECT.format(name=name, model=model, more=lines, parameter=parameter, values=listed))


def test_a_training_in_containers_ends_in_every_way_and_its_charts_move(fleet, front, dockerd):
    rates = [0.5, 0.01, 5.0, 0.02, 0, -1]
    limits = {"experiment_timeout": 20, "experiment_accuracy_limit": 0.99}
    project = submit(front, "line", dockerd.python(), ["python", "-c", TRAINING], "RATE", rates, **limits)
    hangs = eventually(lambda: (view := front.by(project, "RATE").get(-1)) and view["launch_time"] and view, 90)
    assert hangs["id"] in {view["id"] for view in front.get("pools")}
    assert [metric["step"] for metric in eventually(lambda: front.metrics(hangs))] == [0]
    front.well("POST", f"experiments/{hangs['id']}/stop")
    front.ended(project, len(rates))
    found = front.by(project, "RATE")
    assert {rate: view["state"] for rate, view in found.items()} == {
        0.5: "accuracy_limit_reached",
        0.01: "completed",
        5.0: "failed",
        0.02: "completed",
        0: "timeout",
        -1: "stopped",
    }
    assert "exit status 0" in front.why(found[0.01])
    assert "exit status 3" in front.why(found[5.0])
    assert "it diverges" in front.why(found[5.0])
    chart = front.metrics(found[0.01])
    assert [metric["step"] for metric in chart] == [*range(40)]
    assert chart[-1]["cost"] < chart[0]["cost"]
    assert chart == sorted(chart, key=lambda metric: metric["experimentTime"])
    told = [metric for metric in front.metrics(found[0.02]) if "cost" in metric]
    assert [metric["step"] for metric in told] == [*range(40)]
    assert front.metrics(found[0.5])[-1]["accuracy"] >= 0.99
    assert front.get(f"projects/{project}/best")
    eventually(lambda: not fleet.running())
    assert "Traceback" not in fleet.said()


FOREIGN = {
    "stdout": """echo 'accuracy=0.5'; echo '{"type": "metrics", "metrics": {"cost": 1.5}}'""",
    "http": """wget -q -O - --header "Authorization: Bearer $BEAGLE_REPORT_TOKEN" --header "Content-Type: text/plain" \
        --post-data "accuracy=0.5 cost=1.5" "$BEAGLE_METRICS_POST\"""",
    "word": "echo accuracy=0.5 cost=1.5; echo '<EXPERIMENT_COMPLETED>'; sleep 600",
    "memory": "echo accuracy=0.5 cost=1.5; tail /dev/zero",
}


def test_an_image_with_nothing_of_beagle_in_it_takes_part_by_its_output_and_over_http(front, dockerd):
    cases = "".join(f"{how})\n{script};;\n" for how, script in FOREIGN.items())
    command = ["sh", "-c", f"case $HOW in\n{cases}esac"]
    project = submit(front, "foreign", dockerd.busybox(), command, "HOW", list(FOREIGN), experiment_timeout=60)
    front.ended(project, len(FOREIGN))
    found = front.by(project, "HOW")
    states = {how: view["state"] for how, view in found.items()}
    assert states == {"stdout": "completed", "http": "completed", "word": "completed", "memory": "failed"}, found
    for view in found.values():
        chart = front.metrics(view)
        told = {name: metric[name] for metric in chart for name in ("accuracy", "cost") if name in metric}
        assert told == {"accuracy": 0.5, "cost": 1.5}, view
    assert "memory" in front.why(found["memory"])


PUBLISHING = """\
import importlib.util, os, time, pika
assert importlib.util.find_spec("beagle.report") is None
channel = pika.BlockingConnection(pika.URLParameters(os.environ["BEAGLE_METRICS_URL"])).channel()
channel.confirm_delivery()
for body in (
    b'{"type": "metrics", "metrics": {"accuarcy": 0.25, "cost": 2}}',
    b"1480000000.5\\t25.3\\t100\\t1.5\\t0.5\\tfurther\\tfields",
    b'{"type": "service", "msg": "experiment_completed"}',
):
    channel.basic_publish(os.environ["BEAGLE_METRICS_EXCHANGE"], os.environ["METRICS_TOPIC"], body, mandatory=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def foreign(dockerd):
    """An image with Python and a client of RabbitMQ, and without Beagle."""
    remove = "import beagle, shutil; shutil.rmtree(beagle.__path__[0])"
    with dockerd.client() as client:
        made = client.containers.create(dockerd.python(), ["python", "-c", remove], network_mode="none")
        made.start()
        assert made.wait()["StatusCode"] == 0
        made.commit("beagle-test/foreign", "latest")
        made.remove()
    return "beagle-test/foreign:latest"


def test_an_image_of_the_original_publishes_to_its_topic_in_each_of_its_forms(front, foreign):
    command = ["python", "-c", PUBLISHING]
    project = submit(front, "topic", foreign, command, "EPOCHS", [4], experiment_timeout=60)
    (view,) = front.ended(project, 1)
    assert view["state"] == "completed", front.why(view)
    chart = [metric for metric in front.metrics(view) if "cost" in metric]
    assert [(metric["accuracy"], metric["cost"]) for metric in chart] == [(0.25, 2), (0.5, 1.5)]
    assert chart[1]["experimentTime"] == 25.3


def test_pause_stops_what_runs_and_play_runs_it_again(fleet, front, dockerd):
    command = ["sh", "-c", "echo accuracy=0.$N; sleep 600"]
    project = submit(front, "paused", dockerd.busybox(), command, "N", [1, 2])
    eventually(lambda: len(fleet.running()) == 2)
    front.in_state(project, 2, "pool")
    front.pause()
    front.in_state(project, 2, "queue")
    eventually(lambda: not fleet.running())
    front.play()
    again = eventually(lambda: len(names := fleet.running()) == 2 and names)
    assert {name.removesuffix(".train").rpartition("-")[2][0] for name in again} == {"2"}
    for view in front.in_state(project, 2, "pool"):
        assert view["attempt"] == 2
        assert [metric["accuracy"] for metric in eventually(lambda v=view: front.metrics(v))] != []
    assert front.call("DELETE", f"projects/{project}").status_code == 204
    eventually(lambda: not fleet.running())


def test_an_image_that_is_nowhere_and_a_program_that_is_not_in_it_fail_with_their_reason(front, dockerd):
    nowhere = submit(front, "nowhere", "localhost:1/nowhere:1", ["true"], "N", [1], retries={"launch": 0})
    missing = submit(front, "missing", dockerd.busybox(), ["no-such-program"], "N", [1], retries={"launch": 0})
    (view,) = front.ended(nowhere, 1)
    assert view["state"] == "failed"
    assert "localhost:1" in front.why(view)
    (view,) = front.ended(missing, 1)
    assert view["state"] == "failed"
    assert "no-such-program" in front.why(view)
