"""Messages as RabbitMQ carries them: what arrived, by whose word, and what is on its way."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from pika.spec import BasicProperties

from beagle.access import STRANGERS
from beagle.errors import BeagleError
from bus.port import Headers
from bus.routes import EVENTS

_PERSISTENT = 2

Done = Callable[[BeagleError | None], None]


@dataclass(frozen=True, slots=True)
class Arrived:
    """One message as the broker delivered it."""

    queue: str
    exchange: str
    key: str
    body: bytes
    properties: BasicProperties

    @property
    def own(self) -> bool:
        """The broker refuses a user's name that is not the sender's."""
        user = self.properties.user_id
        return bool(user) and not user.startswith(STRANGERS)

    @property
    def headers(self) -> dict[str, str | int]:
        """What the sender set; the broker's own are left out."""
        found = self.properties.headers or {}
        return {k: v for k, v in found.items() if isinstance(v, str | int) and not k.startswith("x-")}

    @property
    def returned(self) -> int:
        """How often it was handed out before, as a quorum queue counts."""
        count = (self.properties.headers or {}).get("x-delivery-count", 0)
        return count if isinstance(count, int) else 0


@dataclass(slots=True)
class Publication:
    """One message on its way; `done` is called once, with what went wrong or None, in the link's thread."""

    exchange: str
    key: str
    body: bytes
    properties: BasicProperties
    done: Done
    mandatory: bool = False
    returned: bool = False

    def is_like(self, exchange: str, key: str, body: bytes) -> bool:
        return (self.exchange, self.key, self.body) == (exchange, key, body)


def outgoing(exchange: str, key: str, body: bytes, known: BasicProperties) -> Publication:
    """What must be taken by some queue, unless it is an event."""
    return Publication(exchange, key, body, known, lambda _: None, mandatory=exchange != EVENTS)


def properties(
    *, message_id: str = "", kind: str = "", user: str | None = None, headers: Headers | None = None
) -> BasicProperties:
    return BasicProperties(  # type: ignore[no-untyped-call]
        content_type="application/json" if kind else "application/octet-stream",
        delivery_mode=_PERSISTENT,
        message_id=message_id or None,
        type=kind or None,
        timestamp=int(time.time()),
        user_id=user,
        headers=dict(headers) if headers else None,
    )
