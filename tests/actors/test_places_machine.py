"""Random schedules against the limit: managers, resizers and launchers sleep between any two operations, vanish, come
late and are doubled, and at every moment the places hold."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from beagle import lifecycle, system
from beagle.commands import (
    PauseSystem,
    RetryExperiment,
    StartSystem,
    StopExperiment,
)
from beagle.errors import Refused
from beagle.experiment import (
    AccuracyReached,
    Completed,
    Event,
    Experiment,
    Failed,
    Failure,
    Prioritised,
    Retried,
    TimedOut,
)
from beagle.messages import LaunchExperiment, StopWorkload
from beagle.ports import Store
from beagle.records import Place
from beagle.template import attempt_of
from tests.actors.desk import Desk
from tests.actors.sleepers import Sleeper
from tests.conftest import mongo, sqlite

COUNT = 4
numbers = st.integers(0, COUNT - 1)
attempts = st.integers(1, 3)
operations = st.integers(1, 12)
endings = st.sampled_from(
    [
        Completed("it said so itself"),
        TimedOut("it ran for its 80 s"),
        AccuracyReached("accuracy is 0.99"),
        Failed("exit status 3", Failure.EXIT, 3),
        Retried("nobody saw it end", Failure.LOST),
        Retried("interrupted", None),
    ]
)


def is_over(experiment: Experiment, attempt: int) -> bool:
    return attempt < experiment.attempt or experiment.ended_at is not None


class PlacesMachine(RuleBasedStateMachine):
    """`asleep` are processes in the middle of their work; the launcher is one process and does one thing at a time."""

    def __init__(self, fresh: Callable[[], AbstractContextManager[Callable[[], Store]]]) -> None:
        super().__init__()
        self.life = ExitStack()
        self.opening = self.life.enter_context(fresh())
        self.asleep: list[Sleeper] = []
        self.launching: Sleeper | None = None

    @initialize(limit=st.integers(0, 3))
    def begin(self, limit: int) -> None:
        self.desk = Desk(self.opening(), COUNT, limit)

    def _start(self, work: Callable[[], object], steps: int) -> Sleeper:
        sleeper = Sleeper(work)
        self.asleep.append(sleeper)
        self._wake(sleeper, steps)
        return sleeper

    def _wake(self, sleeper: Sleeper, steps: int) -> None:
        for _ in range(steps):
            if sleeper.wake().over:
                self.asleep.remove(sleeper)
                self.desk.note(sleeper.result)
                break
            self.desk.check()

    # Managers, resizers, users

    @rule(steps=operations)
    def a_manager_fills(self, steps: int) -> None:
        self._start(self.desk.manager.fill, steps)

    @rule(steps=operations)
    def a_manager_reconciles(self, steps: int) -> None:
        self._start(self.desk.manager.reconcile, steps)

    @rule(kind=st.sampled_from([Place, Experiment]))
    def a_manager_falls_asleep_just_before_it_writes(self, kind: type[Place | Experiment]) -> None:
        sleeper = self._start(self.desk.manager.fill, 1)
        while not sleeper.over and sleeper.before != ("replace", kind):
            self._wake(sleeper, 1)

    @rule()
    def all_is_reconciled(self) -> None:
        """As on every tick; what sleeps sleeps on, for long enough that its place is taken for leaked."""
        self.desk.time += 3.0
        self._start(self.desk.manager.reconcile, 10_000)
        if self.launcher_is_idle():
            self.launching = self._start(self.desk.launcher.reconcile, 10_000)

    @rule(limit=st.integers(0, 4), steps=operations)
    def a_limit_changes(self, limit: int, steps: int) -> None:
        self._start(lambda: self.desk.resize(limit), steps)

    @rule(steps=operations)
    def the_system_is_paused(self, steps: int) -> None:
        self._start(lambda: self.desk.gateway.pause_system(PauseSystem()), steps)

    @rule()
    def the_system_is_started(self) -> None:
        self.desk.gateway.start_system(StartSystem())

    @rule(number=numbers, steps=operations)
    def a_user_stops(self, number: int, steps: int) -> None:
        order = StopExperiment(experiment=self.desk.ids[number])
        self._start(lambda: self.desk.gateway.stop_experiment(order), steps)

    @rule(number=numbers, steps=operations)
    def a_user_retries(self, number: int, steps: int) -> None:
        order = RetryExperiment(experiment=self.desk.ids[number])
        self._start(lambda: self.desk.gateway.retry_experiment(order), steps)

    @rule(number=numbers, priority=st.integers(-1, 1))
    def a_user_moves_one_within_the_queue(self, number: int, priority: int) -> None:
        with suppress(Refused):
            lifecycle.advance(self.desk.store, self.desk.experiments()[number], Prioritised(priority), self.desk.time)

    # The launcher, the orchestrator and the monitors

    def launcher_is_idle(self) -> bool:
        return self.launching is None or self.launching.over

    @precondition(launcher_is_idle)
    @rule(steps=operations)
    def the_launcher_reconciles(self, steps: int) -> None:
        self.launching = self._start(self.desk.launcher.reconcile, steps)

    @precondition(launcher_is_idle)
    @rule(number=numbers, attempt=attempts, steps=operations)
    def a_launch_is_asked_for_at_any_time(self, number: int, attempt: int, steps: int) -> None:
        order = LaunchExperiment(site="local", experiment=self.desk.ids[number], attempt=attempt)
        self.launching = self._start(lambda: self.desk.launcher.on_launch_experiment(order), steps)

    @precondition(launcher_is_idle)
    @rule(number=numbers, attempt=attempts, steps=operations)
    def a_stop_comes_late(self, number: int, attempt: int, steps: int) -> None:
        experiment = self.desk.experiments()[number]
        if is_over(experiment, attempt):
            order = StopWorkload(site="local", experiment=experiment.id, attempt=attempt)
            self.launching = self._start(lambda: self.desk.launcher.on_stop_workload(order), steps)

    @precondition(lambda self: self.launcher_is_idle() and self.desk.orchestrator.pushes)
    @rule(steps=operations)
    def the_launcher_hears_of_an_end(self, steps: int) -> None:
        told = self.desk.told(self.desk.orchestrator.pushes.popleft())
        self.launching = self._start(told, steps)

    @precondition(lambda self: self.desk.orchestrator.alive)
    @rule(data=st.data())
    def something_that_runs_ends(self, data: st.DataObject) -> None:
        self.desk.orchestrator.end(data.draw(st.sampled_from(sorted(self.desk.orchestrator.alive))))

    @precondition(lambda self: self.desk.unheard)
    @rule(event=endings, steps=operations)
    def a_monitor_hears_of_an_end(self, event: Event, steps: int) -> None:
        held = self.desk.unheard.pop(0)
        if not self._start(lambda: self.desk.judge(held, event), steps).over:
            self.desk.unheard.append(held)  # not acknowledged: should this one vanish, it comes again

    @precondition(lambda self: self.desk.orchestrator.alive)
    @rule(event=endings, data=st.data(), steps=operations)
    def a_monitor_ends_what_runs(self, event: Event, data: st.DataObject, steps: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.desk.orchestrator.alive)))
        self._start(lambda: self.desk.judge(attempt_of(name), event), steps)

    # Sleep, death, time

    @precondition(lambda self: self.asleep)
    @rule(data=st.data(), steps=operations)
    def a_sleeper_wakes(self, data: st.DataObject, steps: int) -> None:
        self._wake(self.asleep[data.draw(st.integers(0, len(self.asleep) - 1))], steps)

    @precondition(lambda self: self.asleep)
    @rule(data=st.data())
    def a_sleeper_vanishes(self, data: st.DataObject) -> None:
        sleeper = self.asleep.pop(data.draw(st.integers(0, len(self.asleep) - 1)))
        sleeper.vanish()
        if sleeper is self.launching:
            self.desk.restart_launcher()

    @rule(seconds=st.sampled_from([0.1, 1.0, 3.0]))
    def time_passes(self, seconds: float) -> None:
        self.desk.time += seconds

    @invariant()
    def the_places_hold(self) -> None:
        self.desk.check()

    def teardown(self) -> None:
        """However it went until here: all wake, and everything queued runs to its end."""
        with self.life:
            if hasattr(self, "desk"):
                self._finish()

    def _finish(self) -> None:
        try:
            while self.asleep:
                self._wake(self.asleep[0], 10_000)
            self._paused_means_that_nothing_runs()
            self.desk.finish()
        finally:
            for sleeper in self.asleep:
                sleeper.vanish()
            self.desk.close()

    def _paused_means_that_nothing_runs(self) -> None:
        if not system.load(self.desk.store).running:
            self.desk.manager.reconcile()
            self.desk.gateway.reconcile()
            assert self.desk.pool() == [], "the system is paused and something is in the pool"


# On MongoDB fewer: each operation is a round trip to another process.
@pytest.mark.parametrize(
    ("fresh", "examples"), [(sqlite, 30), (mongo, 6)], ids=["sqlite", "mongodb"], indirect=["fresh"]
)
def test_the_places_hold_whoever_sleeps_vanishes_or_comes_twice(fresh, examples):
    run_state_machine_as_test(
        lambda: PlacesMachine(fresh),
        settings=settings(max_examples=examples, stateful_step_count=40),
    )
