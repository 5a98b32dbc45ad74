"""Takes a training program's reports to RabbitMQ or a gateway, from a thread of its own: training never waits for them.

What is not there yet waits in memory, bounded. At the program's end there is a bound for it too, and a sentence about
what did not arrive. The standard library only, until something is reported.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import random
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from beagle.report_away import Away, Busy, Refused

# Reports that wait: a few minutes of a busy program, and a few megabytes.
MOST_WAITING = 10_000
# Seconds that the end of a program waits for whoever takes reports; BEAGLE_REPORT_WAIT says otherwise.
LONGEST_WAIT = 30.0
# Seconds that it waits for one that does not let it in: an attempt that is over is over.
_SHUT_OUT_WAIT = 2.0
_TEND_EVERY = 1.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0


@dataclass(frozen=True, slots=True)
class _Item:
    sequence: int
    body: bytes
    last: bool


class _Wire(Protocol):
    """`beagle.report_pika.Wire` or `beagle.report_http.Wire`, whichever was loaded."""

    def publish(self, body: bytes, source: str, sequence: int) -> None: ...

    def tend(self) -> None: ...

    def close(self) -> None: ...


class Publisher:
    """The reports of this process to one address. `put` from any thread."""

    def __init__(self, url: str, wire: Callable[[str], _Wire], *, most: int = MOST_WAITING) -> None:
        service = os.environ.get("BEAGLE_SERVICE") or "main"
        self._url, self._wire, self._most = url, wire, most
        self.source = f"{service}-{os.getpid()}-{os.urandom(6).hex()}"
        self._changed = threading.Condition()
        self._waiting: deque[_Item] = deque()
        self._sending: _Item | None = None
        self._count = 0
        self._closing = False
        self.dropped = 0
        # Those that will never be taken.
        self.refused = 0
        self.trouble = ""
        self._shut_out = False
        self._thread = threading.Thread(target=self._run, name="beagle.report", daemon=True)
        self._thread.start()

    def put(self, line: str, *, last: bool = False) -> None:
        """Returns at once. When too many wait the oldest goes, but never a `last` one, and never this one."""
        with self._changed:
            self._waiting.append(_Item(self._count, line.encode(), last))
            self._count += 1
            if len(self._waiting) > self._most:
                self._drop_oldest()
            self._changed.notify_all()

    def flush(self, seconds: float) -> int:
        """Wait until all has arrived, at most so long; how many have not."""
        start = time.monotonic()

        def done() -> bool:
            spent = time.monotonic() - start
            return not self._left() or spent >= (min(seconds, _SHUT_OUT_WAIT) if self._shut_out else seconds)

        with self._changed:
            while not done():
                self._changed.wait(0.05)
            return self._left()

    def close(self) -> None:
        """Take leave of whoever takes reports. What waits is lost."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(1.0)

    def _left(self) -> int:
        return len(self._waiting) + (self._sending is not None)

    def _drop_oldest(self) -> None:
        for place, item in enumerate(self._waiting):
            if not item.last and place < len(self._waiting) - 1:
                del self._waiting[place]
                self.dropped += 1
                return

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._closing:
            try:
                wire = self._wire(self._url)
                self._shut_out, pause = False, _FIRST_PAUSE
                try:
                    self._publish(wire)
                finally:
                    wire.close()
            except Away as error:
                self._shut_out, self.trouble = error.shut_out, str(error)
                pause = self._rest(pause)

    def _publish(self, wire: _Wire) -> None:
        """Until this is closed. One at a time: what became of each is known before the next."""
        pause = _FIRST_PAUSE
        while not self._closing:
            item = self._next()
            if item is None:
                wire.tend()
                continue
            settled = False
            try:
                wire.publish(item.body, self.source, item.sequence)
                settled, self._shut_out, pause = True, False, _FIRST_PAUSE
            except Refused as error:
                settled = True
                self._refuse(str(error))
            except Busy as error:
                self.trouble = str(error)
                pause = max(pause, error.seconds)
            finally:
                self._settle(item, settled=settled)
            if not settled:
                pause = self._rest(pause)

    def _refuse(self, sentence: str) -> None:
        self.refused += 1
        tell(f"a report was not taken, and is not sent again: {sentence}")

    def _next(self) -> _Item | None:
        with self._changed:
            if not self._waiting and not self._closing:
                self._changed.wait(_TEND_EVERY)
            if self._closing or not self._waiting:
                return None
            self._sending = self._waiting.popleft()
            return self._sending

    def _settle(self, item: _Item, *, settled: bool) -> None:
        with self._changed:
            self._sending = None
            if not settled:
                self._waiting.appendleft(item)
            self._changed.notify_all()

    def _rest(self, pause: float) -> float:
        """For a random part of the pause: not all programs at once. The next pause."""
        until = time.monotonic() + pause * random.uniform(0.5, 1.0)  # noqa: S311 - nothing is secret about it
        with self._changed:
            while not self._closing and time.monotonic() < until:
                self._changed.wait(max(0.0, until - time.monotonic()))
        return min(_LONGEST_PAUSE, pause * 2)


