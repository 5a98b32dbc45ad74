"""Metric shards over monitors that join, leave, die and sleep: who has which, and that nothing of them is lost."""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest

from actors.account import Account
from actors.monitor import Monitor
from beagle import lifecycle, projects
from beagle.experiment import Claimed, Experiment, Launched
from beagle.members import Members, shares
from beagle.messages import MetricsReported, Report, WorkloadEnded, WorkloadLaunched
from beagle.records import Summary
from bus.routes import METRIC_QUEUES, shard
from tests.actors.troupe import PROJECT, Troupe
from tests.journeys.beagle_run import eventually


def spread(troupe: Troupe) -> list[int] | None:
    """How many shards each living monitor has, once each shard has one owner."""
    found = troupe.shards()
    if any(len(owners) != 1 for owners in found.values()):
        return None
    alive = [r.name for r in troupe.replicas if r.kind == "monitor" and not r.life.over]
    counted = Counter(owners[0] for owners in found.values())
    return sorted(counted[name] for name in alive)


def owner(troupe: Troupe, experiment: str) -> Troupe:
    name = eventually(lambda: troupe.shards()[f"metrics.{shard(experiment)}"])[0]
    return next(replica for replica in troupe.replicas if replica.name == name)


def running(troupe: Troupe, count: int, **fields) -> list[Experiment]:
    """So many experiments that run, as a launcher would have left them."""
    troupe.submit(count)
    project = projects.load(troupe.store, PROJECT)
    found = []
    for number in range(1, count + 1):
        made = Experiment(
            id=lifecycle.experiment_id(PROJECT, number),
            project=project.id,
            number=number,
            name=f"digitsmodel{number}",
            parameters={"N": number},
            order=number,
            rank=number,
            created_at=1.0,
            **fields,
        )
        lifecycle.create(troupe.store, [made])
        claimed = lifecycle.advance(troupe.store, made, Claimed(number, "here"), time.time()).after
        step = lifecycle.advance(troupe.store, claimed, Launched("launcher.x", time.time()), time.time())
        found.append(step.after)
    return found


def report(troupe: Troupe, experiment: Experiment, sequence: int, **values: float) -> None:
    each = Report(source="out", sequence=sequence, values=values)
    troupe.bus.publish(MetricsReported(experiment=experiment.id, attempt=1, reports=(each,)))


def end(troupe: Troupe, experiment: Experiment) -> None:
    troupe.bus.publish(WorkloadEnded(experiment=experiment.id, attempt=1, status=0, ended_at=time.time()))


def state(troupe: Troupe, experiment: Experiment) -> str:
    return lifecycle.load(troupe.store, experiment.id).state.value


def assert_whole(troupe: Troupe, found: list[Experiment], sent: dict[str, set[int]]) -> None:
    """The stored set is the sent set, and each summary is that of it."""
    for experiment in found:
        metrics = troupe.store.metrics(experiment.id, 1, limit=10_000).records
        assert sorted(metric.sequence for metric in metrics) == sorted(sent[experiment.id])
        summary = troupe.store.get(Summary, experiment.id)
        assert summary is not None
        assert summary.count == len(metrics)
        assert summary.highest["cost"] == max(metric.values["cost"] for metric in metrics)
        assert summary.last["cost"] == metrics[-1].values["cost"]


# Who has which -------------------------------------------------------------------------------------------------------


def test_one_monitor_has_all_and_a_second_gets_half(troupe):
    troupe.join("monitor")
    eventually(lambda: spread(troupe) == [8])
    troupe.join("monitor")
    eventually(lambda: spread(troupe) == [4, 4])
    troupe.join("monitor")
    eventually(lambda: spread(troupe) == [2, 3, 3])


def test_what_a_monitor_had_goes_to_the_others_when_it_leaves_and_when_it_is_killed(troupe):
    for _ in range(3):
        troupe.join("monitor")
    eventually(lambda: spread(troupe) == [2, 3, 3])
    gone = troupe.replicas.pop()
    gone.leave()
    eventually(lambda: spread(troupe) == [4, 4])
    troupe.replicas[0].kill()
    eventually(lambda: spread(troupe) == [8], seconds=10)


def test_a_monitor_that_sleeps_loses_its_shards_and_gets_its_share_when_it_wakes(troupe):
    sleeper, other = troupe.join("monitor"), troupe.join("monitor")
    eventually(lambda: spread(troupe) == [4, 4])
    sleeper.sleep()
    eventually(lambda: other.actor.duties == set(METRIC_QUEUES))
    sleeper.wake()
    eventually(lambda: spread(troupe) == [4, 4])


# What becomes of experiments -----------------------------------------------------------------------------------------


