"""Tries a RabbitMQ virtual host out: everything that the actors need of it, once, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

from beagle.errors import Unavailable
from beagle.message import new_id
from bus.rabbitmq_address import parameters, place
from bus.rabbitmq_faults import fault


def probe(url: str) -> str:
    """What the broker is, in a few words. Raises `Unavailable` with what is wrong, `InvalidInput` for no address."""
    asked = parameters(url)
    try:
        with _connected(asked) as connection:
            properties = connection._impl.server_properties or {}  # noqa: SLF001 - pika has no other way to them
            _work(connection.channel())
    except (AMQPError, OSError) as error:
        raise Unavailable(fault(error, asked).sentence) from error
    product, version = (_text(properties.get(name)) for name in ("product", "version"))
    return f"{product} {version} at {place(asked)}"


@contextmanager
def _connected(asked: pika.connection.Parameters) -> Iterator[pika.BlockingConnection]:
    connection = pika.BlockingConnection(asked)
    try:
        yield connection
    finally:
        if connection.is_open:
            connection.close()


def _work(channel: BlockingChannel) -> None:
    """Exchange, quorum queue, binding, a confirmed message, and the message back."""
    name = f"beagle.doctor.{new_id()}"
    channel.exchange_declare(name, "topic", durable=False, auto_delete=True)
    channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum"})
    try:
        channel.queue_bind(name, name, "#")
        channel.confirm_delivery()
        channel.basic_publish(name, "well", b"?", mandatory=True)
        frame, _, _ = channel.basic_get(name, auto_ack=True)
        if frame is None:
            raise Unavailable("a message that the broker confirmed did not come back")
    finally:
        if channel.is_open:
            channel.queue_delete(name)


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value or "a broker")
