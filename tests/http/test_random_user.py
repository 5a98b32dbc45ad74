"""As tests/chaos/test_random_user.py, over HTTP to a whole `beagle up` that is killed now and then."""

from __future__ import annotations

import os
import random
import re
import time

import pytest

from actors.http_session import HttpSession
from beagle.settings import Settings
from tests.chaos.test_random_user import EXPERIMENTS, MOST, PROGRAM, an_order, give, to_the_end
from tests.journeys import ledger
from tests.journeys.beagle_run import Run, python, search
from tests.journeys.cli_desk import Desk, eventually

ORDERS = 30
SEEDS = range(1, 1 + int(os.environ.get("BEAGLE_CHAOS_SEEDS", "1")))


class Served:
    """One deployment at a time, each at a port of its own, all in the same folder."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.start()

    def start(self) -> None:
        self._up = self._desk.start("up", "--health-port", "off", "--port", 0)
        url = eventually(lambda: re.search(r"serving: (http://\S+)", self._up.complained))[1]
        self._session = HttpSession(Settings(server=url))
        self.run = Run(self._desk.folder, self._session)

    def kill(self) -> None:
        self._session.close()
        self._up.process.kill()
        self._up.process.wait()
        assert "Traceback" not in self._up.complained


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_a_user_orders_over_http_and_whenever_it_is_killed_the_laws_hold(tmp_path, seed):
    chance = random.Random(seed)
    with Desk(tmp_path, "true") as desk:
        served = Served(desk)
        served.run.submit(search(python(PROGRAM), EXPERIMENTS, experiment_timeout=1, pause_after_failures=0))
        served.run.start(MOST)
        for number in range(ORDERS):
            time.sleep(chance.choice((0, 0.01, 0.1)))
            give(served.run, an_order(chance))
            if number % 10 == 9:
                served.kill()
                served.start()
        to_the_end(served.run)
        views, entries = served.run.experiments(), served.run.ledger()
        served.kill()

    began = ledger.starts(entries)
    assert len(began) == len(set(began))
    assert ledger.most_at_once(entries) <= MOST
    assert {view["state"] for view in views} <= {"completed", "failed", "timeout", "stopped"}
    attempts = {view["id"]: view["attempt"] for view in views}
    assert all(attempt <= attempts[identity] for identity, attempt in began)
