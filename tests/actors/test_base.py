"""What every actor does with a delivery, whatever its handler does: answered, acknowledged, tried again or buried."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import ClassVar

import pykka
import pytest

from actors import base
from actors.base import BusActor, Handlers, Tick, World
from actors.clock import Clock
from beagle.answers import raise_for
from beagle.commands import PauseSystem, ShowProject, ShowSystem
from beagle.errors import BeagleError, InvalidInput, NotFound, Refused, Unavailable
from beagle.members import Alone
from beagle.messages import FillPlaces
from beagle.projects import Plans
from beagle.stores.sqlite import SqliteStore
from bus.memory import MemoryBus
from bus.routes import bindings
from tests.journeys.beagle_run import eventually


@dataclass
class Script:
    """What the handler raises, one after the other, each reconcile too; and which messages were handled to the end."""

    errors: list[Exception] = field(default_factory=list)
    reconcile: list[Exception] = field(default_factory=list)
    tries: int = 0
    ticks: int = 0
    handled: list[str] = field(default_factory=list)


class Scripted(BusActor):
    def __init__(self, world: World, queues: tuple[str, ...], script: Script) -> None:
        self.script = script
        super().__init__(world, queues)

    def on_any(self, message):
        self.script.tries += 1
        if self.script.errors:
            raise self.script.errors.pop(0)
        self.script.handled.append(message.id)
        return {"found": True}

    def reconcile(self) -> None:
        self.script.ticks += 1
        if self.script.reconcile:
            raise self.script.reconcile.pop(0)

    handles: ClassVar[Handlers] = {ShowSystem: on_any, FillPlaces: on_any}


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setattr(base, "RETRY_AFTER", 0.01)
    monkeypatch.setattr(base, "TICK", 0.02)
    store, bus, clock = SqliteStore(tmp_path / "beagle.sqlite"), MemoryBus(bindings("here")), Clock()
    yield World(store=store, bus=bus, clock=clock, site="here", plans=Plans(store))
    clock.close()
    bus.close()
    store.close()


@pytest.fixture
def script():
    return Script()


@pytest.fixture
def actor(world, script):
    actor = Scripted.start(world, ("gateway", "queue_manager"), script)
    yield actor
    actor.stop()


def ask(world, message):
    return raise_for(world.bus.request(message, timeout=5))


def test_a_question_is_answered_with_what_its_handler_returns(world, actor):
    assert ask(world, ShowSystem()) == {"found": True}


@pytest.mark.parametrize("error", [NotFound("a"), Refused("b"), InvalidInput(["c", "d"]), Unavailable("e")])
def test_an_error_travels_to_whoever_asked_and_is_of_its_kind_there(world, actor, script, error):
    script.errors = [error]
    with pytest.raises(type(error)) as told:
        ask(world, ShowSystem())
    assert str(told.value) == str(error)
    assert script.tries == 1


def test_what_nobody_foresaw_is_told_to_whoever_asked_and_buried_and_stops_nothing(world, actor, script):
    script.errors = [ZeroDivisionError("the moon")]
    with pytest.raises(BeagleError, match="ZeroDivisionError: the moon"):
        ask(world, ShowSystem())
    assert eventually(lambda: world.bus.dead_letters(9))[0].reason == "ZeroDivisionError: the moon"
    assert ask(world, ShowSystem()) == {"found": True}


def test_a_nudge_that_comes_too_late_is_done_with(world, actor, script):
    script.errors = [Refused("it has ended")]
    world.bus.publish(FillPlaces())
    eventually(lambda: script.tries)
    assert ask(world, ShowSystem())
    assert (script.tries, len(world.bus.dead_letters(9))) == (2, 0)


def test_a_nudge_waits_for_a_store_that_is_away_for_as_long_as_that_takes(world, actor, script):
    script.errors = [Unavailable("away")] * 50
    nudge = FillPlaces()
    world.bus.publish(nudge)
    eventually(lambda: script.handled == [nudge.id])
    assert (script.tries, len(world.bus.dead_letters(9))) == (51, 0)


def test_a_nudge_that_fails_for_no_known_reason_is_tried_some_times_and_then_buried(world, actor, script):
    script.errors = [KeyError("why")] * 50
    world.bus.publish(FillPlaces())
    letter = eventually(lambda: world.bus.dead_letters(9))[0]
    assert letter.reason == "KeyError: 'why'"
    assert script.tries == base.TRIES + 1


def test_one_bad_moment_loses_no_nudge(world, actor, script):
    script.errors = [KeyError("why")]
    nudge = FillPlaces()
    world.bus.publish(nudge)
    eventually(lambda: script.handled == [nudge.id])
    assert not world.bus.dead_letters(9)


def test_what_it_does_not_handle_is_buried_or_told(world, actor):
    world.bus.publish(ShowProject(project="p"))
    assert eventually(lambda: world.bus.dead_letters(9))[0].reason == "Scripted does not handle ShowProject"
    with pytest.raises(InvalidInput, match="Scripted does not handle PauseSystem"):
        ask(world, PauseSystem())


class ReturningBus(MemoryBus):
    """Can be told that it was away."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)
        self.told = []

    def on_reconnect(self, tell) -> None:
        self.told.append(tell)


