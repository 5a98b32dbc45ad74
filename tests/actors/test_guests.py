"""When the launcher lets an attempt in to the bus, when it expels it, and what waits while it cannot."""

from __future__ import annotations

from dataclasses import replace

import pytest

from actors.launcher import SWEEP_EVERY
from actors.why import Why
from beagle.errors import Unavailable
from beagle.experiment import Completed, State
from beagle.members import Members
from beagle.messages import EndingRelayed, WorkloadEnded, WorkloadLaunched, decode
from beagle.ports import Ended
from beagle.records import Plan
from beagle.stores.sqlite import SqliteStore
from beagle.template import attempt_of
from bus.metric_keys import topic
from tests.actors.desk import Desk
from tests.actors.paper import PaperOrchestrator
from tests.contracts.records import project


class Guests:
    """Who is let in, on paper. `away`: nobody can be let in or expelled now."""

    open = True

    def __init__(self) -> None:
        self.inside: set[tuple[str, int]] = set()
        self.admitted: list[tuple[str, int]] = []
        self.away = False

    def admit(self, experiment, attempt) -> dict[str, str]:
        if self.away:
            raise Unavailable("nothing answers at broker:15672")
        self.inside.add((experiment, attempt))
        self.admitted.append((experiment, attempt))
        return {"BEAGLE_METRICS_KEY": f"{experiment}-{attempt}"}

    def expel(self, experiment, attempt) -> None:
        if not self.away:
            self.inside.discard((experiment, attempt))

    def sweep(self, is_over) -> None:
        self.inside -= {guest for guest in self.inside if is_over(*guest)}


class Noted(PaperOrchestrator):
    """Keeps what it was told to start, and who was inside by then."""

    def __init__(self, now, guests) -> None:
        super().__init__(now)
        self.workloads = {}
        self._guests = guests

    def start(self, workload) -> float:
        assert attempt_of(workload.name) in self._guests.inside or workload.name in self.started
        self.workloads[workload.name] = workload
        return super().start(workload)


class Scene(Desk):
    def __init__(self, store) -> None:
        self.heard = []
        super().__init__(store, experiments=2, limit=1)
        self.guests = Guests()
        self.noted = Noted(self.now, self.guests)
        self.orchestrator = self.noted
        self.world = replace(self.world, store=self.store, access=self.guests)
        self.manager.world = self.world
        self.restart_launcher()
        self.manager.reconcile()

    def _hear(self, delivery) -> None:
        self.heard.append((delivery.key, decode(delivery.body)))
        delivery.ack()

    def ended(self, held) -> Ended:
        return Ended(workload=f"beagle-{held[0]}-{held[1]}", status=0, ended_at=self.time)

    def finish_attempt(self, held) -> None:
        self.judge(held, Completed("exit status 0", 0))
        self.orchestrator.end(f"beagle-{held[0]}-{held[1]}")
        self.launcher.on_told(self.ended(held))
        self.launcher.reconcile()


@pytest.fixture
def scene(tmp_path):
    store = SqliteStore(tmp_path / "beagle.sqlite")
    scene = Scene(store)
    yield scene
    scene.close()
    store.close()


def test_an_attempt_is_let_in_before_its_launch_and_finds_its_key(scene):
    scene.launcher.reconcile()
    ((name, workload),) = scene.noted.workloads.items()
    assert scene.guests.inside == {attempt_of(name)}
    assert workload.services[0].environment["BEAGLE_METRICS_KEY"] == "{}-{}".format(*attempt_of(name))


def test_it_is_expelled_when_its_place_is_given_back(scene):
    scene.launcher.reconcile()
    (guest,) = scene.guests.inside
    scene.finish_attempt(guest)
    assert guest not in scene.guests.inside


def test_an_adopted_attempt_keeps_what_it_has(scene):
    scene.launcher.reconcile()
    scene.restart_launcher()
    for _ in range(3):
        scene.launcher.reconcile()
    assert len(scene.guests.admitted) == 1


def test_while_nobody_can_be_let_in_launches_wait_and_places_come_back_all_the_same(scene):
    scene.guests.away = True
    scene.launcher.reconcile()
    assert not scene.noted.workloads
    scene.guests.away = False
    scene.launcher.reconcile()
    assert len(scene.noted.workloads) == 1
    (guest,) = scene.guests.inside
    scene.guests.away = True
    scene.finish_attempt(guest)
    assert not [place for place in scene.places() if place.experiment == guest[0]]
    assert guest in scene.guests.inside


def test_an_order_to_launch_waits_too(scene):
    scene.guests.away = True
    held = [place for place in scene.places() if place.experiment]
    with pytest.raises(Unavailable, match="nothing answers at broker:15672"):
        scene.launcher._launch(next(e for e in scene.experiments() if e.id == held[0].experiment))
    assert not scene.noted.workloads


def test_who_was_forgotten_inside_is_expelled_by_a_sweep_and_nobody_else_is(scene):
    scene.launcher.reconcile()
    (guest,) = scene.guests.inside
    scene.guests.inside |= {("f" * 24, 1), (guest[0], 7)}
    for _ in range(SWEEP_EVERY + 1):
        scene.launcher.reconcile()
    assert scene.guests.inside == {guest}


def test_what_an_attempt_may_have_published_before_its_launch_is_told_is_asked_of_the_store(scene):
    scene.launcher.reconcile()
    (launched,) = [message for _, message in scene.heard if isinstance(message, WorkloadLaunched)]
    assert not launched.fresh


def test_the_ending_follows_what_is_published_with_the_originals_key(scene, monkeypatch):
    plan = scene.world.plans.of(scene.experiments()[0].project)
    service = replace(plan.template.services[0], environment={"METRICS_TOPIC": ""})
    by_topic: Plan = replace(plan, template=replace(plan.template, services=(service,)))
    monkeypatch.setattr(scene.world.plans, "of", lambda _: by_topic)
    scene.launcher.reconcile()
    (guest,) = scene.guests.inside
    scene.heard.clear()
    scene.launcher.reporter.observe([scene.ended(guest)])
    ((key, message),) = scene.heard
    assert key == topic(guest[0])
    assert isinstance(message, EndingRelayed)
    assert (message.ending.attempt, message.ending.status) == (1, 0)


def test_other_endings_take_the_attempts_own_way(scene):
    scene.launcher.reconcile()
    (guest,) = scene.guests.inside
    scene.heard.clear()
    scene.launcher.reporter.observe([scene.ended(guest)])
    assert [type(message) for _, message in scene.heard] == [WorkloadEnded]


def test_why_an_experiment_waits_for_its_launch_is_told_from_any_process(scene):
    scene.launcher.membership = Members(scene.store, "launcher", "local")
    asked = Members(scene.store, "gateway")

    def why() -> str:
        scene.launcher.membership.turn()
        asked.turn()
        held = next(e for e in scene.experiments() if e.state is State.POOL)
        return Why(scene.store, asked, scene.time).of(held, project(1))

    scene.guests.away = True
    scene.launcher.membership.turn()
    scene.launcher.reconcile()
    assert why().endswith("is being launched; its launcher waits: nothing answers at broker:15672")
    scene.guests.away = False
    scene.launcher.reconcile()
    assert "launcher waits" not in why()
