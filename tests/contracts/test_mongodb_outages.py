"""What MongoDB keeps and answers when its server is killed, held or cut off in the middle of a call."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Condition
from urllib.parse import urlsplit

import pytest

from beagle.errors import Unavailable
from beagle.experiment import Claimed, Experiment, State, transition
from beagle.records import Applied, System
from beagle.stores import mongodb_database
from beagle.stores.mongodb import MongoStore
from beagle.stores.mongodb_documents import KEPT
from tests.contracts.inbox import eventually
from tests.contracts.records import PROJECT, experiment, experiments, metric
from tests.servers.mongodb import MongoNode
from tests.servers.wire import Wire, wire

INSERT, UPDATE, FIND, DELETE = (b"\x02%s\x00" % name for name in (b"insert", b"update", b"find", b"delete"))


@pytest.fixture
def other(database) -> Iterator[MongoStore]:
    """Another client, whose line holds."""
    opened = MongoStore(database)
    yield opened
    opened.close()


@pytest.fixture
def line(database) -> Iterator[Wire]:
    parts = urlsplit(database)
    with wire((parts.hostname, parts.port or 27017)) as made:
        yield made


@pytest.fixture
def store(database, line) -> Iterator[MongoStore]:
    parts = urlsplit(database)
    user, at, _ = parts.netloc.rpartition("@")
    address = parts._replace(netloc=f"{user}{at}127.0.0.1:{line.port}", query=f"{parts.query}&directConnection=true")
    opened = MongoStore(address.geturl().replace("?&", "?"))
    yield opened
    opened.close()


def limited(version: int) -> System:
    return System(version=version, limit=version)


# An answer that is lost


def test_a_replace_whose_answer_was_lost_is_a_success(store, line):
    store.add([limited(0)])
    line.lose_answer(UPDATE)
    assert store.replace(limited(0), limited(1))
    assert line.lost == 1
    assert store.get(System, "system") == limited(1)


@pytest.mark.parametrize("since", [1, KEPT - 1])
def test_a_replace_whose_answer_was_lost_is_a_success_though_others_wrote_since(store, other, line, since):
    store.add([limited(0)])

    def write() -> None:
        assert all(other.replace(limited(n), limited(n + 1)) for n in range(1, 1 + since))

    line.lose_answer(UPDATE, write)
    assert store.replace(limited(0), limited(1))
    assert (line.lost, other.get(System, "system")) == (1, limited(1 + since))


@pytest.mark.parametrize("since", [KEPT, KEPT + 5])
def test_a_replace_whose_answer_was_lost_is_unknown_when_more_wrote_since_than_are_remembered(
    store, other, line, since
):
    store.add([limited(0)])

    def write() -> None:
        assert all(other.replace(limited(n), limited(n + 1)) for n in range(1, 1 + since))

    line.lose_answer(UPDATE, write)
    with pytest.raises(Unavailable, match="others have written since; it may have been done or not"):
        store.replace(limited(0), limited(1))


@pytest.mark.parametrize("since", [0, KEPT - 2])
def test_a_replace_that_lost_the_race_is_told_so_though_its_answer_was_lost(store, other, line, since):
    store.add([limited(0)])
    assert other.replace(limited(0), replace(limited(1), limit=77))

    def write() -> None:
        assert all(other.replace(limited(n), limited(n + 1)) for n in range(1, 1 + since))

    line.lose_answer(UPDATE, write)
    assert not store.replace(limited(0), limited(1))
    assert line.lost == 1


def test_records_whose_answer_was_lost_are_new_and_those_of_others_are_not(store, other, line):
    first, second, third = experiments(3)
    other.add([second])
    line.lose_answer(INSERT)
    assert store.add([first, second, third, third]) == [True, False, True, False]
    assert line.lost == 1
    assert store.counts(PROJECT)[State.QUEUE] == 3


def test_records_that_changed_since_their_answer_was_lost_are_new(store, other, line):
    first = experiment(1)
    line.lose_answer(INSERT, lambda: other.replace(first, transition(first, Claimed(0, "local"), 1.0)))
    assert store.add([first]) == [True]
    assert (line.lost, store.counts()[State.POOL]) == (1, 1)


def test_records_that_were_removed_and_are_added_again_are_new_though_the_answer_was_lost(store, line):
    store.add(experiments(3))
    store.repair()
    store.remove(Experiment, [each.id for each in experiments(2)])
    line.lose_answer(UPDATE)
    assert store.add(experiments(3)) == [True, True, False]
    assert (line.lost, store.counts()[State.QUEUE]) == (1, 3)


def test_metrics_whose_answer_was_lost_are_new_and_in_order(store, other, line):
    store.append([metric(0)])
    batch = [metric(1), metric(0), metric(2), metric(1, attempt=2)]
    line.lose_answer(INSERT, lambda: other.append([metric(9)]))
    assert store.append(batch) == [True, False, True, True]
    assert line.lost == 1
    stored = [each.sequence for each in store.metrics("e" * 24, 1).records]
    assert sorted(stored) == [0, 1, 2, 9]
    assert stored[:2] == [0, 1]


def test_a_removal_whose_answer_was_lost_is_done_once(store, line):
    store.add(experiments(3))
    store.append([metric(1, experiment=experiment(1).id)])
    line.lose_answer(DELETE)
    store.remove(Experiment, [experiment(1).id])
    line.lose_answer(UPDATE)
    store.remove(Experiment, [experiment(2).id])
    assert (line.lost, store.counts()[State.QUEUE]) == (2, 1)
    assert store.metrics(experiment(1).id, 1).records == []


@pytest.mark.parametrize("number", range(1, 6))
def test_a_repair_any_of_whose_answers_is_lost_counts_nothing_twice(store, line, number):
    store.add(experiments(3))
    store.repair()
    store.replace(experiment(1), transition(experiment(1), Claimed(0, "local"), 1.0))
    for turn in range(1, number):
        line.lose_answer(UPDATE, lambda turn=turn: line.lose_answer(UPDATE) if turn < number else None)
    line.lose_answer(UPDATE)
    store.repair()
    store.repair()
    assert line.lost >= 1
    assert (store.counts()[State.POOL], store.counts(PROJECT)[State.QUEUE]) == (1, 2)


def test_a_read_whose_answer_was_lost_is_answered(store, line):
    store.add(experiments(3))
    line.lose_answer(FIND)
    assert store.get(Experiment, experiment(1).id) == experiment(1)
    line.lose_answer(FIND)
    assert store.page(Experiment, "queue", (PROJECT, State.QUEUE)).records == experiments(3)
    assert line.lost == 2


def test_connections_that_were_cut_are_opened_again(store, line):
    store.add([limited(0)])
    for n in range(5):
        line.cut()
        assert store.replace(limited(n), limited(n + 1))
    assert store.get(System, "system") == limited(5)


# A server that is gone or held


@pytest.fixture
def node(tmp_path) -> Iterator[MongoNode]:
    made = MongoNode.start_new(tmp_path / "mongodb")
    yield made
    made.kill()


def test_a_call_waits_for_a_server_that_comes_back(node):
    store = MongoStore(f"{node.address}/?serverSelectionTimeoutMS=60000")
    store.add([limited(0)])
    node.kill()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(store.replace, limited(0), limited(1))
        node.start()
        assert waiting.result()
    store.close()


def test_without_a_server_nothing_is_done_and_with_it_again_it_is_there(node):
    store = MongoStore(f"{node.address}/?serverSelectionTimeoutMS=1000")
    store.add([limited(0)])
    node.kill()
    for call in (
        lambda: store.get(System, "system"),
        lambda: store.add([experiment(1)]),
        lambda: store.append([metric(1)]),
        store.counts,
        store.repair,
    ):
        with pytest.raises(Unavailable, match="cannot be reached"):
            call()
    with pytest.raises(Unavailable, match="cannot be reached"):
        MongoStore(f"{node.address}/?serverSelectionTimeoutMS=1000")
    node.start()
    eventually(lambda: answers(store))
    assert store.get(System, "system") == limited(0)
    assert store.counts()[State.QUEUE] == 0
    store.close()


def answers(store: MongoStore) -> bool:
    try:
        return store.get(System, "none") is None
    except Unavailable:
        return False


def test_who_asks_just_after_another_found_no_server_is_told_at_once_and_later_it_is_looked_for_again(
    node, monkeypatch
):
    monkeypatch.setattr(mongodb_database, "_KNOWN_AWAY", 30.0)
    store = MongoStore(f"{node.address}/?serverSelectionTimeoutMS=1000")
    node.kill()
    with pytest.raises(Unavailable, match="cannot be reached"):
        store.get(System, "system")
    node.start()
    begun = time.monotonic()
    for _ in range(20):
        with pytest.raises(Unavailable, match="cannot be reached"):
            store.get(System, "system")
    assert time.monotonic() - begun < 1.0
    monkeypatch.setattr(mongodb_database, "monotonic", lambda: time.monotonic() + 30.0)
    assert store.get(System, "system") is None
    store.close()


def test_a_server_that_hangs_is_unavailable_and_used_again_when_it_goes_on(node, monkeypatch):
    monkeypatch.setattr(mongodb_database, "_PATIENCE", 0.5)
    store = MongoStore(node.address)
    hasty = MongoStore(f"{node.address}/?socketTimeoutMS=1500&connectTimeoutMS=1000&serverSelectionTimeoutMS=1000")
    store.add([limited(0)])
    node.process().signal(signal.SIGSTOP)
    eventually(lambda: not answers(hasty))
    with pytest.raises(Unavailable):
        hasty.replace(limited(0), limited(1))
    node.process().signal(signal.SIGCONT)
    eventually(lambda: answers(hasty))
    found = store.get(System, "system")
    assert found in (limited(0), limited(1))  # what was sent may be done in the end
    store.close()
    hasty.close()


@dataclass
class Told:
    """What the writers of a record were told of each of their writes."""

    done: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    came: Condition = field(default_factory=Condition)

    def reach(self, count: int) -> None:
        with self.came:
            assert self.came.wait_for(lambda: len(self.done) >= count, 60)

    def write(self, store: MongoStore, writer: int, enough: int) -> None:
        """Add words to the record by compare-and-set until `enough` are done."""
        number = 0
        while len(self.done) < enough:
            number += 1
            word = f"{writer}.{number}"
            try:
                before = store.get(Applied, "record")
                words = [*json.loads(before.answer), word]
                won = store.replace(before, replace(before, version=before.version + 1, answer=json.dumps(words)))
            except Unavailable:
                self.unknown.append(word)
            else:
                with self.came:
                    (self.done if won else self.refused).append(word)
                    self.came.notify_all()


def test_nothing_confirmed_is_lost_and_nothing_is_written_twice_while_the_server_is_killed_under_eight_writers(
    node, monkeypatch
):
    monkeypatch.setattr(mongodb_database, "_PATIENCE", 120.0)
    stores = [MongoStore(f"{node.address}/?serverSelectionTimeoutMS=60000") for _ in range(2)]
    stores[0].add([Applied(id="record", answer="[]", at=0.0)])
    told = Told()
    with ThreadPoolExecutor(8) as threads:
        writing = [threads.submit(told.write, stores[writer % 2], writer, 250) for writer in range(8)]
        for crash in range(1, 5):
            told.reach(50 * crash)
            node.kill()
            node.start()
        for each in writing:
            each.result()
    found = stores[0].get(Applied, "record")
    words = json.loads(found.answer)
    assert found.version == len(words) == len(set(words))
    assert set(told.done) <= set(words) <= {*told.done, *told.unknown}
    assert not set(told.refused) & set(words)
    for each in stores:
        each.close()


def test_metrics_are_stored_once_and_in_order_while_the_server_is_killed_under_eight_writers(node, monkeypatch):
    monkeypatch.setattr(mongodb_database, "_PATIENCE", 120.0)
    stores = [MongoStore(f"{node.address}/?serverSelectionTimeoutMS=60000") for _ in range(2)]
    came = Condition()
    new: list[tuple[str, int]] = []

    def append(writer: int) -> None:
        # Each batch overlaps the one before, and every second writer stores what the first does.
        for first in range(0, 300, 10):
            batch = [metric(n, source=str(writer // 2)) for n in range(max(first - 5, 0), first + 10)]
            stored = stores[writer % 2].append(batch)
            with came:
                new.extend((each.source, each.sequence) for each, is_new in zip(batch, stored, strict=True) if is_new)
                came.notify_all()

    with ThreadPoolExecutor(8) as threads:
        appending = [threads.submit(append, writer) for writer in range(8)]
        for crash in range(1, 4):
            with came:
                assert came.wait_for(lambda least=300 * crash: len(new) >= least, 60)
            node.kill()
            node.start()
        for each in appending:
            each.result()
    stored = stores[0].metrics("e" * 24, 1, limit=2000).records
    sent = {(str(source), n) for source in range(4) for n in range(300)}
    assert len(stored) == len(sent)
    assert {(each.source, each.sequence) for each in stored} == sent
    assert sorted(new) == sorted(sent)  # each was new to exactly one writer
    assert [n for n, _ in stores[0]._metrics.page("e" * 24, 1, 0, 2000)] == list(range(1, 1201))
    for each in stores:
        each.close()
