"""The embedded scheduler, killed again and again, with its workloads at a container engine that fails now and then."""

from __future__ import annotations

import os
import random
import time

import pytest

from beagle.folder import Folder
from beagle.stores.sqlite import SqliteStore
from tests.chaos.oracle import Oracle, read
from tests.chaos.scenario import ORCHESTRATOR, RETRIES, many, sent
from tests.journeys.kennel import Kennel
from tests.servers import dock

LIMIT, KILLS = 8, 12
COUNT = 40
SEEDS = range(1, 1 + int(os.environ.get("BEAGLE_CHAOS_SEEDS", "1")))


@pytest.mark.parametrize("starts", ["1", "8"])
@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_the_engine_answers_and_whenever_the_scheduler_dies_the_laws_hold(tmp_path, monkeypatch, seed, starts):
    chance, searches = random.Random(seed), many(COUNT)
    monkeypatch.setenv("DOCK_STARTS", starts)
    monkeypatch.setenv("DOCK_SOCKET", str(tmp_path / "dock" / "dock.socket"))
    with dock.running(tmp_path / "dock", seed=seed) as ledger, Kennel(tmp_path, orchestrator=ORCHESTRATOR) as kennel:
        kennel.start()
        run = kennel.run()
        for search in searches:
            run.submit(search)
        run.start(LIMIT)
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.1, 1.2))
            kennel.kill()
            time.sleep(chance.uniform(0, 0.4))
            kennel.start()
        quiet_since = time.time()
        run = kennel.run()
        for search in searches:
            run.wait(search.name)
        run.idle()
        kennel.kill()
        store = SqliteStore(Folder(tmp_path / "state").database)
        found = Oracle(read(ledger), store, LIMIT, sent(searches), quiet_since, RETRIES).violations()
        store.close()
    assert found == []
