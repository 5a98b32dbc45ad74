"""What only the SQLite store promises: no scan, one owner, group commit, and sentences for what the disk does."""

from __future__ import annotations

import errno
import hashlib
import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread

import pytest

from beagle.errors import InvalidInput, Unavailable
from beagle.experiment import Claimed, Experiment, State, Stopped, transition
from beagle.ports import INDEXES
from beagle.records import System
from beagle.stores import sqlite_statements as sql
from beagle.stores.sqlite import VERSION, SqliteStore
from tests.contracts.records import experiment, experiments, metric

LISTS = [pytest.param(kind, name, id=f"{kind.__name__}-{name}") for kind in INDEXES for name in INDEXES[kind]]


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "beagle.sqlite"


@pytest.fixture
def store(path) -> Iterator[SqliteStore]:
    opened = SqliteStore(path)
    yield opened
    opened.close()


def plan(store: SqliteStore, text: str) -> list[str]:
    """The steps in which SQLite would run it."""
    marks = ["x"] * text.count("?")
    return [row[3] for row in store._file.read(f"EXPLAIN QUERY PLAN {text}", marks)]


# No scan


@pytest.mark.parametrize("resumed", [False, True])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("kind, name", LISTS)
def test_a_page_is_read_from_its_index_without_sorting(store, kind, name, descending, resumed):
    (step,) = plan(store, sql.Statements(kind).page(name, descending=descending, resumed=resumed))
    table, wanted = kind.__name__.lower(), INDEXES[kind][name].equal
    # A list of all records has nothing to search for on its first page: it reads the index from its start.
    assert step.startswith(f"{'SEARCH' if wanted or resumed or INDEXES[kind][name].where else 'SCAN'} {table} USING ")
    assert f"INDEX {table}_{name}" in step
    assert step.count("=?") == len(wanted)
    order = INDEXES[kind][name].order
    key = f"({','.join(order)})" if len(order) > 1 else order[0]
    assert (f"{key}{'<' if descending else '>'}" in step) is resumed


@pytest.mark.parametrize("kind, name", LISTS)
def test_a_rank_is_counted_in_its_index(store, kind, name):
    search = [step for step in plan(store, sql.Statements(kind).rank(name)) if "subquery" not in step.lower()]
    assert any(f"USING COVERING INDEX {kind.__name__.lower()}_{name} " in step for step in search)
    assert not any("TEMP B-TREE" in step or "SCAN " in step.replace("SCAN (", "") for step in search)


@pytest.mark.parametrize("kind", list(INDEXES), ids=lambda kind: kind.__name__)
def test_a_record_is_found_by_its_id(store, kind):
    statements = sql.Statements(kind)
    fields = len(sql.columns(kind))
    by_id = f"SEARCH {kind.__name__.lower()} USING INDEX sqlite_autoindex_{kind.__name__.lower()}_1 (id=?)"
    updates = [statements.update((True,) * fields), statements.update((False,) * fields)]
    for text in (statements.get, statements.remove, *updates):
        assert plan(store, text) == [by_id]


def test_metrics_counts_and_their_upkeep_use_keys(store):
    numbered = "SEARCH series USING COVERING INDEX sqlite_autoindex_series_1 (experiment=? AND attempt=?)"
    assert plan(store, sql.SERIES) == [numbered]
    assert [step for step in plan(store, sql.METRICS) if "SEARCH" in step] == [
        "SEARCH metric USING PRIMARY KEY (series=? AND ordinal>?)",
        numbered,
    ]
    assert plan(store, sql.COUNTS) == ["SEARCH tally USING PRIMARY KEY (project=?)"]
    for text in (sql.ADD_METRIC, *sql.REMOVE_METRICS):
        steps = plan(store, text)
        assert any(step.startswith("SEARCH") for step in steps)
        assert not any(step.startswith("SCAN") or "TEMP" in step for step in steps)


# The file


def test_no_other_connection_is_let_in(store):
    settings = {name: store._file.read(f"PRAGMA {name}") for name in ("journal_mode", "synchronous", "locking_mode")}
    assert settings == {"journal_mode": [("wal",)], "synchronous": [(1,)], "locking_mode": [("exclusive",)]}


