"""Where HTTP is served several gateways answer: one that waits for somebody keeps nobody else waiting."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import pytest
import requests

from actors.gateway import Gateway
from actors.main import Cast, OwnSession, make_world
from actors.orders.front import fresh
from actors.processes import GATEWAYS
from beagle.commands import ShowSystem, ShowTemplate, StartSystem
from beagle.errors import BeagleError
from beagle.folder import Folder
from beagle.settings import Settings
from tests.journeys.apart import Apart
from tests.journeys.cli_desk import eventually


class Waiting(Gateway):
    """Asked for a template it waits as for a site that does not answer."""

    go = threading.Event()
    asked = threading.Semaphore(0)

    def show_template(self, question):
        self.asked.release()
        self.go.wait(60)
        return super().show_template(question)

    handles: ClassVar = {**Gateway.handles, ShowTemplate: fresh(show_template)}


@pytest.fixture
def session(tmp_path):
    folder, settings = Folder(Path(tmp_path) / "state"), Settings()
    assert folder.own()
    session = OwnSession(
        folder,
        make_world(settings, folder),
        settings=settings,
        scheduling=True,
        cast=Cast(gateway=Waiting),
        gateways=GATEWAYS,
    )
    yield session
    Waiting.go.set()
    session.close()
    Waiting.go.clear()


def test_slow_questions_keep_others_waiting_only_when_all_gateways_are_at_one(session):
    def slow():
        with suppress(BeagleError):
            session.ask(ShowTemplate(template="none"), timeout=60)

    with ThreadPoolExecutor(GATEWAYS) as pool:
        for _ in range(GATEWAYS - 1):
            pool.submit(slow)
        for _ in range(GATEWAYS - 1):
            assert Waiting.asked.acquire(timeout=30)
        begun = time.monotonic()
        for _ in range(50):
            session.ask(ShowSystem())
        assert time.monotonic() - begun < 20
        assert session.ask(StartSystem()) == {"running": True, "limit": 1}
        Waiting.go.set()


def test_a_gateway_apart_serves_http_over_the_broker_and_ends_in_order(tmp_path, rabbitmq, hosts, database):
    main, metrics = hosts
    with Apart(tmp_path, rabbitmq.url(main), rabbitmq.url(metrics), database) as apart:
        gateway = apart.start("actor", "gateway", BEAGLE_PORT="0", BEAGLE_TOKEN="s3cret").serves()
        url = eventually(lambda: [word for word in gateway.said.split() if word.startswith("http://")])
        url = next(each for each in url if f":{gateway.port}" not in each)
        headers = {"Authorization": "Bearer s3cret"}
        (system,) = requests.get(f"{url}/api/v1/systems", headers=headers, timeout=30).json()
        assert system["experimentsLimit"] == 1
        answer = requests.put(f"{url}/api/v1/systems/system", headers=headers, json={"running": True}, timeout=30)
        assert answer.json()["running"] is True
        assert requests.get(f"{url}/api/v1/systems", timeout=30).status_code == 401
        assert gateway.end() == 0
        assert "s3cret" not in gateway.said
        assert "Traceback" not in gateway.said
