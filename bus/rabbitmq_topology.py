"""The exchanges and queues of `bus/routes.py` on RabbitMQ. Declaring what is there already changes nothing.

Queues are quorum queues: what was confirmed survives a broker that is killed. They are bounded and refuse what is too
much, and what cannot be handled goes to one more queue, at least once, with its reason.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from pika.channel import Channel
from pika.frame import Method
from pika.spec import Queue

from bus.routes import DEAD, DELIVERY_LIMIT, LARGEST_QUEUE, Binding

DEAD_QUEUE = "dead"
# RabbitMQ 4 gives a queue a limit of 20 when it names none, and looking at a dead letter counts.
_NO_LIMIT = 2**31 - 1
# A quorum queue refuses only once it is longer than its limit.
_ONE_OVER = 1
_LONGEST_DEAD = 100_000


def shared(name: str, binding: Binding, longest: int) -> dict[str, str | int | bool]:
    """The arguments of a queue that all its consumers share."""
    arguments: dict[str, str | int | bool] = {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-max-length": longest - _ONE_OVER,
        "x-max-length-bytes": LARGEST_QUEUE,
        "x-overflow": "reject-publish",
        "x-dead-letter-exchange": DEAD,
        # Named, or it would follow the CC header of whoever sent the message.
        "x-dead-letter-routing-key": name,
        "x-dead-letter-strategy": "at-least-once",
    }
    return arguments | ({"x-single-active-consumer": True} if binding.single else {})


def private(longest: int) -> dict[str, str | int]:
    """The arguments of a queue that one consumer has for itself."""
    return {
        "x-queue-type": "classic",
        "x-max-length": longest,
        "x-max-length-bytes": LARGEST_QUEUE,
        "x-overflow": "drop-head",
    }


_DEAD_ARGUMENTS: dict[str, str | int | bool] = {
    "x-queue-type": "quorum",
    "x-delivery-limit": _NO_LIMIT,
    "x-max-length": _LONGEST_DEAD,
    "x-max-length-bytes": LARGEST_QUEUE,
    "x-overflow": "reject-publish",
}

_Step = Callable[[Channel, Callable[[object], None]], None]


def declare(channel: Channel, bindings: Mapping[str, Binding], longest: int, then: Callable[[], None]) -> None:
    """Declare all that is not there yet, one after the other, and call `then`."""
    steps = deque(_steps(bindings, longest))

    def following(_: object = None) -> None:
        if steps:
            steps.popleft()(channel, following)
        else:
            then()

    following()


def _steps(bindings: Mapping[str, Binding], longest: int) -> list[_Step]:
    if not bindings:
        return []  # a front end: it may not declare anything, and need not
    exchanges = [*dict.fromkeys(binding.exchange for binding in bindings.values()), DEAD]
    steps = [_exchange(name) for name in exchanges]
    steps += [_queue(DEAD_QUEUE, _DEAD_ARGUMENTS), _bind(DEAD_QUEUE, DEAD, "#")]
    for name, binding in bindings.items():
        if not binding.each:
            steps.append(_queue(name, shared(name, binding, longest)))
            steps += [_bind(name, binding.exchange, pattern) for pattern in binding.patterns]
    return steps


def _exchange(name: str) -> _Step:
    return lambda channel, then: channel.exchange_declare(name, "topic", durable=True, callback=then)


def _queue(name: str, arguments: Mapping[str, str | int | bool]) -> _Step:
    return lambda channel, then: channel.queue_declare(name, durable=True, arguments=dict(arguments), callback=then)


def _bind(queue: str, exchange: str, pattern: str) -> _Step:
    return lambda channel, then: channel.queue_bind(queue, exchange, pattern, callback=then)


def open_private(channel: Channel, binding: Binding, longest: int, then: Callable[[str], None]) -> None:
    """Declare and bind a queue that ends with this connection, and call `then` with its name."""

    def declared(frame: Method[Queue.DeclareOk]) -> None:
        name: str = frame.method.queue
        patterns = deque(binding.patterns)

        def following(_: object = None) -> None:
            if not channel.is_open:
                return
            if patterns:
                channel.queue_bind(name, binding.exchange, patterns.popleft(), callback=following)
            else:
                then(name)

        following()

    channel.queue_declare("", exclusive=True, auto_delete=True, arguments=private(longest), callback=declared)
