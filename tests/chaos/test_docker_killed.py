"""`kill -9` of the scheduler, again and again, while its experiments run as containers of a real engine."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest

from beagle.orchestrators.docker import DockerOrchestrator
from beagle.settings import Settings
from beagle.template import Template, Workload
from tests.contracts.workloads import boxed
from tests.journeys.beagle_run import search, shell
from tests.journeys.kennel import Kennel
from tests.servers.dockerd import Dockerd

EXPERIMENTS, LIMIT, KILLS = 20, 5, 8
SEEDS = range(1, 1 + int(os.environ.get("BEAGLE_CHAOS_SEEDS", "1")))
# Ends with 0 and with 3 in turn.
PROGRAM = "for step in 0 1 2; do echo loss=$step; sleep 0.$((N % 7)); done; exit $((N % 2 * 3))"


class Boxed(DockerOrchestrator):
    """At the engine that DOCKER_HOST names, without a network; templates for processes get an image."""

    def __init__(self, folder: Path, system: str = "") -> None:
        super().__init__(folder, "local", settings=Settings(network="none", trusted="yes"), system=system)

    @staticmethod
    def refusals(template: Template, settings: Settings) -> list[str]:
        return []

    def start(self, workload: Workload) -> float:
        return super().start(boxed(workload, "beagle-test/busybox", Path("/tmp"), volumes=[]))


@contextmanager
def listening(engine: Dockerd):
    """What the engine tells of its containers, in order: what happened, to which workload."""
    told: list[tuple[str, str]] = []
    with engine.client() as client:
        stream = client.events(decode=True, filters={"type": "container", "event": ["start", "die"]})

        def listen() -> None:
            for event in stream:
                told.append((event["Action"], event["Actor"]["Attributes"]["beagle.workload"]))

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        yield told
        stream.close()
        listener.join()


@pytest.mark.parametrize("seed", SEEDS)
def test_kills_in_the_middle_of_starts_run_nothing_twice_and_never_exceed_the_limit(tmp_path, monkeypatch, seed):
    chance, engine = random.Random(seed), Dockerd.start_new(tmp_path / "dockerd")
    engine.busybox()
    monkeypatch.setenv("DOCKER_HOST", engine.url)
    with Kennel(tmp_path, orchestrator="tests.chaos.test_docker_killed:Boxed") as kennel, listening(engine) as told:
        kennel.start()
        run = kennel.run()
        run.submit(search(shell(PROGRAM), EXPERIMENTS, pause_after_failures=0))
        run.start(LIMIT)
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.2, 1.5))
            kennel.kill()
            time.sleep(chance.uniform(0, 0.4))
            kennel.start()
        run = kennel.run()
        run.wait(seconds=120)
        run.idle()
        views = run.experiments()
        stored = [[metric["values"]["loss"] for metric in run.metrics(view["number"])] for view in views]
    engine.kill()
    assert [(view["state"], view["exit_status"]) for view in views] == [
        ("failed", 3) if number % 2 else ("completed", 0) for number in range(1, EXPERIMENTS + 1)
    ]
    starts = Counter(name for what, name in told if what == "start")
    assert set(starts.values()) == {1}
    assert len(starts) == sum(view["attempt"] for view in views)
    assert most_at_once(told) <= LIMIT
    assert stored == [[0, 1, 2]] * EXPERIMENTS


def most_at_once(told: list[tuple[str, str]]) -> int:
    running = most = 0
    for what, _ in told:
        running += 1 if what == "start" else -1
        most = max(most, running)
    return most