def test_an_experiment_whose_shard_moves_is_rebuilt_from_the_store(troupe):
    first = troupe.join("monitor")
    experiments = running(troupe, 8)
    for each in experiments:
        report(troupe, each, 0, cost=3)
    eventually(lambda: all(troupe.store.metrics(e.id, 1).records for e in experiments))
    second = troupe.join("monitor")
    eventually(lambda: spread(troupe) == [4, 4])
    eventually(lambda: len(first.actor._children) + len(second.actor._children) == 8)
    assert first.actor._children
    assert second.actor._children
    for each in experiments:
        report(troupe, each, 1, cost=1)
        end(troupe, each)
    eventually(lambda: {state(troupe, e) for e in experiments} == {"completed"})
    assert_whole(troupe, experiments, {each.id: {0, 1} for each in experiments})


def test_what_a_killed_monitor_had_not_acknowledged_is_taken_by_the_next(troupe):
    troupe.join("monitor")
    troupe.join("monitor")
    (experiment,) = running(troupe, 1)
    eventually(lambda: spread(troupe) == [4, 4])
    having = owner(troupe, experiment.id)
    having.sleep()
    for sequence in range(20):
        report(troupe, experiment, sequence, cost=sequence)
    end(troupe, experiment)
    having.kill()
    eventually(lambda: state(troupe, experiment) == "completed", seconds=15)
    assert_whole(troupe, [experiment], {experiment.id: set(range(20))})


@pytest.mark.parametrize("fault", ["kill", "sleep"])
def test_a_deadline_comes_although_its_monitor_is_gone(troupe, fault):
    troupe.join("monitor")
    troupe.join("monitor")
    eventually(lambda: spread(troupe) == [4, 4])
    (experiment,) = running(troupe, 1, timeout=1.0)
    launched = WorkloadLaunched(experiment=experiment.id, attempt=1, site="here", at=time.time(), fresh=True)
    troupe.bus.publish(launched)
    having = owner(troupe, experiment.id)
    eventually(lambda: having.actor._children)
    getattr(having, fault)()
    eventually(lambda: state(troupe, experiment) == "timeout", seconds=15)
    having.wake()


def test_a_monitor_that_wakes_with_what_it_knew_long_ago_does_no_harm(troupe):
    sleeper, other = troupe.join("monitor"), troupe.join("monitor")
    eventually(lambda: spread(troupe) == [4, 4])
    experiments = [e for e in running(troupe, 12) if owner(troupe, e.id) is sleeper]
    assert experiments
    for each in experiments:
        report(troupe, each, 0, cost=5)
    eventually(lambda: all(troupe.store.metrics(e.id, 1).records for e in experiments))
    sleeper.sleep()
    for consumer in sleeper.bus.consumers:  # as a broker does that hears no heartbeat
        consumer.close()
    eventually(lambda: other.actor.duties == set(METRIC_QUEUES))
    for each in experiments:
        report(troupe, each, 1, cost=9)
    eventually(lambda: all(len(troupe.store.metrics(e.id, 1).records) == 2 for e in experiments))
    sleeper.wake()
    for each in experiments:
        report(troupe, each, 2, cost=7)
        end(troupe, each)
    eventually(lambda: {state(troupe, e) for e in experiments} == {"completed"})
    assert_whole(troupe, experiments, {each.id: {0, 1, 2} for each in experiments})


def counts_after_a_sleep(troupe: Troupe) -> set[int]:
    """One sleeps with metrics in hand, another takes over and reads, and then the first wakes and stores them."""
    sleeper = troupe.join("monitor")
    experiments = running(troupe, 12)
    for each in experiments:
        report(troupe, each, 0, cost=0)
    eventually(lambda: all(troupe.store.get(Summary, each.id) for each in experiments))
    sleeper.sleep()
    for each in experiments:
        report(troupe, each, 1, cost=1)
    other = troupe.join("monitor")
    eventually(lambda: len(other.actor._children) == 12)
    eventually(lambda: all(child._actor_weakref()._account for child in other.actor._children.values()))
    sleeper.wake()
    eventually(lambda: all(len(troupe.store.metrics(each.id, 1).records) == 2 for each in experiments))
    eventually(lambda: spread(troupe) == [4, 4])
    stayed = [each for each in experiments if owner(troupe, each.id) is other]
    for each in stayed:
        report(troupe, each, 2, cost=2)
        end(troupe, each)
    eventually(lambda: {state(troupe, each) for each in stayed} == {"completed"})
    return {summary.count for each in stayed if (summary := troupe.store.get(Summary, each.id)) is not None}


def test_what_another_stored_after_a_monitor_had_read_is_counted(troupe):
    assert counts_after_a_sleep(troupe) == {3}


