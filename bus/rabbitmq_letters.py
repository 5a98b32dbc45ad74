"""Dead letters as RabbitMQ keeps them: how they are written, and read whether we buried them or the broker."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pika.spec import BasicProperties

from bus.port import DeadLetter, Headers
from bus.rabbitmq_messages import Arrived, properties
from bus.routes import DELIVERY_LIMIT

_OURS = "beagle-"
# The properties of a message must fit into one frame of 128 KiB, or the broker closes the connection. In bytes.
_LONGEST_REASON, _LONGEST_HEADERS = 20_000, 40_000
_AROUND_A_HEADER = 16

_BROKERS_REASONS = {
    "delivery_limit": f"it came back {DELIVERY_LIMIT} times",
    "expired": "it expired in its queue",
    "maxlen": "its queue was full",
    "rejected": "it was rejected",
}


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter with what its replay needs."""

    shown: DeadLetter
    own: bool
    message_id: str
    type: str
    headers: Headers


def buried(arrived: Arrived, reason: str, user: str) -> BasicProperties:
    """The properties with which what arrived is published as a dead letter by `user`."""
    headers = arrived.headers
    if sum(len(f"{key}{value}".encode()) + _AROUND_A_HEADER for key, value in headers.items()) > _LONGEST_HEADERS:
        headers = {}
    told: dict[str, str | int] = {
        "beagle-reason": reason.encode()[:_LONGEST_REASON].decode(errors="ignore"),
        "beagle-queue": arrived.queue,
        "beagle-exchange": arrived.exchange,
        "beagle-key": arrived.key,
        "beagle-own": int(arrived.own),
        "beagle-at": int(time.time() * 1000),
    }
    known = arrived.properties
    return properties(message_id=known.message_id or "", kind=known.type or "", user=user, headers=headers | told)


def letter(arrived: Arrived) -> Letter:
    """Read what came from the queue of the dead: buried by us, or by the broker."""
    told = arrived.headers
    if arrived.own and "beagle-reason" in told:
        queue, exchange, key = (str(told.get(f"beagle-{name}", "")) for name in ("queue", "exchange", "key"))
        reason, own = str(told["beagle-reason"]), bool(told.get("beagle-own"))
        at = int(told.get("beagle-at", 0)) / 1000
    else:
        queue, exchange, key, reason, at = _by_the_broker(arrived)
        own = arrived.own
    message_id = arrived.properties.message_id or ""
    named = "\0".join((queue, exchange, key, message_id, str(at), reason)).encode()
    shown = DeadLetter(
        id=hashlib.sha256(named + b"\0" + arrived.body).hexdigest()[:24],
        queue=queue,
        exchange=exchange,
        key=key,
        body=arrived.body,
        reason=reason,
        at=at,
    )
    headers = {key: value for key, value in told.items() if not key.startswith(_OURS)}
    return Letter(shown, own, message_id, arrived.properties.type or "", headers)


def _by_the_broker(arrived: Arrived) -> tuple[str, str, str, str, float]:
    deaths: Any = (arrived.properties.headers or {}).get("x-death")
    death = deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) else {}
    reason, keys, at = str(death.get("reason", "")), death.get("routing-keys"), death.get("time")
    return (
        str(death.get("queue", "")),
        str(death.get("exchange", arrived.exchange)),
        str(keys[0]) if isinstance(keys, list) and keys else arrived.key,
        _BROKERS_REASONS.get(reason, reason or "its sender said no reason"),
        at.timestamp() if isinstance(at, datetime) else float(arrived.properties.timestamp or 0),
    )
