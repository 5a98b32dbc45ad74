"""What the SQLite store keeps when the disk takes no more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}

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


def test_a_disk_that_takes_no_more_stores_nothing_by_halves_and_is_used_again_when_it_does(tmp_path):
    command = program(FILL, tmp_path / "beagle.sqlite")
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=ENVIRONMENT, cwd=ROOT)
    first, second, while_full, after, opened_again = done.stdout.splitlines()
    for sentence in (first, second):
        assert sentence.startswith(f"{tmp_path / 'beagle.sqlite'}: the disk ")
        assert "nothing of this was stored" in sentence
    assert (while_full, after, opened_again) == ("1 True", "True True", "3000 100")
