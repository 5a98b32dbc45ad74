"""What pika and the store allow: take what has come, insert it in one call, acknowledge it in one, and again."""

from __future__ import annotations

import resource
import time

import pika

from actors.base import METRICS_PREFETCH
from beagle.records import Metric
from beagle.stores.mongodb import MongoStore
from bus.routes import METRIC_QUEUES
from tests.benchmarks.child import Found, serve


def run(url: str, database: str, metrics: int) -> Found:
    """Until so many are stored; the seconds of processor time that it took."""
    store = MongoStore(database)
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.basic_qos(prefetch_count=METRICS_PREFETCH)
    batch: list[Metric] = []
    last = 0

    def take(_: object, method: pika.spec.Basic.Deliver, properties: pika.BasicProperties, body: bytes) -> None:
        nonlocal last
        last = method.delivery_tag
        batch.append(_metric(method.routing_key, properties.headers, body))

    for queue in METRIC_QUEUES:
        channel.basic_consume(queue, take)
    used, stored = _used(), 0
    while stored < metrics:
        connection.process_data_events(time_limit=0.1)
        if batch:
            store.append(batch)
            channel.basic_ack(last, multiple=True)
            stored += len(batch)
            batch.clear()
    used = _used() - used
    connection.close()
    store.close()
    return {"cpu": used}


def _metric(key: str, headers: dict[str, object], body: bytes) -> Metric:
    experiment, _, attempt = key.rpartition(".")[2].rpartition("-")
    pairs = (pair.split("=") for pair in body.decode().split())
    return Metric(
        experiment=experiment,
        attempt=int(attempt),
        source=str(headers["source"]),
        sequence=int(str(headers["sequence"])),
        time=time.time(),
        values={name: float(value) for name, value in pairs},
    )


def _used() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    serve(run)
