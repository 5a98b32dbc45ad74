"""What is no message, over RabbitMQ to actors that are processes: each is answered or buried once, and none dies."""

from __future__ import annotations

import os
import time
from collections import Counter

import pika
import pytest

from bus.rabbitmq import RabbitBus
from bus.routes import METRICS, bindings
from tests.chaos.campaign import is_over
from tests.chaos.deployment import Deployment
from tests.chaos.malformed import malformed
from tests.chaos.oracle import Oracle
from tests.chaos.scenario import RETRIES, ending, sent
from tests.chaos.test_malformed import KEYS, is_taken
from tests.journeys.beagle_run import eventually
from tests.servers.rabbitmq import USER

pytestmark = [pytest.mark.xdist_group("chaos"), pytest.mark.timeout(600)]
COUNT = int(os.environ.get("BEAGLE_MALFORMED_APART", "2000"))
REPLICAS, LIMIT, GOOD = 2, 6, 24
REPLY_TO = "amq.rabbitmq.reply-to"


@pytest.fixture(scope="module")
def deployment(tmp_path_factory):
    with Deployment(tmp_path_factory.mktemp("malformed"), seed=1, count=REPLICAS) as deployment:
        deployment.start(LIMIT)
        yield deployment


class Publisher:
    """Speaks AMQP as any client may. `answers` counts what came back, by what it asked with."""

    def __init__(self, url: str) -> None:
        self._connection = pika.BlockingConnection(pika.URLParameters(url))
        self._channel = self._connection.channel()
        self.answers: Counter[str] = Counter()
        self._channel.basic_consume(REPLY_TO, self._answered, auto_ack=True)

    def send(self, exchange, key, body, headers, *, own=True, kind="", asks_as=""):
        told = pika.BasicProperties(
            headers=headers,
            type=kind or None,
            user_id=USER if own else None,
            reply_to=REPLY_TO if asks_as else None,
            correlation_id=asks_as or None,
        )
        self._channel.basic_publish(exchange, key, body, told)

    def listen(self) -> None:
        self._connection.process_data_events(time_limit=0.1)

    def close(self) -> None:
        self._connection.close()

    def _answered(self, _, __, properties, ___) -> None:
        self.answers[properties.correlation_id] += 1


@pytest.fixture
def publishers(deployment):
    """For commands and events, and for metrics."""
    opened = Publisher(deployment.settings.bus), Publisher(deployment.settings.metrics_bus)
    yield opened
    for each in opened:
        each.close()


@pytest.fixture
def dead(deployment):
    """How many dead letters there are, by their queue."""
    settings = deployment.settings
    bus = RabbitBus(settings.bus, bindings=bindings("local"), metrics_url=settings.metrics_bus)
    yield lambda: Counter(letter.queue for letter in bus.dead_letters(10 * COUNT))
    bus.close()


def headers_of(bad) -> dict:
    """A header CC would lead it to other queues as well: see below."""
    return {name: value for name, value in bad.headers.items() if name != "CC"}


def expected(queue: str) -> int:
    """How many take what is published for a queue: of those that each has for itself, every replica."""
    return REPLICAS if bindings("local")[queue].each else 1


def test_malformed_messages_are_settled_once_and_good_traffic_goes_on(deployment, publishers, dead):
    before, pids, buried, asked = dead(), deployment.pids(), Counter(), {}
    search = ending(GOOD)
    deployment.submit(search)
    for number, (queue, (exchange, key)) in enumerate(KEYS.items()):
        for ordinal, bad in enumerate(malformed(number, COUNT // len(KEYS) + 1, is_taken(queue))):
            publisher = publishers[exchange == METRICS]
            asks_as = f"{queue}/{ordinal}" if ordinal % 3 == 0 else ""
            publisher.send(exchange, key, bad.body, headers_of(bad), kind="MetricsReported", asks_as=asks_as)
            if asks_as:
                asked[asks_as] = expected(queue)
            else:
                buried[queue] += expected(queue)
    eventually(lambda: listened(publishers).total() >= sum(asked.values()))
    eventually(lambda: (dead() - before).total() >= buried.total())
    time.sleep(1)
    assert listened(publishers) == asked
    assert dead() - before == buried
    eventually(lambda: is_over(deployment, GOOD))
    assert deployment.pids() == pids
    assert deployment.ended() == []
    eventually(
        lambda: Oracle(deployment.entries(), deployment.store, LIMIT, sent([search]), None, RETRIES).violations() == []
    )


def listened(publishers) -> Counter[str]:
    found: Counter[str] = Counter()
    for each in publishers:
        each.listen()
        found += each.answers
    return found


@pytest.mark.parametrize("own", [True, False], ids=["own", "stranger"])
def test_a_message_that_its_headers_lead_to_other_queues_is_settled_in_each(deployment, publishers, dead, own):
    before, pids = dead(), deployment.pids()
    others = ["launcher.local.launch_experiment", "queue_manager.fill_places"]
    for bad in malformed(1, 20):
        publishers[0].send("beagle.commands", "gateway.show_system", b"\xff" + bad.body, {"CC": others}, own=own)
    came = {"gateway": 20, "launcher.local": 20, "queue_manager": 20}
    eventually(lambda: dead() - before == came)
    assert deployment.pids() == pids
