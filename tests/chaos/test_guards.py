"""Negative controls: with a guard switched off, what the other tests look for is found. So they can fail."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import replace

import pytest

from actors import launcher, main, queue_manager
from actors.main import Cast
from actors.queue_manager import QueueManager
from beagle import lifecycle, places
from beagle.experiment import Prioritised, State
from beagle.orchestrators import shims
from beagle.orchestrators.folders import Attempt
from beagle.orchestrators.process import ProcessOrchestrator
from beagle.records import Place
from beagle.stores.sqlite import SqliteStore
from tests.chaos.managers import sleeper, sleeper_before_it_takes
from tests.chaos.test_claims import join
from tests.contracts.workloads import Seen, shell, workload
from tests.journeys.beagle_run import OwnRun, eventually, python, search
from tests.journeys.beagle_run import shell as command
from tests.journeys.census import end_all, living

# The metrics of one experiment, over a restart of its scheduler


def metrics_over_a_restart(folder):
    program = "import time\nfor n in range(40): print(f'a={n}'); time.sleep(0.01)"
    with OwnRun(folder) as run:
        run.submit(search(python(program)))
        eventually(lambda: run.counts()["pool"] and len(run.metrics()) > 5)
        run.session.close()
        with OwnRun(folder) as later:
            later.wait()
            return Counter(metric["values"]["a"] for metric in later.metrics())


class ForgetfulStore(SqliteStore):
    """Takes every metric for a new one."""

    def append(self, metrics, *, lazy: bool = False):
        # Beyond any offset, and another one each time.
        new = [replace(metric, sequence=random.randrange(10**9, 10**15)) for metric in metrics]
        return super().append(new, lazy=lazy)


def test_lines_that_are_read_again_after_a_restart_are_stored_once(tmp_path):
    assert metrics_over_a_restart(tmp_path) == dict.fromkeys(range(40), 1)


def test_without_the_check_for_repeats_they_are_stored_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(main, "SqliteStore", ForgetfulStore)
    assert max(metrics_over_a_restart(tmp_path).values()) > 1


# One attempt, started by two schedulers at once


def most_starts_of_one_attempt(folder):
    """Two orchestrators start each of 20 attempts at the same moment; how often one was run at most."""
    pair = [ProcessOrchestrator(folder / "state"), ProcessOrchestrator(folder / "state")]
    for each in pair:
        each.watch(Seen())
    together = threading.Barrier(2)

    def start(orchestrator, jobs):
        for job in jobs:
            together.wait(10)
            orchestrator.start(job)

    jobs = [workload(shell(f"echo {n} >> {folder}/ledger")) for n in range(20)]
    threads = [threading.Thread(target=start, args=(each, jobs)) for each in pair]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: not living(folder) and all(Attempt.has_ended(pair[0]._folders.attempt(j.name)) for j in jobs))
    for each in pair:
        each.close()
    end_all(folder)
    return max(Counter((folder / "ledger").read_text().split()).values())


def test_an_attempt_that_two_schedulers_start_at_once_is_run_once(tmp_path):
    assert most_starts_of_one_attempt(tmp_path) == 1


def test_without_the_shims_claim_it_is_run_twice(tmp_path, monkeypatch):
    careless = "import beagle.orchestrators.shim as s; s.os.link = s.os.rename; s.os.unlink = lambda path: None; "
    monkeypatch.setattr(shims, "_CODE", shims._CODE.replace("main()", careless + "main()"))
    assert most_starts_of_one_attempt(tmp_path) == 2


# Two queue managers and one place


class StaleStore(SqliteStore):
    """Writes places over whatever was written since they were read."""

    def replace(self, before, after, *, lazy: bool = False):
        if not isinstance(after, Place):
            return super().replace(before, after, lazy=lazy)
        current = self.get(Place, after.id)
        return super().replace(current, replace(after, version=current.version + 1), lazy=lazy)


def running_after_a_stale_take(folder):
    """One place. A manager sleeps after it has found that free, another one uses it, and the first wakes."""
    manager = sleeper_before_it_takes()
    with OwnRun(folder, paused=True, cast=Cast(queue_manager=manager)) as run:
        run.submit(search(command("sleep 60"), 2))
        eventually(lambda: run.counts()["queue"] == 2)
        run.start(limit=1)
        assert manager.asleep.wait(10)
        join(run)
        eventually(lambda: len(set(living(folder).values())) == 1)
        manager.wake.set()
        time.sleep(1.2)  # longer than a tick
        return len(set(living(folder).values()))


def test_a_manager_that_read_which_place_is_free_long_ago_takes_nothing(tmp_path):
    assert running_after_a_stale_take(tmp_path) == 1


def test_without_the_versions_of_places_the_limit_is_exceeded(tmp_path, monkeypatch):
    monkeypatch.setattr(main, "SqliteStore", StaleStore)
    assert running_after_a_stale_take(tmp_path) == 2


# A manager that sleeps over the repair of its place, while that place goes to another experiment


def careless_repair(manager, place):
    """Gives a place back without a word to whoever may still believe to have it."""
    store = manager.world.store
    experiment = lifecycle.load(store, place.experiment)
    if experiment.state is State.QUEUE and manager.world.now() - place.taken_at > queue_manager.LEAKED_AFTER:
        places.give_back(store, place)


def trusting_launch(actor, experiment):
    """Starts what is in the pool, whoever has its place."""
    actor._start(experiment, adopted=False)


def after_the_sleep(folder):
    """How many are in the pool and how many run, with one place, after a manager woke that had claimed the first."""
    manager = sleeper()
    with OwnRun(folder, paused=True, cast=Cast(queue_manager=manager)) as run:
        run.submit(search(command("sleep 60"), 2))
        eventually(lambda: run.counts()["queue"] == 2)
        run.start(limit=1)
        assert manager.asleep.wait(10)
        lifecycle.advance(run.world.store, run.stored(2), Prioritised(1), time.time())
        join(run)
        run.launched(2)
        eventually(lambda: len(set(living(folder).values())) == 1)
        manager.wake.set()
        time.sleep(0.5)
        return run.counts()["pool"], len(set(living(folder).values()))


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(queue_manager, "LEAKED_AFTER", 0.3)


def test_a_manager_whose_place_was_repaired_loses_its_claim(soon, tmp_path):
    assert after_the_sleep(tmp_path) == (1, 1)


def test_without_a_new_version_of_the_experiment_it_would_win_and_the_launcher_alone_holds_the_limit(
    soon, tmp_path, monkeypatch
):
    monkeypatch.setattr(QueueManager, "_repair", careless_repair)
    assert after_the_sleep(tmp_path) == (2, 1)


def test_without_the_launchers_check_as_well_the_limit_is_exceeded(soon, tmp_path, monkeypatch):
    monkeypatch.setattr(QueueManager, "_repair", careless_repair)
    monkeypatch.setattr(launcher.Launcher, "_launch", trusting_launch)
    assert after_the_sleep(tmp_path) == (2, 2)
