"""What the SQLite store keeps when its process is killed, or the disk takes no more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from beagle.experiment import Experiment, State
from beagle.records import Metric
from beagle.stores.sqlite import SqliteStore
from tests.contracts.records import PROJECT, experiment, walk

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}

# Eight threads write, each says what the store has acknowledged: the number of an experiment that is added and claimed,
# and has a metric.
WRITE = """
import itertools, os, sys, threading
from pathlib import Path
from beagle.experiment import Claimed, transition
from beagle.stores.sqlite import SqliteStore
from tests.contracts.records import experiment, metric

store = SqliteStore(Path(sys.argv[1]))

def write(first):
    for number in itertools.count(first, 8):
        added = experiment(number)
        assert store.add([added]) == [True]
        assert store.replace(added, transition(added, Claimed(first, "local"), 5.0))
        assert store.append([metric(number)]) == [True]
        os.write(1, f"{number}\\n".encode())

for first in range(8):
    threading.Thread(target=write, args=(first,)).start()
"""

# The largest file that this process may write is limited, then no longer.
FILL = """
import resource, sys
from pathlib import Path
from beagle.errors import Unavailable
from beagle.stores.sqlite import SqliteStore
from tests.contracts.records import experiments, metric

path = Path(sys.argv[1])
store = SqliteStore(path)
first, *rest = experiments(3000)
store.add([first])
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
stored = 0
try:
    while True:
        assert all(store.append([metric(stored + n) for n in range(100)]))
        stored += 100
except Unavailable as error:
    print(error)
try:
    store.add(rest)
except Unavailable as error:
    print(error)
print(sum(store.counts().values()), stored == len(store.metrics("e" * 24, 1, limit=10**6).records))
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
print(all(store.add(rest)), all(store.append([metric(stored + n) for n in range(100)])))
store.close()
store = SqliteStore(path)
print(sum(store.counts().values()), len(store.metrics("e" * 24, 1, limit=10**6).records) - stored)
"""


def program(text: str, *arguments: Path) -> list[str]:
    return [sys.executable, "-c", text, *map(str, arguments)]


@pytest.mark.parametrize("acknowledged", [1, 100, 700])
def test_what_was_acknowledged_is_there_after_kill_9(tmp_path, acknowledged):
    path = tmp_path / "beagle.sqlite"
    command = program(WRITE, path)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT, cwd=ROOT) as writer:
        numbers = [int(writer.stdout.readline()) for _ in range(acknowledged)]
        writer.kill()
        numbers += [int(line) for line in writer.stdout.read().splitlines()]
    store = SqliteStore(path)
    found = [store.get(Experiment, experiment(number).id) for number in numbers]
    assert [each.state for each in found] == [State.POOL] * len(numbers)
    reported: list[Metric] = walk(lambda **more: store.metrics("e" * 24, 1, **more))
    assert set(numbers) <= {each.sequence for each in reported}
    pool = walk(lambda **more: store.page(Experiment, "queue", (PROJECT, State.POOL), **more))
    assert store.counts()[State.POOL] == len(pool) >= len(numbers)
    store.close()


def test_a_disk_that_takes_no_more_stores_nothing_by_halves_and_is_used_again_when_it_does(tmp_path):
    command = program(FILL, tmp_path / "beagle.sqlite")
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=ENVIRONMENT, cwd=ROOT)
    first, second, while_full, after, opened_again = done.stdout.splitlines()
    for sentence in (first, second):
        assert sentence.startswith(f"{tmp_path / 'beagle.sqlite'}: the disk ")
        assert "nothing of this was stored" in sentence
    assert (while_full, after, opened_again) == ("1 True", "True True", "3000 100")