_PORTS = {"amqp": 5672, "amqps": 5671, "http": 80}
# Of this process: a forked child has none yet, and its parent's reports are its parent's.
_publishers: dict[str, Publisher] = {}
_lock = threading.Lock()


def send(url: str, line: str, *, last: bool = False) -> None:
    """Returns at once, but for the last line of an experiment: that is waited for, within a bound."""
    over_amqp = url.startswith(("amqp://", "amqps://"))
    if over_amqp and importlib.util.find_spec("pika") is None:
        tell("pika is not installed here, so reports are printed, where Beagle reads them too")
        print(line, flush=True)  # noqa: T201 - as said
        return
    # Here and not in the thread: a child that is forked while a thread loads a module could never load it itself.
    wire = _over_amqp() if over_amqp else _over_http()
    with _lock:
        publisher = _publishers.get(url)
        if publisher is None:
            if over_amqp and "key=" not in urlsplit(url).query:
                raise ValueError("BEAGLE_REPORT_URL names no routing key: it must end with ?key=metric.…")
            publisher = _publishers[url] = Publisher(url, wire)
            _flush_at_exit()
    publisher.put(line, last=last)
    if last:
        publisher.flush(_longest_wait())


def _over_amqp() -> Callable[[str], _Wire]:
    from beagle.report_pika import Wire  # noqa: PLC0415 - a third of a second, only where it is needed

    return Wire


def _over_http() -> Callable[[str], _Wire]:
    from beagle.report_http import Wire  # noqa: PLC0415 - 50 ms, the same

    return Wire


def _finish() -> None:
    """What has not arrived is waited for, then told."""
    for url, publisher in list(_publishers.items()):
        left = publisher.flush(_longest_wait())
        publisher.close()
        lost = left + publisher.dropped
        if lost:
            place = urlsplit(url)
            where = f"{place.hostname}:{place.port or _PORTS.get(place.scheme, 443)}"
            tell(f"{lost} reports did not arrive at {where} ({publisher.trouble})")
        if publisher.refused > 1:
            tell(f"{publisher.refused} reports were not taken")
    _publishers.clear()


def _flush_at_exit() -> None:
    # A child of `multiprocessing` ends without `atexit`: it has finalizers of its own.
    processes = sys.modules.get("multiprocessing.util")
    if processes is not None and os.getpid() != _main:
        processes.Finalize(None, _finish, exitpriority=0)


def _forget() -> None:
    global _lock  # noqa: PLW0603 - another thread of the parent may hold it, and is not in the child
    _publishers.clear()
    _lock = threading.Lock()


def _longest_wait() -> float:
    try:
        return float(os.environ.get("BEAGLE_REPORT_WAIT", LONGEST_WAIT))
    except ValueError:
        return LONGEST_WAIT


def tell(sentence: str) -> None:
    """To the user, once."""
    if sentence not in _told:
        _told.add(sentence)
        print(f"beagle: {sentence}", file=sys.stderr, flush=True)  # noqa: T201 - there is no other way to a user here


_told: set[str] = set()
_main = os.getpid()
atexit.register(_finish)
os.register_at_fork(after_in_child=_forget)