def test_without_doubt_about_what_was_read_before_anything_was_heard_it_would_be_missing(troupe, monkeypatch):
    monkeypatch.setattr(Account, "doubt", lambda _: None)
    assert 2 in counts_after_a_sleep(troupe)


def counts_after_a_sleep_and_a_death(troupe: Troupe, monkeypatch) -> set[int]:
    """One sleeps, another takes over, stores a metric of each, dies before it saves a summary, and the first wakes."""
    save, saving = Account.save, [True]
    monkeypatch.setattr(Account, "save", lambda account: save(account) if saving else None)
    sleeper = troupe.join("monitor")
    experiments = running(troupe, 12)
    for each in experiments:
        report(troupe, each, 0, cost=0)
    eventually(lambda: all(troupe.store.get(Summary, each.id) for each in experiments))
    sleeper.sleep()
    saving.clear()
    for consumer in sleeper.bus.consumers:  # as a broker does that hears no heartbeat
        consumer.close()
    other = troupe.join("monitor")
    eventually(lambda: other.actor.duties == set(METRIC_QUEUES))
    for each in experiments:
        report(troupe, each, 1, cost=1)
    eventually(lambda: all(len(troupe.store.metrics(each.id, 1).records) == 2 for each in experiments))
    eventually(troupe.bus.is_quiet)
    other.kill()
    saving.append(True)
    kept = shares(METRIC_QUEUES, [sleeper.name, other.name])
    stayed = [each for each in experiments if kept[f"metrics.{shard(each.id)}"] == sleeper.name]
    sleeper.wake()
    for queue in METRIC_QUEUES:  # as a bus does whose connection is back
        sleeper.actor._consume(queue)
    for each in stayed:
        report(troupe, each, 2, cost=2)
        end(troupe, each)
    eventually(lambda: {state(troupe, each) for each in stayed} == {"completed"})
    return {summary.count for each in stayed if (summary := troupe.store.get(Summary, each.id)) is not None}


def test_one_that_slept_forgets_what_it_knew_for_who_came_after_it_may_be_dead(troupe, monkeypatch):
    assert counts_after_a_sleep_and_a_death(troupe, monkeypatch) == {3}


def test_without_giving_up_its_duties_after_a_sleep_it_would_miss_what_the_dead_one_stored(troupe, monkeypatch):
    turn = Members.turn
    monkeypatch.setattr(Members, "turn", lambda member: turn(member) or True)
    assert 2 in counts_after_a_sleep_and_a_death(troupe, monkeypatch)


def test_two_monitors_that_both_believe_to_have_a_shard_do_no_harm(troupe):
    for _ in range(2):
        troupe.join("monitor", greedy=True)
    experiments = running(troupe, 4)
    for sequence in range(25):
        for each in experiments:
            report(troupe, each, sequence, cost=sequence)
    for each in experiments:
        end(troupe, each)
    eventually(lambda: {state(troupe, e) for e in experiments} == {"completed"})
    assert_whole(troupe, experiments, {each.id: set(range(25)) for each in experiments})


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_happens_to_the_monitors_every_metric_is_stored_once_and_all_end(troupe, seed):
    chance = random.Random(seed)
    for _ in range(3):
        troupe.join("monitor")
    experiments = running(troupe, 6)
    sent: dict[str, set[int]] = {each.id: set() for each in experiments}
    for sequence in range(60):
        for each in experiments:
            report(troupe, each, sequence, cost=chance.random())
            sent[each.id].add(sequence)
        if sequence % 10 == 5:
            trouble(troupe, chance)
        time.sleep(0.02)
    for each in experiments:
        end(troupe, each)
    for replica in troupe.replicas:
        replica.wake()
    eventually(lambda: {state(troupe, e) for e in experiments} == {"completed"}, seconds=30)
    assert_whole(troupe, experiments, sent)


def trouble(troupe: Troupe, chance: random.Random) -> None:
    """One is killed and another one comes, or one sleeps while those that slept wake."""
    alive = [replica for replica in troupe.replicas if not replica.life.over]
    for replica in alive:
        replica.wake()
    if chance.random() < 0.5:
        chance.choice(alive).kill()
        troupe.join("monitor")
    else:
        chance.choice(alive).sleep()


def test_without_giving_up_what_moved_two_would_watch_an_experiment(troupe, monkeypatch):
    """The control of `on_duties`."""
    monkeypatch.setattr(Monitor, "on_duties", lambda *_: None)
    first = troupe.join("monitor")
    running(troupe, 8)
    eventually(lambda: len(first.actor._children) == 8)
    second = troupe.join("monitor")
    eventually(lambda: spread(troupe) == [4, 4])
    eventually(lambda: second.actor._children)
    assert len(first.actor._children) + len(second.actor._children) > 8
