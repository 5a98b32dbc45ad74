"""Actors that share threads are actors like others: one message at a time, in order, to the end, and none starves."""

from __future__ import annotations

import threading
import time

import pykka
import pytest

from actors.base import World
from actors.clock import Clock
from actors.crew import TURN, WAITING, Crew, CrewActor
from beagle.projects import Plans
from beagle.stores.sqlite import SqliteStore
from bus.memory import MemoryBus
from tests.contracts.workloads import eventually

MOST = 3


class Noting(CrewActor):
    """Notes what it was told, in which thread, and whether it was ever in two at once."""

    def __init__(self, world: World, crew: Crew) -> None:
        super().__init__(world, crew)
        self.heard: list[object] = []
        self.threads: set[int] = set()
        self.busy, self.overlapped, self.over = False, False, False

    def on_told(self, message: object) -> None:
        self.overlapped |= self.busy
        self.busy = True
        self.threads.add(threading.get_ident())
        if callable(message):
            message()
        self.heard.append(message)
        self.busy = False

    def on_stop(self) -> None:
        self.over = True


@pytest.fixture
def world(tmp_path):
    store, clock = SqliteStore(tmp_path / "beagle.sqlite"), Clock()
    yield World(store=store, bus=MemoryBus({}), clock=clock, site="here", plans=Plans(store))
    clock.close()
    store.close()


@pytest.fixture
def crew():
    crew = Crew("crew", MOST)
    yield crew
    crew.close()


@pytest.fixture
def join(world, crew):
    """Starts an actor; with it comes the actor itself, to look at."""

    def start() -> tuple[pykka.ActorRef, Noting]:
        ref = Noting.start(world, crew)
        return ref, ref._actor_weakref()

    return start


def test_messages_are_taken_in_their_order_and_one_at_a_time(join):
    actors = [join() for _ in range(20)]
    for number in range(200):
        for ref, _ in actors:
            ref.tell(number)
    for ref, actor in actors:
        ref.stop()
        assert actor.heard == list(range(200))
        assert not actor.overlapped


def test_many_actors_need_few_threads(join, crew):
    actors = [join() for _ in range(500)]
    for ref, _ in actors:
        ref.tell("hello")
    eventually(lambda: all(actor.heard for _, actor in actors))
    assert len(crew._threads) <= MOST


def test_one_that_tells_itself_for_ever_lets_the_others_have_their_turn(join):
    noisy, actor = join()

    def again() -> None:
        if actor.heard[-1:] != ["enough"]:
            noisy.tell(again)

    noisy.tell(again)
    quiet, other = join()
    quiet.tell("hello")
    eventually(lambda: other.heard)
    noisy.tell("enough")


def test_when_many_are_ready_while_some_wait_another_thread_goes_on(join):
    gate = threading.Event()
    waiting, others = [join() for _ in range(MOST - 1)], [join() for _ in range(WAITING * MOST)]
    for ref, _ in (*waiting, *others):
        ref.ask("begun", timeout=30)
    try:
        for ref, _ in waiting:
            ref.tell(lambda: gate.wait(60))
        for ref, _ in others:
            ref.tell("hello")
        eventually(lambda: any("hello" in actor.heard for _, actor in others))
        eventually(lambda: all(actor.busy for _, actor in waiting))
    finally:
        gate.set()
    eventually(lambda: all("hello" in actor.heard for _, actor in others))


def test_one_that_is_ready_behind_one_that_waits_for_long_is_taken_up_all_the_same(join):
    gate = threading.Event()
    (waiting, stuck), (ref, actor) = join(), join()
    for each in (waiting, ref):
        each.ask("begun", timeout=30)
    try:
        waiting.tell(lambda: gate.wait(60))
        eventually(lambda: stuck.busy)
        ref.tell("hello")
        eventually(lambda: "hello" in actor.heard)
        assert stuck.busy
    finally:
        gate.set()


def test_two_that_are_told_little_share_one_thread(world):
    crew = Crew("patient", MOST, patience=60.0)  # a busy machine may let its only thread wait, too
    one, two = (Noting.start(world, crew) for _ in range(2))
    noted = [ref._actor_weakref() for ref in (one, two)]
    for number in range(50):
        for ref, actor in zip((one, two), noted, strict=True):
            ref.tell(number)
            eventually(lambda actor=actor, number=number: actor.heard[-1:] == [number])
    assert noted[0].threads == noted[1].threads
    assert len(noted[0].threads) == 1
    crew.close()


def test_what_was_told_before_a_stop_is_taken_and_what_comes_after_it_is_refused(join):
    ref, actor = join()
    ref.tell("hello")
    ref.stop()
    assert (actor.heard, actor.over) == (["hello"], True)
    with pytest.raises(pykka.ActorDeadError):
        ref.tell("too late")


def test_an_ask_is_answered(join):
    ref, _ = join()
    assert ref.ask("hello", timeout=30) is None


def test_a_close_waits_for_every_turn(world):
    crew = Crew("closed", MOST)
    actors = [Noting.start(world, crew) for _ in range(10)]
    noted = [ref._actor_weakref() for ref in actors]
    for ref in actors:
        ref.tell(lambda: time.sleep(0.01))
        ref.stop(block=False)
    crew.close()
    assert all(actor.over and len(actor.heard) == 1 for actor in noted)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("closed")]


def test_a_crew_can_be_closed_by_one_of_its_own(world):
    crew = Crew("own", MOST)
    children = [Noting.start(world, crew) for _ in range(10)]
    noted = [ref._actor_weakref() for ref in children]
    host = Noting.start(world, crew)

    def close() -> None:
        for ref in children:
            ref.stop(block=False)
        crew.close()

    host.tell(close)
    host.stop()
    assert all(actor.over for actor in noted)
    eventually(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("own")])


def test_one_that_stops_with_more_to_come_than_a_turn_takes_ends_no_thread(join, crew):
    ref, actor = join()
    go = threading.Event()
    ref.tell(lambda: go.wait(10))
    stopped = ref.stop(block=False)
    questions = [ref.ask(number, block=False) for number in range(3 * TURN)]
    go.set()
    stopped.get(timeout=10)
    for question in questions:
        with pytest.raises(pykka.ActorDeadError):
            question.get(timeout=10)
    assert len(actor.heard) == 1
    assert all(thread.is_alive() for thread in crew._threads)


class HandingOut(Noting):
    hands_out = True


def test_one_that_hands_out_has_its_turn_before_those_who_wait_and_a_longer_one(world):
    crew = Crew("handing", 1)
    order: list[str] = []
    first, gate = Noting.start(world, crew), threading.Event()
    host, others = HandingOut.start(world, crew), [Noting.start(world, crew) for _ in range(3)]
    for ref in (first, host, *others):
        ref.ask("begun", timeout=30)
    first.tell(lambda: gate.wait(30))
    for ref in others:
        ref.tell(lambda: order.append("other"))
    for _ in range(3 * TURN):
        host.tell(lambda: order.append("host"))
    gate.set()
    eventually(lambda: len(order) == 3 * TURN + 3)
    assert order == ["host"] * (3 * TURN) + ["other"] * 3
    crew.close()