def test_it_reconciles_as_soon_as_the_bus_is_back(world, script, monkeypatch):
    monkeypatch.setattr(base, "TICK", 60.0)
    bus = ReturningBus(bindings("here"))
    actor = Scripted.start(replace(world, bus=bus), ("gateway",), script)
    eventually(lambda: script.ticks == 1)
    for tell in bus.told:
        tell()
    eventually(lambda: script.ticks == 2)
    actor.stop()
    for tell in bus.told:
        tell()  # whoever has stopped hears of nothing, and nothing fails
    assert script.ticks == 2
    bus.close()


def test_a_reconcile_that_fails_comes_again_with_the_next_tick(world, script):
    script.reconcile = [RuntimeError("once"), Unavailable("twice")]
    actor = Scripted.start(world, ("gateway",), script)
    eventually(lambda: script.ticks >= 4)
    assert ask(world, ShowSystem()) == {"found": True}
    actor.stop()


class Forgotten(Alone):
    """As when the store is away: nobody can say who lives."""

    away = True

    def turn(self) -> bool:
        if self.away:
            raise Unavailable("no store")
        return True


def test_an_actor_that_cannot_renew_its_membership_complains_once_and_works_again_once(world, script, caplog):
    caplog.set_level("INFO")
    membership = Forgotten("scripted", "here")
    actor = Scripted.start(replace(world, membership=lambda *_: membership), ("gateway",), script)
    eventually(lambda: script.ticks >= 4)
    assert [record.getMessage() for record in caplog.records] == ["Scripted: no store"]
    membership.away = False
    eventually(lambda: "Scripted works again" in caplog.text)
    before = script.ticks
    eventually(lambda: script.ticks >= before + 2)
    actor.stop()
    assert caplog.text.count("works again") == 1


def test_what_an_actor_has_not_acknowledged_when_it_stops_goes_to_the_next(world, script):
    script.errors = [Unavailable("away")] * 10_000
    first = Scripted.start(world, ("queue_manager",), script)
    nudge = FillPlaces()
    world.bus.publish(nudge)
    eventually(lambda: script.tries)
    first.stop()
    after = Script()
    second = Scripted.start(world, ("queue_manager",), after)
    eventually(lambda: after.handled == [nudge.id])
    second.stop()


class Resigning(Alone):
    """Has all duties until it looks again."""

    looks = 0

    def share(self, duties):
        self.looks += 1
        return frozenset(duties if self.looks == 1 else ())


def test_what_waits_for_an_actor_that_gives_its_queue_up_is_handled_by_the_next_alone(world, script):
    busy, go = threading.Event(), threading.Event()

    class Slow(Scripted):
        def on_any(self, message):
            busy.set()
            assert go.wait(10)
            return super().on_any(message)

        handles: ClassVar[Handlers] = {FillPlaces: on_any}

    first = Slow.start(replace(world, membership=Resigning), ("queue_manager",), script)
    orders = [FillPlaces() for _ in range(4)]
    world.bus.publish(orders[0])
    assert busy.wait(10)
    first.tell(Tick())
    for order in orders[1:]:
        world.bus.publish(order)
    go.set()
    after = Script()
    second = Scripted.start(world, ("queue_manager",), after)
    eventually(lambda: after.handled == [order.id for order in orders[1:]])
    first.stop()
    second.stop()
    assert script.handled == [orders[0].id]


def test_the_clock_passes_over_who_is_gone_and_keeps_the_order_of_the_moments():
    told = []

    class Listener(pykka.ThreadingActor):
        use_daemon_thread = True

        def on_receive(self, message):
            told.append(message)

    clock, gone, here = Clock(), Listener.start(), Listener.start()
    gone.stop()
    for after, word in ((0.06, "third"), (0.0, "first"), (0.03, "second")):
        clock.tell(gone, word, after=after)
        clock.tell(here, word, after=after)
    eventually(lambda: len(told) == 3)
    here.stop()
    clock.close()
    assert told == ["first", "second", "third"]
