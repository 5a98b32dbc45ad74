"""Follows the standard output of one container in a thread of its own, line by line, and tells when it has ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from threading import Event, Thread

from beagle.errors import Unavailable
from beagle.orchestrators.containers import labels
from beagle.orchestrators.containers.engine import Answered, Engine, Facts, hang_up
from beagle.orchestrators.containers.kept import Kept, line
from beagle.orchestrators.tail import LONGEST, Found
from beagle.ports import Line

log = logging.getLogger(__name__)
RETRY = 0.3
Write = Callable[[bytes, int], None]


class Lines:
    """Splits a stream into lines as `Tail` does a file; holds one cut line."""

    def __init__(self) -> None:
        self.position = 0
        self._begin = self._length = 0
        self._held = bytearray()

    def take(self, piece: bytes) -> Iterator[Found]:
        *complete, rest = piece.split(b"\n")
        self.position += len(piece)
        for part in complete:
            yield self._line(part, ends=1)
        self._hold(rest)

    def last(self) -> Iterator[Found]:
        if self._length:
            yield self._line(b"", ends=0)

    def _hold(self, part: bytes) -> None:
        self._held += part[: LONGEST - len(self._held)]
        self._length += len(part)

    def _line(self, part: bytes, *, ends: int) -> Found:
        self._hold(part)
        found = Found(self._begin, self._held.decode(errors="replace").removesuffix("\r"), self._length)
        self._begin += self._length + ends
        self._held.clear()
        self._length = 0
        return found


class Follower:
    """One container that was started. What it wrote is kept; `push` gets its lines.

    `caught_up` is called when all was pushed that an adopted one had written, `ended` with what the engine says of it
    in the end, None when it is not there any more. All are called in the follower's thread.
    """

    def __init__(
        self,
        engine: Engine,
        kept: Kept,
        container: Facts,
        *,
        adopted: bool,
        push: Callable[[Sequence[Line]], None],
        caught_up: Callable[[Follower], None],
        ended: Callable[[Follower, Facts | None], None],
    ) -> None:
        self.id = str(container["Id"])
        self.service = labels.of(container)[labels.SERVICE]
        self.workload = labels.of(container)[labels.WORKLOAD]
        self._engine, self._kept, self._container = engine, kept, container
        self._push, self._caught_up, self._ended = push, caught_up, ended
        self._adopted = adopted
        # Whether the engine was away between its last word of the container and the end of that.
        self.interrupted = False
        self._lines = Lines()
        self._closed = Event()
        self._stream: Iterator[bytes] | None = None
        self._thread = Thread(target=self._run, name=f"beagle-{self.workload}", daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self.look()

    def look(self) -> None:
        """Hang up, and see whether it still runs."""
        stream = self._stream
        if stream is not None:
            hang_up(stream)

    def _run(self) -> None:
        with self._kept.writing(self.workload, self.service, "out") as write:
            there = self._to_its_end(write)
        if self._closed.is_set():
            return
        found = [line(self.workload, self.service, *each) for each in self._lines.last()]
        if found:
            self._push(found)
        if there is not None:
            self._keep_errors()
        self._ended(self, there)

    def _to_its_end(self, write: Write) -> Facts | None:
        """Whatever is read after it was seen to have ended is all there is."""
        there: Facts | None = self._container
        while there is not None and not self._closed.is_set():
            runs = bool(there["State"]["Running"])
            if self._read(write, follow=runs and not self._adopted):
                if not runs:
                    return there
                if self._adopted:
                    self._adopted = False
                    self._caught_up(self)
                    continue
            else:
                self._closed.wait(RETRY)
            there = self._look_again(there)
        return there

    def _look_again(self, before: Facts) -> Facts | None:
        try:
            return self._engine.inspect(self.id)
        except (Unavailable, Answered) as error:
            log.debug("%s cannot be looked at now: %s", self.workload, error)
            self.interrupted = True
            self._closed.wait(RETRY)
            return before

    def _read(self, write: Write, *, follow: bool) -> bool:
        """Whether the engine gave it. What was read before is passed over."""
        try:
            with self._engine.output(self.id, follow=follow) as pieces:
                self._stream = pieces
                over = self._lines.position
                for piece in pieces:
                    new, over = piece[over:], max(0, over - len(piece))
                    if self._closed.is_set():
                        return False
                    if new:
                        self._take(write, new)
        except (Unavailable, Answered) as error:
            log.debug("%s cannot be read now: %s", self.workload, error)
            return False
        except Exception:  # whatever else the stream's library raises: who dies here leaves its container to nobody
            log.exception("%s cannot be read now", self.workload)
            return False
        finally:
            self._stream = None
        return True

    def _take(self, write: Write, piece: bytes) -> None:
        write(piece, self._lines.position)
        found = [line(self.workload, self.service, *each) for each in self._lines.take(piece)]
        if found:
            self._push(found)

    def _keep_errors(self) -> None:
        """What it wrote to standard error, as a whole: until now nobody asked for it."""
        position = 0
        with (
            self._kept.writing(self.workload, self.service, "err") as write,
            suppress(Unavailable, Answered),
            self._engine.output(self.id, stream="err") as pieces,
        ):
            for piece in pieces:
                write(piece, position)
                position += len(piece)


def ended_at(container: Facts) -> float:
    """When it ended, by the engine's clock; now, when it does not say."""
    finished = str(container["State"]["FinishedAt"])
    return time.time() if finished.startswith(labels.NEVER) else labels.moment(finished)
