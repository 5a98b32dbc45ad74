"""What a Docker daemon of a chaos test is asked for shows what went wrong: so what it passes was looked at."""

from __future__ import annotations

import pytest

from beagle.orchestrators.containers.labels import SYSTEM, WORKLOAD
from beagle.stores.sqlite import SqliteStore
from tests.chaos.engines import Daemon
from tests.chaos.oracle import Oracle

pytestmark = pytest.mark.xdist_group("chaos containers")
NAME = f"beagle-{'a' * 24}-1"


def test_a_container_that_ran_twice_and_one_that_still_runs_and_a_network_are_found(tmp_path):
    begin = ["sh", "-c", "echo $BEAGLE_WORKLOAD >> /ledger/began; echo loss=1; sleep $SLEEP"]
    with Daemon(tmp_path) as engine, engine.dockerd.client() as client:

        def start(name: str, seconds: int):
            environment = {"BEAGLE_WORKLOAD": name, "SLEEP": str(seconds)}
            labels = {SYSTEM: "s", WORKLOAD: name}
            places = [f"{tmp_path}/ledger:/ledger"]
            image = engine.dockerd.busybox()
            return client.containers.run(
                image, begin, environment=environment, labels=labels, volumes=places, network_mode="none", detach=True
            )

        twice = start(NAME, 0)
        twice.wait()
        twice.start()
        twice.wait()
        start(f"beagle-{'b' * 24}-1", 600)
        client.networks.create("forgotten")
        store = SqliteStore(tmp_path / "store.sqlite")
        found = Oracle(engine.entries(), store, limit=0, sent=0)
        assert f"{NAME} was started 2 times" in [*found.doubled()]
        assert len([*found.left()]) == 1
        assert len([*found.over()]) == 3
        assert [entry.text for entry in found.entries if entry.what == "say" and entry.name == NAME] == ["loss=1"] * 2
        told = "\n".join(engine.violations())
        store.close()
    assert f"{NAME} says that it began 2 times" in told
    assert "runs" in told
    assert "forgotten is left" in told
