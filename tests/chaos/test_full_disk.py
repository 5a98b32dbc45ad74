"""A disk that fills up in the middle of a run: nothing dies, a sentence says so, and it goes on when there is room."""

from __future__ import annotations

import resource
import time
from collections import Counter

import pytest

from actors import main
from beagle.commands import SetLimit, StopExperiment
from beagle.errors import Unavailable
from beagle.stores.sqlite import SqliteStore
from tests.journeys.beagle_run import OwnRun, eventually, python, search, shell
from tests.journeys.kennel import Kennel

# Long names make large records. A limited process's children are limited too, so that nothing else is written much.
PROGRAM = """
import time
for n in range(30):
    print(f"a={n} {'b' * 120}={n}")
    time.sleep(0.02)
"""
EXPERIMENTS = 12


class BrimfulStore(SqliteStore):
    """Takes no write at all while it is `full`, however small."""

    full = False

    def add(self, *arguments, **more):
        self.check()
        return super().add(*arguments, **more)

    def replace(self, *arguments, **more):
        self.check()
        return super().replace(*arguments, **more)

    def append(self, *arguments, **more):
        self.check()
        return super().append(*arguments, **more)

    def check(self) -> None:
        if self.full:
            raise Unavailable("the disk is full; nothing of this was stored")


def limit_pages(store, pages):
    """As on a disk with room for so many pages and no more."""
    with store._file._lock:
        store._file._connection.execute(f"PRAGMA max_page_count = {pages}")


def pages_of(store):
    with store._file._lock:
        return store._file._connection.execute("PRAGMA page_count").fetchone()[0]


def assert_all_there(run):
    assert run.states() == ["completed"] * EXPERIMENTS
    for number in range(1, EXPERIMENTS + 1):
        values = Counter(metric["values"]["a"] for metric in run.metrics(number))
        assert values == dict.fromkeys(range(30), 1)


def submit_many(run):
    for other in range(200):
        run.submit(search(["true", "x" * 10_000], name=f"other{other}"))


@pytest.fixture
def begun(tmp_path):
    with OwnRun(tmp_path) as run:
        run.submit(search(python(PROGRAM), EXPERIMENTS))
        eventually(lambda: run.counts()["completed"] >= 1)
        yield run


def log_of(run):
    """What the scheduler wrote to its log; there is none before it has something to say."""
    log = run.folder / "state" / "beagle.log"
    return log.read_text() if log.exists() else ""


def test_a_database_that_cannot_grow_stops_no_actor_and_the_run_completes_when_it_can(begun):
    store = begun.world.store
    limit_pages(store, pages_of(store))
    eventually(lambda: "the disk is full; free some space and try again" in log_of(begun), seconds=10)
    time.sleep(1)
    assert all(actor.is_alive() for actor in begun.session._system._actors)
    limit_pages(store, 2**31)
    begun.wait()
    assert_all_there(begun)
    assert not begun.world.bus.dead_letters(9)


def test_an_order_to_a_full_disk_is_answered_with_a_sentence_and_nothing_of_it_is_done(begun):
    store = begun.world.store
    limit_pages(store, pages_of(store))
    before = begun.project()
    with pytest.raises(Unavailable, match="the disk is full; free some space and try again; nothing of this was"):
        submit_many(begun)
    assert begun.project(before["id"])["name"] == "trial"
    limit_pages(store, 2**31)
    begun.wait("trial")


def test_a_limit_on_the_size_of_files_is_a_full_disk_too(tmp_path):
    with Kennel(tmp_path) as kennel:
        kennel.start()
        run = kennel.run()
        run.submit(search(python(PROGRAM), EXPERIMENTS))
        run.start(4)
        eventually(lambda: run.counts()["completed"] >= 1)
        state = tmp_path / "state"
        largest = max(file.stat().st_size for file in state.iterdir() if file.is_file())
        _, most = resource.prlimit(kennel.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(kennel.pid, resource.RLIMIT_FSIZE, (largest, most))
        eventually(lambda: "nothing of this was stored" in log_of(run), seconds=20)
        resource.prlimit(kennel.pid, resource.RLIMIT_FSIZE, (most, most))
        run.wait()
        run.idle()
        assert_all_there(run)


def test_stopping_and_the_limit_work_again_as_soon_as_there_is_room(begun):
    store = begun.world.store
    limit_pages(store, pages_of(store))
    time.sleep(0.3)
    limit_pages(store, 2**31)
    begun.ask(SetLimit(limit=1))
    begun.ask(StopExperiment(experiment=str(EXPERIMENTS)))
    assert begun.ended(EXPERIMENTS)["state"] == "stopped"


@pytest.fixture
def brimful(tmp_path, monkeypatch):
    monkeypatch.setattr(main, "SqliteStore", BrimfulStore)
    with OwnRun(tmp_path) as run:
        yield run


def test_what_crosses_on_a_full_disk_counts_before_the_exit_that_comes_after_it(brimful):
    go, exit_now = brimful.folder / "go", brimful.folder / "exit"
    script = "until test -e {}; do sleep 0.01; done; echo accuracy=0.95; until test -e {}; do sleep 0.01; done; exit 3"
    brimful.submit(search(shell(script.format(go, exit_now)), experiment_accuracy_limit=0.9))
    brimful.launched()
    brimful.world.store.full = True
    go.touch()
    eventually(lambda: "waits: the disk is full" in log_of(brimful))
    brimful.world.store.full = False
    # At once: the metric is to be tried again half a second after it was refused.
    exit_now.touch()
    brimful.wait()
    assert brimful.states() == ["accuracy_limit_reached"]
    assert [metric["values"] for metric in brimful.metrics()] == [{"accuracy": 0.95}]


def test_a_deadline_that_passes_on_a_full_disk_is_met_when_there_is_room(brimful):
    brimful.submit(search(shell("sleep 60"), experiment_timeout=0.5))
    brimful.launched()
    brimful.world.store.full = True
    time.sleep(0.8)
    brimful.world.store.full = False
    assert brimful.ended(seconds=5)["state"] == "timeout"
