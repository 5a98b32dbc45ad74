"""What only the MongoDB store promises: no scan, few round trips, its own database, sentences for what goes wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from pymongo import MongoClient, errors
from pymongo.monitoring import CommandListener

from beagle.errors import InvalidInput, Unavailable
from beagle.experiment import Claimed, Experiment, State, transition
from beagle.ports import INDEXES
from beagle.records import Applied, System
from beagle.stores import mongodb_database
from beagle.stores.mongodb import MongoStore
from tests.contracts.records import PROJECT, experiment, experiments, metric, one_of_each, walk
from tests.servers.keeper import free_ports

LISTS = [pytest.param(kind, name, id=f"{kind.__name__}-{name}") for kind in INDEXES for name in INDEXES[kind]]
ONE_OF_EACH = {type(record): record for record in one_of_each()}
SECRET = "canary-b1rd"


class Sent(CommandListener):
    """The commands that were sent, and none of those that only keep the connection."""

    def __init__(self) -> None:
        self.commands: list[dict] = []

    def started(self, event) -> None:
        self.commands.append(dict(event.command))

    def succeeded(self, event) -> None:
        pass

    def failed(self, event) -> None:
        pass


@pytest.fixture
def sent(monkeypatch) -> Sent:
    listener = Sent()
    monkeypatch.setattr(mongodb_database, "MongoClient", partial(MongoClient, event_listeners=[listener]))
    return listener


@pytest.fixture
def store(sent, database) -> Iterator[MongoStore]:
    opened = MongoStore(database)
    opened.add(list(ONE_OF_EACH.values()))  # makes each collection
    for kind, record in ONE_OF_EACH.items():
        opened.remove(kind, [record.id])
    opened.repair()
    sent.commands.clear()
    yield opened
    opened.close()


def key_of(store: MongoStore, kind: type, name: str) -> list[tuple[str, int]]:
    return [(field, int(direction)) for field, direction in as_made(store, kind, name)["key"].items()]


def as_made(store: MongoStore, kind: type, name: str) -> dict:
    """The index as the server has it."""
    found = {each["name"]: each for each in store._collections[kind].list_indexes()}
    return found[store._documents[kind].hint(name)]


def assert_range(condition: dict, key: list[str], equal: int) -> int:
    """It is one range of the index: equalities on a prefix, then at most one comparison. How many fields it binds."""
    bound = [field for field in key if set(condition.get(field, {})) - {"$exists"}]
    assert bound == key[: len(bound)]
    assert set(condition) <= set(key)
    assert all("$eq" in condition[field] for field in bound[:-1])
    assert all("$eq" in condition[field] for field in key[:equal])
    return len(bound)


# No scan


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("kind, name", LISTS)
def test_a_page_reads_a_range_of_its_index_in_its_order(store, sent, kind, name, descending):
    index, record = INDEXES[kind][name], ONE_OF_EACH[kind]
    place = store._documents[kind].place(name, record)
    store.page(kind, name, place[0], descending=descending, limit=7)
    (command,) = sent.commands
    key = key_of(store, kind, name)
    assert command["hint"] == store._documents[kind].hint(name)
    assert list(command["sort"].items()) == [(field, -1 if descending else 1) for field, _ in key]
    assert (command["limit"], command.get("skip", 0)) == (8, 0)
    assert assert_range(command["filter"], [field for field, _ in key], len(index.equal)) == len(index.equal)


@pytest.mark.parametrize("kind, name", LISTS)
def test_a_page_goes_on_behind_its_cursor_in_ranges_that_begin_there(store, sent, kind, name):
    index = INDEXES[kind][name]
    equal, place = store._documents[kind].place(name, ONE_OF_EACH[kind])
    key = [field for field, _ in key_of(store, kind, name)]
    bound = [
        assert_range(condition, key, len(index.equal))
        for condition in store._documents[kind].beyond(
            name, equal, [0 if each is None else each for each in place], "$gt"
        )
    ]
    assert bound == list(range(len(key), len(index.equal), -1))


@pytest.mark.parametrize("kind, name", LISTS)
def test_an_index_that_wants_a_field_holds_only_what_has_it(store, kind, name):
    found = as_made(store, kind, name)
    where = INDEXES[kind][name].where
    assert found.get("partialFilterExpression") == ({where: {"$exists": True}} if where else None)
    assert not found.get("unique")


@pytest.mark.parametrize("kind, name", LISTS)
def test_a_rank_counts_no_more_than_was_asked_in_its_index(store, sent, kind, name):
    record = ONE_OF_EACH[kind]
    store.add([record])
    sent.commands.clear()
    store.rank_of(record, name, most=3)
    assert len(sent.commands) <= len(INDEXES[kind][name].order)
    for command in sent.commands:
        assert command["hint"] == store._documents[kind].hint(name)
        assert {"$limit": 3} in command["pipeline"]


def test_metrics_are_read_and_numbered_by_their_index(store, sent):
    store.append([metric(1), metric(2)])
    other = Sent()
    store._metrics._last.clear()
    store.append([metric(3)])
    store.metrics("e" * 24, 1, limit=2)
    finds = [command for command in sent.commands if "find" in command]
    assert [command.get("hint") for command in finds] == [None, "series", "series"]
    assert set(finds[0]["filter"]) == {"_id"}
    assert finds[2]["sort"] == {"experiment": 1, "attempt": 1, "ordinal": 1}
    (series,) = [each for each in store._metrics._collection.list_indexes() if each["name"] == "series"]
    assert (list(series["key"]), series["unique"]) == (["experiment", "attempt", "ordinal"], True)
    assert other.commands == []


def test_whoever_reads_metrics_page_by_page_misses_none_though_processes_store_more(store, database):
    stores = [MongoStore(database) for _ in range(4)]

    def append(worker: int) -> None:
        for turn in range(15):
            sequences = range(turn * 3, turn * 3 + 3)
            assert all(stores[worker].append([metric(n, source=str(worker)) for n in sequences]))

    with ThreadPoolExecutor(4) as threads:
        appending = [threads.submit(append, worker) for worker in range(4)]
        seen = []
        while not all(each.done() for each in appending):
            seen.append(walk(lambda **more: store.metrics("e" * 24, 1, limit=7, **more)))
        for each in appending:
            each.result()
    stored = walk(lambda **more: store.metrics("e" * 24, 1, **more))
    assert len(stored) == 180
    assert all(found == stored[: len(found)] for found in seen)
    assert [n for n, _ in store._metrics.page("e" * 24, 1, 0, 1000)] == list(range(1, 181))
    for each in stores:
        each.close()


def test_counts_and_repair_look_only_at_what_is_dirty(store, sent):
    store.add(experiments(3))
    store.repair()
    sent.commands.clear()
    store.counts(PROJECT)
    store.repair()
    hints = [(command["find"], command.get("hint")) for command in sent.commands if set(command["filter"]) != {"_id"}]
    assert hints == [("experiment", "dirty"), ("tally", "busy"), ("experiment", "dirty"), ("experiment", "dirty")]
    indexes = {each["name"]: each for each in store._collections[Experiment].list_indexes()}
    assert indexes["dirty"]["partialFilterExpression"] == {"_dirty": True}


# Round trips


def test_each_call_is_one_round_trip(store, sent):
    first, second = experiments(2)
    calls = {
        "insert": partial(store.add, [first, second]),
        "find": partial(store.get, Experiment, first.id),
        "update": partial(store.replace, first, transition(first, Claimed(0, "local"), 1.0)),
    }
    for name, call in calls.items():
        sent.commands.clear()
        assert call()
        assert [name in command for command in sent.commands] == [True]
    sent.commands.clear()
    assert store.append([metric(n, experiment=each.id) for n in range(50) for each in (first, second)]) == [True] * 100
    store.page(Experiment, "queue", (PROJECT, State.QUEUE))
    store.metrics(first.id, 1)
    assert [next(iter(command)) for command in sent.commands] == ["insert", "find", "find"]


def test_five_hundred_experiments_are_one_write_and_told_again_they_are_three(store, sent):
    assert store.add(experiments(500)) == [True] * 500
    assert len(sent.commands) == 1
    sent.commands.clear()
    assert store.add(experiments(501)) == [False] * 500 + [True]
    assert [next(iter(command)) for command in sent.commands] == ["insert", "find"]


def test_metrics_told_again_by_a_process_that_did_not_store_them_cost_three_round_trips(store, sent, database):
    batch = [metric(n) for n in range(200)]
    store.append(batch)
    other = MongoStore(database)
    sent.commands.clear()
    assert other.append([*batch, metric(200)]) == [False] * 200 + [True]
    assert [next(iter(command)) for command in sent.commands] == ["insert", "find", "find", "insert"]
    other.close()


def test_every_write_is_confirmed_by_most_members_and_their_journals(store, sent):
    store.add([experiment(1)])
    store.append([metric(1)], lazy=True)
    store.repair()
    store.remove(Experiment, [experiment(1).id])
    writes = [command for command in sent.commands if {"insert", "update", "delete"} & set(command)]
    assert len(writes) >= 6
    assert all(command["writeConcern"] == {"w": "majority", "j": True, "wtimeout": 6000} for command in writes)


# The database


def test_the_database_is_beagle_when_the_address_names_none():
    found = mongodb_database.MongoDatabase("mongodb://host:1")
    assert found.place == "the MongoDB database beagle at host:1"
    found.close()


def test_another_version_is_refused_with_both_versions_named(store, database):
    with MongoClient(database) as client:
        client.get_default_database()["beagle"].update_one({}, {"$set": {"version": 7}})
    with pytest.raises(InvalidInput, match="has the schema of version 7, and this Beagle writes version 1"):
        MongoStore(database)


def test_the_database_of_another_program_is_refused_and_left_as_it_is(database):
    with MongoClient(database) as client:
        mine = client.get_default_database()
        mine["mine"].insert_one({"x": 1})
        with pytest.raises(InvalidInput, match="holds the data of another program"):
            MongoStore(database)
        assert mine.list_collection_names() == ["mine"]


def test_eight_processes_may_open_a_new_database_at_once(database):
    with ThreadPoolExecutor(8) as threads:
        stores = list(threads.map(lambda _: MongoStore(database), range(8)))
    assert [each.add([System()]) for each in stores] == [[True], *[[False]] * 7]
    for each in stores:
        each.close()


# What goes wrong


@pytest.mark.parametrize(
    "address",
    [
        f"mongodb://beagle:{SECRET}@",
        f"mongodb://beagle:{SECRET}@host:port/beagle",
        f"mongodb://beagle:{SECRET}/x@host/beagle",
        f"mongodb://beagle:{SECRET}@host/bea gle",
        f"mongodb://beagle:{SECRET}@host/beagle?w",
        f"amqp://beagle:{SECRET}@host/beagle",
        "",
    ],
)
def test_an_address_that_is_none_is_refused_and_its_password_not_told(address):
    with pytest.raises(InvalidInput, match="it must be like mongodb://") as caught:
        MongoStore(address)
    assert SECRET not in str(caught.value)


def test_a_server_that_is_not_there_is_unavailable_and_the_password_not_told():
    (port,) = free_ports(1)
    began = time.monotonic()
    with pytest.raises(Unavailable, match="cannot be reached") as caught:
        MongoStore(f"mongodb://beagle:{SECRET}@127.0.0.1:{port}/mine?serverSelectionTimeoutMS=200")
    assert time.monotonic() - began < 5
    assert SECRET not in str(caught.value)
    assert f"the MongoDB database mine at 127.0.0.1:{port}" in str(caught.value)


FAILURES = [
    (errors.OperationFailure("no", 14031, {"errmsg": "no", "code": 14031}), "its disk is full"),
    (errors.OperationFailure("no", 13, {"errmsg": "no", "code": 13}), "role readWrite"),
    (errors.OperationFailure("no", 18, {"errmsg": "no", "code": 18}), "refused the user's name or password"),
    (errors.OperationFailure("no", 4711, {"errmsg": "it broke", "code": 4711}), r"it broke \(error 4711\)"),
    (errors.WTimeoutError("no", 64, {"errmsg": "no", "code": 64}), "too few members"),
    (errors.ExecutionTimeout("no", 50, {"errmsg": "no", "code": 50}), "it took too long"),
    (
        errors.BulkWriteError({"writeErrors": [{"code": 14031, "errmsg": "no", "index": 0}], "writeConcernErrors": []}),
        "its disk is full",
    ),
    (
        errors.BulkWriteError({"writeErrors": [], "writeConcernErrors": [{"code": 64, "errmsg": "no"}]}),
        "too few members",
    ),
    (errors.ConfigurationError("it is too old"), "it is too old"),
]


@pytest.mark.parametrize("error, sentence", FAILURES, ids=[sentence for _, sentence in FAILURES])
def test_what_the_server_refuses_is_unavailable_with_a_sentence(store, error, sentence):
    def fails() -> None:
        raise error

    with pytest.raises(Unavailable, match=f"the MongoDB database test-.*{sentence}"):
        store._database.repeat(fails)


@pytest.mark.parametrize(
    "error",
    [errors.NotPrimaryError("no"), errors.AutoReconnect("no"), errors.NetworkTimeout("no")],
    ids=lambda error: type(error).__name__,
)
def test_what_may_have_been_done_is_tried_again_and_then_said_to_be_unknown(store, monkeypatch, error):
    monkeypatch.setattr(mongodb_database, "_PATIENCE", 0.2)
    tries: list[bool] = []

    def fails(again: bool) -> None:
        tries.append(again)
        raise error

    with pytest.raises(Unavailable, match="it may have been done or not"):
        store._database.run(fails)
    assert tries[0] is False
    assert len(tries) > 1
    assert all(tries[1:])


def test_a_record_that_is_too_large_for_a_document_is_refused(store):
    with pytest.raises(InvalidInput, match="cannot hold this value"):
        store.add([Applied(id="large", answer="ö" * 8_000_000, at=1.0)])
    assert store.add([System()]) == [True]