def test_every_write_but_a_lazy_one_is_forced_to_the_disk_before_it_returns(store, path, monkeypatch):
    forced, real = [], os.fdatasync
    log = f"{path}-wal"
    monkeypatch.setattr(
        os, "fdatasync", lambda file: (forced.append(str(Path(f"/proc/self/fd/{file}").readlink())), real(file))
    )
    first = experiment(1)
    store.add([first], lazy=True)
    claimed = transition(first, Claimed(0, "local"), 1.0)
    assert store.replace(first, claimed, lazy=True)
    assert forced == []
    store.append([metric(1, experiment=first.id)])
    assert forced == [log]
    assert store.replace(claimed, transition(claimed, Stopped("enough"), 2.0))
    store.add([experiment(2)])
    assert forced == [log] * 3


def test_a_flush_forces_what_was_lazy_to_the_disk_and_does_nothing_twice(store, monkeypatch):
    forced, real = [], os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda file: (forced.append(file), real(file)))
    store.add([experiment(1), experiment(2)], lazy=True)
    store.append([metric(1)], lazy=True)
    store.flush()
    assert len(forced) == 1
    store.flush()
    assert len(forced) == 1


def test_a_disk_that_fails_to_take_a_write_is_told(store, monkeypatch):
    def fails(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", fails)
    with pytest.raises(Unavailable, match="Input/output error while it was written to the disk"):
        store.add([experiment(1)])


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(path):
    path.write_bytes(b"learning_rate,accuracy\n" * 100)
    with pytest.raises(InvalidInput, match="is not an SQLite database") as caught:
        SqliteStore(path)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == b"learning_rate,accuracy\n" * 100


def test_the_database_of_another_program_is_refused_and_left_as_it_is(path):
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE mine (x)")
        other.execute(f"PRAGMA user_version = {VERSION}")
    other.close()
    before = path.read_bytes()
    with pytest.raises(InvalidInput, match="database of another program"):
        SqliteStore(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("version", [1, 7])
def test_an_older_or_newer_version_is_refused_with_both_versions_named_and_left_as_it_is(path, version):
    SqliteStore(path).close()
    with sqlite3.connect(path) as other:
        other.execute(f"PRAGMA user_version = {version}")
    other.close()
    before = path.read_bytes()
    with pytest.raises(
        InvalidInput, match=f"has the schema of version {version}, and this Beagle writes version {VERSION}"
    ):
        SqliteStore(path)
    assert path.read_bytes() == before


def test_the_version_counts_the_changes_of_the_schema():
    """Whoever changes the tables raises `VERSION`, and writes both down here."""
    digest = hashlib.sha256("\n".join(sql.schema()).encode()).hexdigest()[:16]
    assert (VERSION, digest) == (3, "8f063a1da0be4827")


def test_a_file_that_another_has_open_is_unavailable(store, path):
    with pytest.raises(Unavailable, match="another process has it open"):
        SqliteStore(path)
    assert store.add([System()]) == [True]


def test_a_file_in_a_folder_that_is_not_there_is_unavailable(tmp_path):
    with pytest.raises(Unavailable, match="check that its folder exists"):
        SqliteStore(tmp_path / "none" / "beagle.sqlite")


def test_a_store_that_may_not_be_written_says_so_and_can_be_read(store):
    store.add([System()])
    store._file._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(Unavailable, match="it may not be written"):
        store.replace(System(), System(version=1))
    assert store.get(System, "system") == System()


def test_a_full_database_is_unavailable_and_works_again_when_there_is_room(store):
    store.add([System()])
    (pages,) = store._file._connection.execute("PRAGMA page_count").fetchone()
    store._file._connection.execute(f"PRAGMA max_page_count = {pages + 10}")
    with pytest.raises(Unavailable, match="the disk is full"):
        store.add(experiments(1000))
    assert store.counts()[State.QUEUE] == 0
    assert store.get(System, "system") == System()
    store._file._connection.execute("PRAGMA max_page_count = 1000000")
    assert all(store.add(experiments(1000)))
    assert store.counts()[State.QUEUE] == 1000


# Group commit


def held(store: SqliteStore, threads: int) -> tuple[Event, Thread]:
    """A write that holds the store until the event is set, and then commits."""
    entered, go_on = Event(), Event()

    def wait(_: sqlite3.Connection) -> None:
        entered.set()
        assert go_on.wait(30)

    holder = Thread(target=store._file.write, args=(wait,))
    holder.start()
    assert entered.wait(30)
    return go_on, holder


def gathered(store: SqliteStore, count: int) -> None:
    """Wait until `count` writes are queued behind the one that holds the store."""
    pause = Event()
    for _ in range(3000):
        if len(store._file._queue) == count:
            return
        pause.wait(0.01)
    raise AssertionError(f"{len(store._file._queue)} writes are queued, not {count}")


def commits(store: SqliteStore) -> list[str]:
    """Fills with one COMMIT for each transaction from now on."""
    seen: list[str] = []
    store._file._connection.set_trace_callback(lambda text: seen.append(text) if text == "COMMIT" else None)
    return seen


def test_writes_that_wait_share_one_commit(store):
    go_on, holder = held(store, 8)
    with ThreadPoolExecutor(8) as threads:
        added = [threads.submit(store.add, [each]) for each in experiments(8)]
        gathered(store, 8)
        seen = commits(store)
        go_on.set()
        assert [each.result() for each in added] == [[True]] * 8
    holder.join()
    assert seen == ["COMMIT", "COMMIT"]  # the holder's own and that of the eight


def test_a_write_of_a_group_that_fails_fails_alone(store):
    go_on, holder = held(store, 3)
    with ThreadPoolExecutor(3) as threads:
        good = [threads.submit(store.add, [each]) for each in experiments(2)]
        bad = threads.submit(store.add, [experiment(3), experiment(4, rank=2**64)])
        gathered(store, 3)
        go_on.set()
        assert [each.result() for each in good] == [[True], [True]]
        with pytest.raises(InvalidInput, match="cannot hold this value"):
            bad.result()
    holder.join()
    assert store.counts()[State.QUEUE] == 2
    assert store.get(Experiment, experiment(3).id) is None


def test_a_group_on_a_full_disk_stores_nothing_of_any(store):
    (pages,) = store._file._connection.execute("PRAGMA page_count").fetchone()
    store._file._connection.execute(f"PRAGMA max_page_count = {pages}")
    go_on, holder = held(store, 2)
    with ThreadPoolExecutor(2) as threads:
        added = [threads.submit(store.append, [metric(n, source=str(k)) for n in range(500)]) for k in range(2)]
        gathered(store, 2)
        go_on.set()
        assert [type(each.exception()) for each in added] == [Unavailable, Unavailable]
    holder.join()
    assert store.metrics("e" * 24, 1).records == []


def test_an_interrupted_writer_leaves_no_trace_and_harms_no_other(store):
    def interrupted(file: sqlite3.Connection) -> None:
        file.execute("DELETE FROM experiment")
        raise KeyboardInterrupt

    store.add(experiments(2))
    with pytest.raises(KeyboardInterrupt):
        store._file.write(interrupted)
    assert store.counts()[State.QUEUE] == 2
    first = experiment(1)
    assert store.replace(first, transition(first, Claimed(1, "local"), 5.0))


def test_writes_that_shared_a_group_with_an_interrupted_one_may_be_tried_again(store):
    def interrupted(_: sqlite3.Connection) -> None:
        raise KeyboardInterrupt

    go_on, holder = held(store, 2)
    with ThreadPoolExecutor(2) as threads:
        added = threads.submit(store.add, [System()])
        gathered(store, 1)
        interrupting = threads.submit(store._file.write, interrupted)
        gathered(store, 2)
        go_on.set()
        errors = {type(each.exception()) for each in (added, interrupting)}
    holder.join()
    assert errors == {Unavailable, KeyboardInterrupt}
    assert store.add([System()]) == [True]
