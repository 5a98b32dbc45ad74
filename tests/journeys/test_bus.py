"""The actors and their bus are the system: what happens is what messages cause, and without an actor nothing does."""

from __future__ import annotations

import time
from typing import ClassVar

import pytest

from actors import main
from actors.base import Handlers
from actors.gateway import Gateway
from actors.heuristic import HeuristicActor
from actors.launcher import Launcher
from actors.main import Cast
from actors.monitor import Monitor
from actors.queue_manager import QueueManager
from actors.watch import ExperimentMonitor
from beagle.errors import BeagleError
from bus.memory import MemoryBus
from tests.journeys.beagle_run import OwnRun, search, shell
from tests.journeys.witness import WitnessBus, WitnessStore

SCRIPT = """
echo "accuracy=0.$N"
if test $N = 7; then exit 3; fi
if test $N = 8; then exec sleep 60; fi
"""
ENDINGS = {"completed": 6, "accuracy_limit_reached": 1, "failed": 1, "timeout": 1}
NUDGES = {"FillPlaces", "LaunchExperiment", "StopWorkload", "ExperimentChanged", "ProjectChanged"}
# Who may write what: (actor, what it was handling) for each step of an experiment.
WRITERS = {
    ("queue", "pool"): {("QueueManager", "FillPlaces"), ("QueueManager", "reconcile")},
    ("launching", "pool"): {("Launcher", "LaunchExperiment"), ("Launcher", "reconcile")},
    ("pool", "completed"): {("ExperimentMonitor", "WorkloadEnded")},
    ("pool", "failed"): {("ExperimentMonitor", "WorkloadEnded")},
    ("pool", "accuracy_limit_reached"): {("ExperimentMonitor", "MetricsReported")},
    # The clock's word: no message says that time has passed.
    ("pool", "timeout"): {("ExperimentMonitor", "on_told")},
}

# Each takes its messages and does nothing with them, and finds nothing to do in the store either.


class IdleGateway(Gateway):
    handles: ClassVar[Handlers] = {}


class IdleHeuristic(HeuristicActor):
    handles: ClassVar[Handlers] = {}

    def reconcile(self) -> None: ...


class IdleQueueManager(QueueManager):
    handles: ClassVar[Handlers] = {}

    def reconcile(self) -> None: ...


class IdleLauncher(Launcher):
    handles: ClassVar[Handlers] = {}

    def reconcile(self) -> None: ...


class IdleExperimentMonitor(ExperimentMonitor):
    handles: ClassVar[Handlers] = {}


class IdleMonitor(Monitor):
    child = IdleExperimentMonitor


class LossyBus(MemoryBus):
    """Loses every nudge."""

    def publish(self, message) -> None:
        if message.type not in NUDGES:
            super().publish(message)


class DoublingBus(MemoryBus):
    """Says everything twice, the second time after what came next."""

    before = None

    def publish(self, message) -> None:
        before, self.before = self.before, message
        super().publish(message)
        if before is not None:
            super().publish(before)


def journey(run):
    """A small project with every ending of its own, to its end."""
    run.submit(search(shell(SCRIPT), 9, experiment_accuracy_limit=0.9, experiment_timeout=2))
    counts = run.wait(seconds=30)["counts"]
    assert counts.items() >= ENDINGS.items()


@pytest.fixture
def witnessed(tmp_path, monkeypatch):
    monkeypatch.setattr(main, "MemoryBus", WitnessBus)
    monkeypatch.setattr(main, "SqliteStore", WitnessStore)
    with OwnRun(tmp_path) as run:
        journey(run)
        yield run


def test_every_transition_is_written_by_its_actor_for_a_message_that_was_delivered_to_it(witnessed):
    written = witnessed.world.store.written
    assert len(written) == 9 * 3
    delivered = {(message.type, message.id) for message in witnessed.world.bus.passed}
    for step in written:
        assert (step.actor, step.by) in WRITERS[step.before, step.after]
        assert (step.by, step.cause) in delivered or step.by in {"reconcile", "on_told"}


def test_messages_are_what_moves_it_and_a_reconcile_is_the_exception(witnessed):
    causes = [step.by for step in witnessed.world.store.written]
    assert causes.count("reconcile") <= 3
    kinds = {message.type for message in witnessed.world.bus.passed}
    assert kinds >= NUDGES - {"ProjectChanged"}  # front ends alone listen for that one
    assert kinds >= {"SubmitProject", "StartSystem", "WorkloadLaunched", "MetricsReported", "WorkloadEnded"}
    assert not witnessed.world.bus.dead_letters(9)


@pytest.mark.parametrize(
    "cast",
    [
        pytest.param(Cast(heuristic=IdleHeuristic), id="heuristic"),
        pytest.param(Cast(queue_manager=IdleQueueManager), id="queue manager"),
        pytest.param(Cast(launcher=IdleLauncher), id="launcher"),
        pytest.param(Cast(monitor=IdleMonitor), id="monitor"),
    ],
)
def test_without_one_of_the_actors_no_journey_comes_to_its_end(tmp_path, cast):
    with OwnRun(tmp_path, cast=cast) as run:
        run.submit(search(shell("true")))
        time.sleep(1.5)  # ten times what it takes, and longer than a tick
        assert run.project()["state"] == "running"
        assert run.counts()["completed"] == 0
        assert run.world.bus.dead_letters(9)


def test_without_the_gateway_no_journey_begins(tmp_path):
    refusal = pytest.raises(BeagleError, match="IdleGateway does not handle SubmitProject")
    with OwnRun(tmp_path, cast=Cast(gateway=IdleGateway), paused=True) as run, refusal:
        run.submit(search(shell("true")))


@pytest.mark.parametrize("bus", [LossyBus, DoublingBus])
def test_lost_or_doubled_nudges_do_not_matter(tmp_path, monkeypatch, bus):
    monkeypatch.setattr(main, "MemoryBus", bus)
    with OwnRun(tmp_path, limit=9) as run:
        journey(run)
        run.idle()
