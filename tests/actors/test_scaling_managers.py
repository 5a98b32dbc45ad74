"""Queue managers and heuristics: one at work, the next takes over, and two at work at once do no harm."""

from __future__ import annotations

import os
import random
import time
from collections import Counter

import pytest

from actors import heuristic
from actors.heuristic import HeuristicActor
from actors.heuristic import _Search as SEARCH
from beagle import projects
from beagle.experiment import Experiment, State
from beagle.ports import paged
from beagle.records import Observation, ProjectState, Summary
from tests.actors.engine import Engine
from tests.actors.test_scaling_launchers import assert_all_over, starts
from tests.actors.troupe import PROJECT, Troupe
from tests.journeys.beagle_run import eventually

# So many that it is one in 30,000 that all fall to one of two.
IDS = [f"{number:024x}" for number in range(1, 17)]


def of_kind(troupe: Troupe, kind: str):
    return [replica for replica in troupe.replicas if replica.kind == kind and not replica.life.over]


def the_others(troupe: Troupe, *but: str) -> None:
    for kind in ("monitor", "launcher", "heuristic", "queue_manager"):
        if kind not in but:
            troupe.join(kind)


def consuming(troupe: Troupe) -> list[str]:
    return [each.name for each in of_kind(troupe, "queue_manager") if "queue_manager" in each.actor.duties]


def log_of(troupe: Troupe, identity: str = PROJECT) -> list[Observation]:
    store = troupe.store
    return list(paged(lambda after: store.page(Observation, "log", (identity,), after=after, limit=100)))


def completed(troupe: Troupe, identity: str = PROJECT) -> bool:
    return projects.load(troupe.store, identity).state is ProjectState.COMPLETED


def assert_searched_once(troupe: Troupe, count: int, identity: str = PROJECT) -> None:
    """Each point of the grid was tried once, and the log tells of each ending once, without a gap."""
    eventually(lambda: completed(troupe, identity), seconds=40)
    experiments = troupe.experiments(count, identity)
    assert sorted(e.parameters["N"] for e in experiments if e is not None) == list(range(1, count + 1))
    found = log_of(troupe, identity)
    assert [each.ordinal for each in found] == list(range(count))
    assert len({each.experiment for each in found}) == count


# Queue managers ------------------------------------------------------------------------------------------------------


def test_one_queue_manager_is_at_work_and_another_takes_over_when_it_dies(busy):
    the_others(busy, "queue_manager")
    managers = [busy.join("queue_manager") for _ in range(3)]
    eventually(lambda: len(consuming(busy)) == 1)
    (name,) = consuming(busy)
    next(each for each in managers if each.name == name).kill()
    busy.submit(10, limit=2)
    eventually(lambda: len(consuming(busy)) == 1, seconds=10)
    assert_all_over(busy, 10, limit=2)


def test_the_next_takes_over_at_once_from_one_that_leaves(busy):
    one, other = busy.join("queue_manager"), busy.join("queue_manager")
    eventually(lambda: len(consuming(busy)) == 1)
    active, resting = (one, other) if consuming(busy) == [one.name] else (other, one)
    active.leave()
    began = time.monotonic()
    eventually(lambda: "queue_manager" in resting.actor.duties)
    assert time.monotonic() - began < 0.5


def duties_at_each_claim_of_the_resting(troupe: Troupe, *, believes: bool) -> list[frozenset[str]]:
    """While there is something to claim, and the other manager leaves it; `believes`: that it is the one to do it."""
    the_others(troupe, "queue_manager")
    managers = [troupe.join("queue_manager") for _ in range(2)]
    eventually(lambda: all(len(each.actor.membership.living("queue_manager")) == 2 for each in managers))
    eventually(lambda: consuming(troupe) == [m.name for m in managers if m.actor.membership.mine("queue_manager")])
    active, resting = sorted(managers, key=lambda each: each.name not in consuming(troupe))
    claims: list[frozenset[str]] = []
    active.actor._claim = lambda *_: True
    resting.actor._claim = lambda *_: claims.append(resting.actor.duties) or True
    if believes:
        resting.actor.membership.mine = lambda _: True
    troupe.submit(4, limit=4)
    eventually(lambda: troupe.states(4) == {"queue"})
    reconciled = []
    reconcile = resting.actor.reconcile
    resting.actor.reconcile = lambda: reconciled.append(reconcile())
    eventually(lambda: len(reconciled) > 5)
    return claims


