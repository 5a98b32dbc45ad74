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

EXCHANGE = "beagle.metrics"
# Where the program has no logging, Python would print each lost connection to its standard error.
logging.getLogger("pika").addHandler(logging.NullHandler())
_ACCESS_REFUSED, _NOT_ALLOWED = 403, 530


class Away(Exception):
    """The broker is not there, and what became of the last message is not known. Connect anew, and publish it again.

    `shut_out`: it is there, and lets this program in no more, or not yet.
    """

    def __init__(self, error: Exception) -> None:
        said = " ".join(str(error).split())  # pika's own often say nothing but their class
        super().__init__(f"{type(error).__name__}: {said}" if said else type(error).__name__)
        closed = isinstance(error, ChannelClosedByBroker | ConnectionClosedByBroker)
        refused = isinstance(error, ProbableAuthenticationError | ProbableAccessDeniedError)
        self.shut_out = refused or (closed and error.args[0] in {_ACCESS_REFUSED, _NOT_ALLOWED})


class Wire:
    """Connects when it is made. Whatever goes wrong is `Away`."""

    def __init__(self, url: str) -> None:
        asked = parse_qs(urlsplit(url).query)
        self._exchange, self._key = asked.get("exchange", [EXCHANGE])[0], asked.get("key", [""])[0]
        self.trouble = ""
        try:
            self._connection = BlockingConnection(_parameters(url))
        except Exception as error:
            raise Away(error) from error
        try:
            self._channel = self._connection.channel()
            self._channel.confirm_delivery()
        except Exception as error:
            self.close()
            raise Away(error) from error

    def publish(self, body: bytes, source: str, sequence: int) -> bool:
        """True once it is on disk and in its queue; False when the broker did not take it now, as `trouble` says."""
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
            self.trouble = "its queue takes no more" if isinstance(error, NackError) else "no queue takes it"
            return False
        except Exception as error:
            raise Away(error) from error
        return True

    def tend(self) -> None:
        """Send and answer heartbeats; to be called every few seconds while nothing is published."""
        try:
            self._connection.process_data_events(0)
        except Exception as error:
            raise Away(error) from error

    def close(self) -> None:
        with suppress(AMQPError, OSError):
            self._connection.close()


def _parameters(url: str) -> URLParameters:
    parameters = URLParameters(urlunsplit(urlsplit(url)._replace(query="")))
    parameters.heartbeat = 30
    parameters.connection_attempts = 1
    parameters.socket_timeout = parameters.stack_timeout = 10
    # A broker that is out of memory or disk says so, and then reads nothing: without a bound that lasts for ever.
    parameters.blocked_connection_timeout = 15
    return parameters
