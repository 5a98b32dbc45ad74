"""Publishes metrics as training programs do that have a client of RabbitMQ of their own: pika, and nothing of ours."""

from __future__ import annotations

import time

import pika

from bus.routes import METRICS, metric_key
from tests.benchmarks.child import Found, serve

# So many are published before the broker's confirms are read.
AT_ONCE = 50


class Feeder:
    """Many are under way at once, and what the broker refused or lost is seen: a blocking publish knows only one."""

    def __init__(self, url: str) -> None:
        self._connection = pika.BlockingConnection(pika.URLParameters(url))
        self._channel = self._connection.channel()._impl
        self._channel.confirm_delivery(self._confirmed, lambda _: None)
        self.refused = 0
        self._last = 0
        self._unconfirmed: dict[int, None] = {}

    def publish(self, experiment: str, sequence: int, body: bytes, source: str = "train") -> None:
        known = pika.BasicProperties(headers={"source": source, "sequence": sequence}, delivery_mode=2)
        self._channel.basic_publish(METRICS, metric_key(experiment, 1), body, known)
        self._last += 1
        self._unconfirmed[self._last] = None
        if self._last % AT_ONCE == 0:
            self._connection.process_data_events(0)

    def flush(self) -> None:
        """Send what is under way, and take what the broker said."""
        self._connection.process_data_events(0)

    def close(self) -> None:
        while self._unconfirmed:
            self._connection.process_data_events(0.05)
        self._connection.close()

    def _confirmed(self, frame: pika.frame.Method) -> None:
        method = frame.method
        self.refused += isinstance(method, pika.spec.Basic.Nack)
        told = [n for n in self._unconfirmed if n <= method.delivery_tag] if method.multiple else [method.delivery_tag]
        for number in told:
            del self._unconfirmed[number]


def run(url: str, experiments: list[str], metrics: int) -> Found:
    """`metrics` in all, each experiment in its turn; when it began, by the clock of all processes, and how long."""
    feeder, began = Feeder(url), time.monotonic()
    for number in range(metrics):
        turn, which = divmod(number, len(experiments))
        feeder.publish(experiments[which], turn, b"accuracy=0.5 loss=1.5")
    feeder.close()
    return {"began": began, "seconds": time.monotonic() - began, "refused": feeder.refused}


if __name__ == "__main__":
    serve(run)
