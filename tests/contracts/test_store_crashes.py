"""What every store keeps when the process that writes is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from beagle.experiment import Experiment, State
from beagle.records import Metric
from beagle.stores.mongodb import MongoStore
from beagle.stores.sqlite import SqliteStore
from tests.contracts.records import PROJECT, experiment, walk

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}

# Eight threads write, each says what the store has acknowledged: the number of an experiment that is added and claimed,
# and has a metric.
WRITE = """
import itertools, os, sys, threading
from beagle.experiment import Claimed, transition
from beagle.stores.{module} import {store}
from tests.contracts.records import experiment, metric

store = {store}(sys.argv[1])

def write(first):
    for number in itertools.count(first, 8):
        added = experiment(number)
        assert store.add([added]) == [True]
        assert store.replace(added, transition(added, Claimed(first, "local"), 5.0))
        assert store.append([metric(number)]) == [True]
        os.write(1, f"{{number}}\\n".encode())

for first in range(8):
    threading.Thread(target=write, args=(first,)).start()
"""


@pytest.fixture(params=[("sqlite", SqliteStore), ("mongodb", MongoStore)], ids=["sqlite", "mongodb"])
def place(request, tmp_path):
    """The module of a store, its class, and where it keeps what this test stores."""
    module, kind = request.param
    where = {"sqlite": lambda: str(tmp_path / "beagle.sqlite"), "mongodb": lambda: request.getfixturevalue("database")}
    return module, kind, where[module]()


@pytest.mark.parametrize("acknowledged", [1, 100, 500])
def test_what_was_acknowledged_is_there_after_kill_9(place, acknowledged):
    module, kind, where = place
    command = [sys.executable, "-c", WRITE.format(module=module, store=kind.__name__), where]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT, cwd=ROOT) as writer:
        numbers = [int(writer.stdout.readline()) for _ in range(acknowledged)]
        writer.kill()
        numbers += [int(line) for line in writer.stdout.read().splitlines()]
    store = kind(where)
    found = [store.get(Experiment, experiment(number).id) for number in numbers]
    assert [each.state for each in found] == [State.POOL] * len(numbers)
    reported: list[Metric] = walk(lambda **more: store.metrics("e" * 24, 1, **more))
    assert set(numbers) <= {each.sequence for each in reported}
    pool = walk(lambda **more: store.page(Experiment, "queue", (PROJECT, State.POOL), **more))
    assert store.counts()[State.POOL] == len(pool) >= len(numbers)
    store.repair()
    assert store.counts()[State.POOL] == store.counts(PROJECT)[State.POOL] == len(pool)
    store.close()
