"""One connection to RabbitMQ in a thread of its own, which comes back whenever it was lost.

A connection of pika belongs to one thread. Here that is the link's own, and `call` is the way to it from any other.
"""

from __future__ import annotations

import copy
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from pika.adapters.select_connection import IOLoop, SelectConnection
from pika.channel import Channel
from pika.connection import Connection, Parameters
from pika.exceptions import ChannelClosedByBroker

from bus.rabbitmq_address import place
from bus.rabbitmq_faults import Fault, fault

log = logging.getLogger(__name__)

# Full jitter: many processes that lost one broker do not come back in step.
SOONEST, LATEST = 0.1, 10.0
# A connection that held this long was a good one: the next loss begins anew.
GOOD_AFTER = 10.0
BEAT = 0.5
CLOSE_WITHIN = 3.0


class User(Protocol):
    """What a connection is for. All of it runs in the link's thread."""

    def open(self, ready: Callable[[], None]) -> None:
        """The connection is there: open channels, declare, consume, and then call `ready`."""

    def lost(self) -> None:
        """It is gone, with its channels and all that was under way on them."""


class Link:
    """`ready` and `fault` may be read from any thread; the last loss's fault stays until the link is ready again."""

    def __init__(self, parameters: Parameters, name: str, user: User) -> None:
        self.parameters, self.name = copy.copy(parameters), name
        # A broker that is low on disk or memory says when it takes messages again: to come anew would change nothing.
        self.parameters.blocked_connection_timeout = None
        self.ready = False
        self.fault = Fault(f"the broker at {place(parameters)} is not connected yet")
        self.reconnected: list[Callable[[], None]] = []
        self._user = user
        self._work: deque[Callable[[], None]] = deque()
        self._called = False
        self._loop = IOLoop()
        self._connection: SelectConnection | None = None
        self._settled = threading.Event()
        self._given_up: Fault | None = None
        self._closing = self._stopped = self._coming = False
        self._tries = 0
        self._ready_since: float | None = None
        self._turned = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=f"rabbitmq-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def settle(self, timeout: float) -> None:
        """Wait until it is ready for the first time, or has failed to become so."""
        self._settled.wait(timeout)

    def call(self, work: Callable[[], None]) -> None:
        """Run `work` soon in the link's thread, whether it is connected or not, in the order of the calls."""
        self._work.append(work)
        if not self._called:  # one wake for many
            self._called = True
            self._loop.add_callback_threadsafe(self._drain)

    def later(self, seconds: float, work: Callable[[], None]) -> None:
        """Run `work` after a while; only to be called in the link's thread."""
        self._loop.call_later(seconds, work)

    def run(self, work: Callable[[], None]) -> None:
        """Run `work` now, and log its mistake: pika takes one in a callback for a lost connection, and is silent."""
        try:
            work()
        except Exception:
            log.exception("%s failed", self._thread.name)
            raise

    def is_own_thread(self) -> bool:
        return threading.current_thread() is self._thread

    def wait(self, event: threading.Event, timeout: float) -> None:
        """Wait for what was called; not in the link's own thread, and not once that has ended."""
        deadline = time.monotonic() + timeout
        while not self.is_own_thread() and self._thread.is_alive() and time.monotonic() < deadline:
            if event.wait(0.1):
                return

    def silence(self) -> float:
        return time.monotonic() - self._turned

    def channel(self, then: Callable[[Channel], None]) -> None:
        """Open a channel; when the broker closes or cancels anything on it, the whole connection begins anew."""
        if self._connection is None or not self._connection.is_open:
            return

        def opened(channel: Channel) -> None:
            channel.add_on_cancel_callback(lambda _: self.fail(Fault(f"{place(self.parameters)}: a queue went away")))
            then(channel)

        self._connection.channel(on_open_callback=opened).add_on_close_callback(self._channel_closed)

    def fail(self, reason: Fault) -> None:
        """Give this connection up for the next."""
        self._given_up = self._given_up or reason
        if self._connection is not None and self._connection.is_open:
            self._connection.close()

    def on_blocked(self, blocked: Callable[[], None], unblocked: Callable[[], None]) -> None:
        """Tell when the broker takes no more messages over this connection, and when it does again."""
        if self._connection is not None:
            self._connection.add_on_connection_blocked_callback(lambda *_: blocked())
            self._connection.add_on_connection_unblocked_callback(lambda *_: unblocked())

    def close(self) -> None:
        """What was called before is done and sent; then the connection is closed and the thread ends."""
        self.call(self._end)
        self._thread.join(2 * CLOSE_WITHIN)

    # In the link's thread

    def _run(self) -> None:
        self._beat()
        self._loop.add_callback(self._connect)
        while not self._stopped:
            try:
                self._loop.start()
            except Exception:  # a mistake in one callback must not end all traffic: log it, and connect anew
                log.exception("%s failed", self._thread.name)
                self.fail(Fault("a mistake of our own, which the log tells"))
                self._loop.add_callback(self._drain)  # what waited behind it
                if self._connection is None:
                    self._come_again()
        self._loop.close()

    def _beat(self) -> None:
        self._turned = time.monotonic()
        self._loop.call_later(BEAT, self._beat)

    def _drain(self) -> None:
        self._called = False
        while self._work:
            self._work.popleft()()

    def _come_again(self) -> None:
        if not self._coming and not self._closing:
            self._coming = True
            self._loop.call_later(self._delay(), self._connect)

    def _connect(self) -> None:
        self._coming = False
        if self._closing:
            return
        self._connection = SelectConnection(
            self.parameters,
            on_open_callback=lambda _: self._user.open(self._is_ready),
            on_open_error_callback=self._lost,
            on_close_callback=self._lost,
            custom_ioloop=self._loop,
        )

    def _is_ready(self) -> None:
        again = self._settled.is_set()
        log.info("%s: connected to %s", self.name, place(self.parameters))
        self.ready, self._ready_since = True, time.monotonic()
        self._settled.set()
        if again:
            for tell in list(self.reconnected):
                tell()

    def _channel_closed(self, _: Channel, reason: BaseException) -> None:
        if isinstance(reason, ChannelClosedByBroker):
            self.fail(fault(reason, self.parameters))

    def _lost(self, _: Connection, error: BaseException) -> None:
        found = self._given_up or fault(error, self.parameters)
        if not self._closing and (self.ready or found != self.fault):  # one line for each change, not for each try
            log.log(logging.ERROR if found.lasting else logging.WARNING, "%s: %s", self.name, found.sentence)
        self.fault, self._given_up = found, None
        self.ready, self._connection = False, None
        self._come_again()
        self._settled.set()
        self._user.lost()
        if self._closing:
            self._stop()

    def _delay(self) -> float:
        if self._ready_since is not None and time.monotonic() - self._ready_since > GOOD_AFTER:
            self._tries = 0
        self._ready_since = None
        self._tries += 1
        if self.fault.lasting:
            return LATEST
        return random.uniform(SOONEST, min(LATEST, SOONEST * 2.0**self._tries))  # noqa: S311 - no secret

    def _end(self) -> None:
        self._closing = True
        if self._connection is None or self._connection.is_closed:
            self._stop()
            return
        self._loop.call_later(CLOSE_WITHIN, self._stop)
        if not self._connection.is_closing:
            self._connection.close()

    def _stop(self) -> None:
        self._stopped = True
        self._loop.stop()
