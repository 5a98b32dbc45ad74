"""One connection to RabbitMQ, for one thread, from a training program. Loaded only when a program reports over it."""

from __future__ import annotations

import encodings.idna  # noqa: F401 - to look a name up loads it, and that must not be in a thread
import logging
import time
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit, urlunsplit

from pika import BasicProperties, BlockingConnection, URLParameters
from pika.exceptions import (
    AMQPError,
    ChannelClosedByBroker,
    ConnectionClosedByBroker,
    NackError,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
    UnroutableError,
)

from beagle.report_away import Away, Busy

EXCHANGE = "beagle.metrics"
# Where the program has no logging, Python would print each lost connection to its standard error.
logging.getLogger("pika").addHandler(logging.NullHandler())
_ACCESS_REFUSED, _NOT_ALLOWED = 403, 530


class Wire:
    """Connects when it is made. Whatever goes wrong is `Away`."""

    def __init__(self, url: str) -> None:
        asked = parse_qs(urlsplit(url).query)
        self._exchange, self._key = asked.get("exchange", [EXCHANGE])[0], asked.get("key", [""])[0]
        try:
            self._connection = BlockingConnection(_parameters(url))
        except Exception as error:
            raise _away(error) from error
        try:
            self._channel = self._connection.channel()
            self._channel.confirm_delivery()
        except Exception as error:
            self.close()
            raise _away(error) from error

    def publish(self, body: bytes, source: str, sequence: int) -> None:
        """Returns once it is on disk and in its queue. Raises `Away` and `Busy`."""
        properties = BasicProperties(  # type: ignore[no-untyped-call] # its other parameters have types
            content_type="application/json" if body.startswith(b"{") else "text/plain",
            delivery_mode=2,
            message_id=f"{source}/{sequence}",
            headers={"source": source, "sequence": sequence},
            timestamp=int(time.time()),
        )
        try:
            self._channel.basic_publish(self._exchange, self._key, body, properties, mandatory=True)
        except (NackError, UnroutableError) as error:
            full = isinstance(error, NackError)
            raise Busy("its queue takes no more" if full else "no queue takes it") from error
        except Exception as error:
            raise _away(error) from error

    def tend(self) -> None:
        """Send and answer heartbeats; to be called every few seconds while nothing is published."""
        try:
            self._connection.process_data_events(0)
        except Exception as error:
            raise _away(error) from error

    def close(self) -> None:
        with suppress(AMQPError, OSError):
            self._connection.close()


def _away(error: Exception) -> Away:
    said = " ".join(str(error).split())  # pika's own often say nothing but their class
    closed = isinstance(error, ChannelClosedByBroker | ConnectionClosedByBroker)
    refused = isinstance(error, ProbableAuthenticationError | ProbableAccessDeniedError)
    shut_out = refused or (closed and error.args[0] in {_ACCESS_REFUSED, _NOT_ALLOWED})
    return Away(f"{type(error).__name__}: {said}" if said else type(error).__name__, shut_out=shut_out)


def _parameters(url: str) -> URLParameters:
    parameters = URLParameters(urlunsplit(urlsplit(url)._replace(query="")))
    parameters.heartbeat = 30
    parameters.connection_attempts = 1
    parameters.socket_timeout = parameters.stack_timeout = 10
    # A broker that is out of memory or disk says so, and then reads nothing: without a bound that lasts for ever.
    parameters.blocked_connection_timeout = 15
    return parameters
