"""Docker engines that come and go, and the networks that are found there: each test has an engine of its own."""

from __future__ import annotations

import pytest

from beagle.errors import InvalidInput, Unavailable
from beagle.orchestrators.containers import network
from beagle.orchestrators.containers.engine import Engine
from beagle.ports import Line
from beagle.settings import Settings
from tests.contracts.workloads import Seen, program, workload
from tests.contracts.worlds import BoxedOrchestrator
from tests.servers.dockerd import Dockerd


@pytest.fixture
def own(tmp_path):
    started = Dockerd.start_new(tmp_path / "dockerd")
    yield started
    started.kill()


@pytest.fixture
def opened(own, tmp_path):
    own.busybox()
    settings = Settings(network="none", trusted="yes")
    made, seen = BoxedOrchestrator(tmp_path / "state", url=own.url, settings=settings, system="s"), Seen()
    made.bound = tmp_path
    made.watch(seen)
    yield made, seen
    made.close()


def test_what_dies_with_its_engine_is_lost_and_is_not_run_again(own, opened):
    orchestrator, seen = opened
    job = workload(program("say up; wait 600", grace=0.1))
    orchestrator.start(job)
    seen.wait(job.name, Line, "up")
    own.kill_daemon()
    with pytest.raises(Unavailable, match=r"is not there: start it|went away while it was asked"):
        orchestrator.list()
    own.start_daemon()
    assert seen.ended(job.name).lost
    assert "went down" in seen.ended(job.name).error
    assert orchestrator.list() == [job.name]


def test_an_engine_that_hangs_for_a_while_loses_nothing(own, opened):
    orchestrator, seen = opened
    job = workload(program("say one; wait 1; say two; exit 3"))
    orchestrator.start(job)
    seen.wait(job.name, Line, "one")
    own.hang()
    with pytest.raises(Unavailable, match="did not answer in"):
        orchestrator.list()
    own.go_on()
    assert seen.ended(job.name).status == 3
    assert seen.lines(job.name) == ["one", "two"]


def test_containers_join_the_network_that_is_meant(own):
    engine = Engine(own.url)
    with own.client() as client:
        assert network.found(engine, Settings()) == "bridge"
        assert network.found(engine, Settings(network="none")) == "none"
        client.networks.create("my-beagleml-net")
        client.networks.create("another")
        assert network.found(engine, Settings()) == "my-beagleml-net"
        assert network.found(engine, Settings(network="another")) == "another"
        with pytest.raises(InvalidInput, match='no network "nowhere"'):
            network.found(engine, Settings(network="nowhere"))
        client.networks.create("your-beagleml-net")
        with pytest.raises(InvalidInput, match="my-beagleml-net, your-beagleml-net: name one in BEAGLE_NETWORK"):
            network.found(engine, Settings())
    engine.close()
