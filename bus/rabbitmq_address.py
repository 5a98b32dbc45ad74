"""The address of a RabbitMQ broker: read from a URL, and told without its password."""

from __future__ import annotations

from pika import URLParameters
from pika.connection import Parameters

from beagle.errors import InvalidInput

HEARTBEAT = 5
SOCKET_TIMEOUT, STACK_TIMEOUT, BLOCKED_TIMEOUT = 5.0, 10.0, 15.0


def parameters(url: str) -> Parameters:
    try:
        found = URLParameters(url if url.startswith(("amqp://", "amqps://")) else "of another kind")
    except (ValueError, TypeError, IndexError, SyntaxError, AttributeError, OSError) as error:
        # Not its words: they may hold the address, and with it the password.
        raise InvalidInput(["the bus's address must look like amqp://user:password@host:5672/virtual-host"]) from error
    found.heartbeat, found.connection_attempts = HEARTBEAT, 1
    found.socket_timeout, found.stack_timeout = SOCKET_TIMEOUT, STACK_TIMEOUT
    found.blocked_connection_timeout = BLOCKED_TIMEOUT
    return found


def place(parameters: Parameters) -> str:
    """The address of a broker without user and password."""
    return f"{parameters.host}:{parameters.port}, virtual host {parameters.virtual_host}"


def user(parameters: Parameters) -> str:
    """The name without the password."""
    return getattr(parameters.credentials, "username", None) or "guest"
