"""Whose a message on the metrics' exchange is. The routing key alone says so: a broker holds each experiment to its
own, while the message itself may claim anything."""

from __future__ import annotations

import re
from dataclasses import dataclass

from beagle.errors import InvalidInput
from bus.routes import METRIC_QUEUES, METRICS_TOPIC_QUEUE, metric_key, shard

_KEY = re.compile(r"metric\.[^.]+\.([0-9a-f]{24})-([1-9][0-9]{0,8})")
_TOPIC = re.compile(r"([0-9a-f]{24})-metrics")


@dataclass(frozen=True, slots=True)
class Speaker:
    """An attempt of an experiment (None: the current one), and the queue by which its messages come."""

    experiment: str
    attempt: int | None
    queue: str


def topic(experiment: str) -> str:
    """What images of the original publish with: METRICS_TOPIC, the same for every attempt."""
    return f"{experiment}-metrics"


def speaker(key: str) -> Speaker:
    """Raises `InvalidInput` for a key that is nobody's."""
    by_topic = _TOPIC.fullmatch(key)
    if by_topic is not None:
        return Speaker(by_topic[1], None, METRICS_TOPIC_QUEUE)
    found = _KEY.fullmatch(key)
    if found is None:
        raise InvalidInput([f"{key:.200} is no routing key of metrics; BEAGLE_METRICS_KEY holds an experiment's"])
    experiment, attempt = found[1], int(found[2])
    right = metric_key(experiment, attempt)
    if key != right:
        raise InvalidInput([f"{key:.200} is not the key of that experiment's metrics, which is {right}"])
    return Speaker(experiment, attempt, METRIC_QUEUES[shard(experiment)])
