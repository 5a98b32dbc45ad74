"""What is no message, in great numbers, on every queue: no actor dies, each is answered or buried once, and work goes
on meanwhile."""

from __future__ import annotations

import os

import pytest

from actors import live, main
from actors.gateway import Gateway
from actors.heuristic import HeuristicActor
from actors.launcher import Launcher
from actors.monitor import Monitor
from actors.queue_manager import QueueManager
from actors.watch import ExperimentMonitor
from beagle.messages import decode
from bus.routes import COMMANDS, EVENTS, METRICS, bindings, fits, shard
from tests.chaos.malformed import malformed
from tests.chaos.settling import SettlingBus
from tests.journeys.beagle_run import OwnRun, eventually, search, shell

COUNT = int(os.environ.get("BEAGLE_MALFORMED", "20000"))
GOOD = 30
NOBODY = "e" * 24
ACTORS = {
    "gateway": Gateway,
    "queue_manager": QueueManager,
    "heuristic": HeuristicActor,
    "local": Launcher,
    "monitor": Monitor,
}
KEYS = {
    "gateway": (COMMANDS, "gateway.show_system"),
    "queue_manager": (COMMANDS, "queue_manager.fill_places"),
    "launcher.local": (COMMANDS, "launcher.local.launch_experiment"),
    "stops.local": (COMMANDS, "launcher.local.stop_workload"),
    "events.heuristic": (EVENTS, f"experiment.completed.{NOBODY}"),
    "events.monitor": (EVENTS, f"experiment.queue.{NOBODY}"),
} | {f"metrics.{shard(f'{n:024x}')}": (METRICS, f"metric.{shard(f'{n:024x}')}.{n:024x}-1") for n in range(50)}


def test_there_is_a_key_for_each_queue():
    # Whoever serves events over HTTP acknowledges each before it is looked at; tests/http has forged ones.
    assert set(KEYS) == set(bindings("local")) - {live.QUEUE}
    for queue, (exchange, key) in KEYS.items():
        binding = bindings("local")[queue]
        assert exchange == binding.exchange
        assert any(fits(pattern, key) for pattern in binding.patterns)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(main, "MemoryBus", SettlingBus)
    with OwnRun(tmp_path) as run:
        yield run


def is_taken(queue):
    """Whether the actor of a queue would take this body, so that it is not malformed there."""
    actor = ExperimentMonitor if queue.startswith("metrics") else ACTORS[queue.split(".")[-1]]
    return lambda body: type(decode(body)) in actor.handles


def test_many_malformed_messages_on_every_queue_are_settled_once_and_good_traffic_goes_on(run):
    bus, sent = run.world.bus, {}
    run.submit(search(shell("echo a=1; sleep 0.2; echo a=2"), GOOD))
    each = COUNT // len(KEYS) + 1
    for number, (queue, (exchange, key)) in enumerate(KEYS.items()):
        for ordinal, bad in enumerate(malformed(number, each, is_taken(queue))):
            identity, asks = f"{queue}/{ordinal}", ordinal % 3 == 0
            sent[identity] = (queue, asks, bad.how)
            bus.send(exchange, key, bad.body, identity, bad.headers, own=True, asks=asks)
    eventually(lambda: bus.acked.total() + bus.buried.total() >= len(sent))
    run.wait()
    assert run.states() == ["completed"] * GOOD
    assert all([m["values"] for m in run.metrics(n)] == [{"a": 1}, {"a": 2}] for n in range(1, GOOD + 1))
    assert all(actor.is_alive() for actor in run.session._system._actors)
    eventually(bus.is_quiet)
    for identity, (queue, asks, how) in sent.items():
        settled = (bus.acked[queue, identity], bus.buried[queue, identity], bus.answered[identity])
        assert settled == ((1, 0, 1) if asks else (0, 1, 0)), (identity, how)


@pytest.mark.parametrize("own", [False, True], ids=["stranger", "own"])
@pytest.mark.parametrize("words", ["nonsense", "-1", "e-one", f"{NOBODY}-1", f"{NOBODY}-0"])
def test_whoever_publishes_under_whatever_key_of_metrics_harms_nobody(run, words, own):
    bus, key = run.world.bus, f"metric.0.{words}"
    for ordinal, bad in enumerate(malformed(1, 200)):
        bus.send(METRICS, key, bad.body, f"{key}/{ordinal}", bad.headers, own=own, asks=False)
    eventually(bus.is_quiet)
    run.submit(search(shell("echo a=1")))
    run.wait()
    assert [metric["values"] for metric in run.metrics()] == [{"a": 1}]
    assert all(actor.is_alive() for actor in run.session._system._actors)
