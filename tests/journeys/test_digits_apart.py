"""The example of the README, over RabbitMQ and MongoDB's protocol, with two processes of each actor."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.journeys.apart import KINDS, Actor, Apart

EXAMPLE = Path(__file__).parents[2] / "examples" / "digits"
LIMIT = 3
GOOD_ENOUGH = 0.95


@pytest.fixture
def apart(tmp_path, rabbitmq, hosts, database):
    main, metrics = hosts
    with Apart(tmp_path, rabbitmq.url(main), rabbitmq.url(metrics), database) as apart:
        shutil.copytree(EXAMPLE, tmp_path / "digits", ignore=shutil.ignore_patterns(".beagle", "__pycache__"))
        project = tmp_path / "digits" / "project.yml"
        # Ten more processes than in the demo want the same cores.
        project.write_text(project.read_text().replace("experiment_timeout: 15 ", "experiment_timeout: 20 "))
        yield apart


def handled(actor: Actor, kind: str) -> float:
    """How many messages of a kind this process handled, by its own page."""
    found = re.findall(
        rf'^beagle_messages_total{{.*outcome="handled",type="{kind}"}} (\S+)$', actor.page("/metrics")[1], re.MULTILINE
    )
    return sum(map(float, found))


def views(apart: Apart, *words: object) -> list[dict]:
    return json.loads(apart.beagle(*words, "--format", "json").stdout)


def most_at_once(experiments: Iterable[dict]) -> int:
    """By the times that are stored: an end comes before a launch at the same moment."""
    moments = [(view["launch_time"], 1) for view in experiments] + [(view["end_time"], -1) for view in experiments]
    running = most = 0
    for _, change in sorted(moments):
        running += change
        most = max(most, running)
    return most


def check_experiment(view: dict) -> None:
    """Its state is what its parameters lead to."""
    assert view["attempt"] == 1
    match view["state"]:
        case "completed":
            assert view["parameters"]["EPOCHS"] == view["metric_count"] == 2
            assert view["objective"] < GOOD_ENOUGH
        case "accuracy_limit_reached":
            assert view["parameters"]["EPOCHS"] == 10_000
            assert view["metrics"]["accuracy"] >= GOOD_ENOUGH
        case other:
            # The one that learns nothing; on a machine that is busy with much else, one that had too little time.
            assert other == "timeout", view


def check_metrics(apart: Apart, view: dict) -> None:
    """They are those that its program reported, each once and in its order."""
    metrics = views(apart, "metrics", view["number"])
    assert [metric["step"] for metric in metrics] == list(range(1, len(metrics) + 1))
    assert len(metrics) >= view["metric_count"]  # one that came while it was being stopped counts no more
    reached = [metric["values"]["accuracy"] >= GOOD_ENOUGH for metric in metrics]
    assert any(reached) is (view["state"] == "accuracy_limit_reached")


def test_two_of_each_actor_run_the_example_to_its_end(apart):
    first, second = apart.start_each(), apart.start_each()
    done = apart.beagle("run", "digits/project.yml", "--limit", LIMIT)
    assert done.returncode == 0, done.stderr
    assert "digits is completed" in done.stdout

    experiments = views(apart, "experiments")
    assert [view["number"] for view in experiments] == list(range(1, 13))
    for view in experiments:
        check_experiment(view)
    for number in (1, 6, 12):
        check_metrics(apart, experiments[number - 1])
    states = [view["state"] for view in experiments]
    assert states[-1] == "timeout"
    assert {"completed", "accuracy_limit_reached"} <= set(states)
    assert most_at_once(experiments) <= LIMIT
    (best,) = views(apart, "best", "--count", 1)
    assert best["objective"] >= GOOD_ENOUGH

    both = {kind: (first[kind], second[kind]) for kind in KINDS}
    assert sum(handled(launcher, "LaunchExperiment") for launcher in both["launcher"]) >= len(experiments)
    for monitor in both["monitor"]:
        assert handled(monitor, "WorkloadEnded") > 0, "it had no share of the experiments"
    assert {actor.end() for pair in both.values() for actor in pair} == {0}
    assert "Traceback" not in "".join(actor.said for pair in both.values() for actor in pair)