def test_a_manager_that_rests_claims_nothing(troupe):
    claims = duties_at_each_claim_of_the_resting(troupe, believes=False)
    assert all(claims), "it claimed while that was not its duty"


def test_a_manager_that_does_not_ask_whether_it_is_the_one_does_not_rest(troupe):
    """The control."""
    claims = duties_at_each_claim_of_the_resting(troupe, believes=True)
    assert not all(claims)


def test_two_managers_that_both_believe_to_be_the_one_never_exceed_the_limit(busy):
    the_others(busy, "queue_manager")
    for _ in range(3):
        busy.join("queue_manager", greedy=True)
    busy.submit(30, limit=3)
    assert_all_over(busy, 30, limit=3)


# Heuristics ----------------------------------------------------------------------------------------------------------


def note_beginnings(replica, begun: set[str]) -> None:
    begin = replica.actor._begin

    def note(project):
        begun.add(project.id)
        return begin(project)

    replica.actor._begin = note


def test_projects_are_spread_over_the_heuristics_and_all_are_searched(busy):
    the_others(busy, "heuristic")
    begun: list[set[str]] = [set(), set()]
    for each in begun:
        note_beginnings(busy.join("heuristic"), each)
    for identity in IDS:
        busy.submit(3, limit=4, identity=identity)
    for identity in IDS:
        assert_searched_once(busy, 3, identity)
    assert all(begun)


@pytest.mark.parametrize("fault", ["leave", "kill", "sleep"])
def test_a_search_goes_on_with_the_next_heuristic_where_it_was(busy, fault):
    the_others(busy, "heuristic")
    first, second = busy.join("heuristic"), busy.join("heuristic")
    eventually(lambda: len(first.actor.membership.living("heuristic")) == 2)
    busy.submit(40, limit=3)
    having = eventually(lambda: [each for each in (first, second) if PROJECT in each.actor._searches])[0]
    eventually(lambda: len(log_of(busy)) > 3)
    getattr(having, fault)()
    assert_searched_once(busy, 40)
    having.wake()
    assert_all_over(busy, 40, limit=3)


def test_two_heuristics_at_one_project_at_once_do_no_harm(busy):
    the_others(busy, "heuristic")
    for _ in range(2):
        busy.join("heuristic", greedy=True)
    busy.submit(60, limit=4)
    assert_searched_once(busy, 60)
    assert_all_over(busy, 60, limit=4)


def test_with_logs_by_experiment_two_would_write_two_orders(busy, monkeypatch):
    """The control of the log's order: where a place in it is nobody's, both write to the same one."""

    def observe(actor: HeuristicActor, _: object, search, ended) -> None:
        found = [actor.world.store.get(Experiment, identity) for identity in ended]
        for each in found:
            if each is not None and actor._is_new(search, each):
                made = actor._observation(search.observed, each)
                entry = Observation(**{**{f: getattr(made, f) for f in made.__slots__}, "id": f"{actor}-{each.id}"})
                actor.world.store.add([entry])
                actor._take_in(search, entry)

    monkeypatch.setattr(HeuristicActor, "_observe", observe)
    the_others(busy, "heuristic")
    for _ in range(2):
        busy.join("heuristic", greedy=True)
    busy.submit(10, limit=4)
    eventually(lambda: completed(busy), seconds=40)
    eventually(lambda: max(Counter(each.ordinal for each in log_of(busy)).values()) > 1, seconds=5)


