"""A flood that programs publish themselves, one message each, twice, out of order and late: stored is what was sent."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Iterator

import pytest

from beagle.stores.sqlite import SqliteStore
from bus.memory import MemoryBus
from bus.rabbitmq import RabbitBus
from bus.routes import METRIC_QUEUES, METRICS, bindings, metric_key
from tests.chaos import flood
from tests.chaos.test_flood import QUEUES, Flooded, Monitor
from tests.journeys.beagle_run import eventually

COUNT = int(os.environ.get("BEAGLE_FLOOD", "100000")) // 10
Raw = tuple[str, bytes, dict[str, str | int], str]


def raw(told: list[flood.Told], seed: int) -> Iterator[Raw]:
    """Key, body, headers and message id: one in six comes twice, and each up to a hundred places from its own."""
    chance = random.Random(seed)
    said = [*told, *chance.sample(told, len(told) // 6)]
    places = {each: place for place, each in enumerate(told)}
    for each in sorted(said, key=lambda one: places[one] + chance.uniform(0, 100)):
        body = json.dumps({"type": "metrics", "metrics": {"loss": each.loss}}).encode()
        key = metric_key(each.experiment, each.attempt)
        if each.source == flood.SOURCES[0]:
            yield key, body, {"source": each.source, "sequence": each.sequence}, ""
        else:
            yield key, body, {}, f"{each.source}/{each.sequence}"


def pour(system: Flooded, told: list[flood.Told], seed: int = 1) -> None:
    """All of it, while two monitors give up and others take over."""
    system.monitors = [Monitor.start(system.world, QUEUES)]
    messages = [*raw(told, seed)]
    for ordinal, (key, body, headers, message_id) in enumerate(messages):
        system.bus.publish_raw(METRICS, key, body, headers=headers, message_id=message_id)
        if ordinal in (len(messages) // 3, len(messages) // 2):
            system.monitors[-1].stop()
            system.monitors.append(Monitor.start(system.world, QUEUES))


def stored(system: Flooded) -> Counter[tuple[str, int, str, float]]:
    """Where from is told by what the client gave: by source and sequence, or by the message's id."""
    return Counter(
        (each.experiment, each.attempt, each.source.partition("/")[0], each.loss)
        for each in flood.stored(system.store, system.ids).elements()
    )


def expected(told: list[flood.Told]) -> Counter[tuple[str, int, str, float]]:
    kinds = dict(zip(flood.SOURCES, ("amqp", "message"), strict=True))
    return Counter((each.experiment, each.attempt, kinds[each.source], each.loss) for each in told)


@pytest.fixture
def embedded(tmp_path):
    system = Flooded(SqliteStore(tmp_path / "beagle.sqlite"), MemoryBus(bindings("here")))
    yield system
    system.close()


def test_what_is_stored_is_what_was_published(embedded):
    told = flood.sent(embedded.ids, COUNT)
    pour(embedded, told)
    eventually(embedded.is_quiet)
    assert stored(embedded) == expected(told)
    assert not embedded.bus.dead_letters(9)
    now = Counter(each.experiment for each in told if each.attempt == flood.ATTEMPTS)
    eventually(lambda: all(embedded.counted(identity) == now[identity] for identity in embedded.running()))


def test_without_what_tells_a_repeat_more_is_stored_than_was_said(embedded):
    """A control: the same without source, sequence and id."""
    embedded.monitors = [Monitor.start(embedded.world, QUEUES)]
    told = flood.sent(embedded.ids, 600)
    for key, body, _, _ in raw(told, 1):
        embedded.bus.publish_raw(METRICS, key, body)
    eventually(embedded.is_quiet)
    assert stored(embedded).total() == 700 > len(told)


def test_the_same_holds_over_a_broker(rabbitmq, hosts, tmp_path):
    main, metrics = (rabbitmq.url(host) for host in hosts)
    bus = RabbitBus(main, bindings=bindings("here"), metrics_url=metrics)
    system = Flooded(SqliteStore(tmp_path / "beagle.sqlite"), bus)
    told = flood.sent(system.ids, COUNT // 5)
    pour(system, told)
    for queue in METRIC_QUEUES:
        rabbitmq.until(f"/queues/{hosts[1]}/{queue}", lambda found: found.get("messages") == 0)
    assert stored(system) == expected(told)
    system.close()