class Agreeable(int):
    """How many were sent, and never another number than the one that it is held against."""

    def __ne__(self, _: object) -> bool:
        return False

    def __add__(self, _: object) -> Agreeable:
        return self

    __hash__ = int.__hash__


def tried_by_two(troupe: Troupe, monkeypatch) -> int:
    """How many experiments there are for 30 points: one heuristic sleeps after 10, and another suggests the rest."""
    monkeypatch.setattr(heuristic, "FIRST_BATCH", 10)
    one = troupe.join("heuristic", greedy=True)
    queue = one.actor._queue

    def queue_and_sleep(*what: object) -> None:
        one.actor._queue = queue
        queue(*what)
        one.sleep()

    one.actor._queue = queue_and_sleep
    troupe.submit(30)
    eventually(lambda: projects.load(troupe.store, PROJECT).sent == 10)
    other = troupe.join("heuristic", greedy=True)
    eventually(lambda: projects.load(troupe.store, PROJECT).sent == 30)
    other.kill()
    one.wake()
    eventually(lambda: one.actor._searches[PROJECT].dry, seconds=10)
    return sum(troupe.store.counts(PROJECT).values())


def test_a_heuristic_that_slept_while_another_suggested_begins_anew(troupe, monkeypatch):
    assert tried_by_two(troupe, monkeypatch) == 30


def test_without_a_look_at_how_many_were_sent_it_would_suggest_its_own_again(troupe, monkeypatch):
    monkeypatch.setattr(heuristic, "_Search", lambda search, sent: SEARCH(search, Agreeable(sent)))
    assert tried_by_two(troupe, monkeypatch) > 30


# All at once ---------------------------------------------------------------------------------------------------------

SEEDS = range(1, 1 + int(os.environ.get("BEAGLE_CHAOS_SEEDS", "3")))


@pytest.fixture
def talkative(busy, monkeypatch):
    """Whatever ends by itself has said three things just before."""
    end = Engine.end

    def say_and_end(engine: Engine, name: str, status: int = 0) -> None:
        if status == 0 and name in engine.alive:
            for value in range(3):
                engine.say(name, f"cost={value}")
        end(engine, name, status)

    monkeypatch.setattr(Engine, "end", say_and_end)
    return busy


def trouble(troupe: Troupe, chance: random.Random) -> None:
    """Some of those that sleep wake; then one dies or leaves, and another comes in its place, or one falls asleep."""
    for replica in troupe.replicas:
        if chance.random() < 0.5:
            replica.wake()
    victim, draw = chance.choice([replica for replica in troupe.replicas if not replica.life.over]), chance.random()
    if draw < 0.6:
        victim.kill()
        troupe.join(victim.kind, victim.world.site)
    else:
        victim.sleep()


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_dies_and_sleeps_nothing_is_lost_doubled_or_over_the_limit(talkative, seed):
    chance, count = random.Random(seed), 80
    for _ in range(2):
        the_others(talkative)
        talkative.join("launcher", "there")
    talkative.submit(count, limit=4)
    for _ in range(20):
        time.sleep(chance.uniform(0.02, 0.3))
        trouble(talkative, chance)
    for replica in talkative.replicas:
        replica.wake()
    assert_searched_once(talkative, count)
    eventually(lambda: talkative.held() == [])
    engines = talkative.engines.values()
    assert max(starts(talkative).values()) == 1
    assert max(engine.most for engine in engines) <= 4
    eventually(lambda: not any(engine.listed for engine in engines))
    for experiment in talkative.experiments(count):
        assert experiment is not None
        assert (experiment.state, experiment.attempt) == (State.COMPLETED, 1)
        stored = talkative.store.metrics(experiment.id, 1).records
        assert [metric.values["cost"] for metric in stored] == [0, 1, 2]
        summary = talkative.store.get(Summary, experiment.id)
        assert summary is not None
        assert summary.count == 3
