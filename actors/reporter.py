"""Turns what the orchestrator pushes into the metric stream of each attempt, in the order in which it was pushed."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

import pykka

from actors import journal
from actors.held import Held
from beagle.errors import BeagleError
from beagle.messages import AnyMessage, EndingRelayed, MetricsReported, Report, WorkloadEnded, WorkloadLaunched
from beagle.metric_lines import read_line
from beagle.ports import CaughtUp, Ended, Line, Observed
from beagle.template import attempt_of
from bus.port import Bus

log = logging.getLogger(__name__)

RETRY_AFTER = 0.05
# Characters of lines in one message, with so many for what a report adds to its line.
_LARGEST = 128 * 1024
_OVERHEAD = 200


class _Batch:
    """Reports that go into one message. Bounded by the text that they were read from: a message may be 1 MiB long."""

    def __init__(self) -> None:
        self._reports: list[Report] = []
        self._size = 0

    def take(self, line: Line) -> None:
        reading = read_line(line.text, line.length)
        if reading is None:
            return
        self._size += len(line.text) + _OVERHEAD
        self._reports.append(
            Report(
                source=line.source,
                sequence=line.offset,
                values=reading.values,
                step=reading.step,
                completed=reading.completed,
                refusals=reading.refusals,
            )
        )

    def is_full(self) -> bool:
        return self._size > _LARGEST

    def empty(self) -> list[Report]:
        reports, self._reports, self._size = self._reports, [], 0
        return reports


class Reporter:
    """What is published here waits when the bus is full: the files that are read are the buffer."""

    def __init__(self, bus: Bus, launcher: pykka.ActorRef[Any], site: str) -> None:
        self._bus, self._launcher, self._site = bus, launcher, site
        self._held = Held()
        self._adopted: dict[str, float] = {}
        self._relayed: set[str] = set()
        self._closed = threading.Event()
        # What was last said about a bus that takes nothing: one line for each change, not for each try.
        self._complaint = ""

    def hold(self, name: str) -> None:
        """Let nothing of this workload through until `let_go`, however long that takes."""
        self._held.hold(name)

    def let_go(self, name: str) -> None:
        """What it said since is published now, in the caller's thread."""
        self._held.let_go(name, self._publish)

    def adopted(self, name: str, at: float) -> None:
        """Its launch is to be told again once all that it wrote so far was published. Called while it is held."""
        self._adopted[name] = at

    def relay(self, name: str) -> None:
        """Its programs publish under the original's key, which takes another way: its ending is to follow them."""
        self._relayed.add(name)

    def close(self) -> None:
        """Publish nothing more: what is not published yet is read again after the next start."""
        self._closed.set()
        self._held.close()

    def launched(self, experiment: str, attempt: int, at: float, *, fresh: bool) -> None:
        self.publish(WorkloadLaunched(experiment=experiment, attempt=attempt, site=self._site, at=at, fresh=fresh))

    def observe(self, observed: Sequence[Observed]) -> None:
        """All of one workload. Raises nothing: the orchestrator's thread must live."""
        if not self._held.take(observed):
            self._publish(observed)

    def _publish(self, observed: Sequence[Observed]) -> None:
        try:
            self._observe(observed)
        except Exception:  # the next piece, or the next reading after a restart, may do better
            log.exception("what %s did was not understood", observed[0].workload)

    def _observe(self, observed: Sequence[Observed]) -> None:
        name = observed[0].workload
        experiment, attempt = attempt_of(name)
        batch = _Batch()
        for each in observed:
            if isinstance(each, Line):
                batch.take(each)
                if not batch.is_full():
                    continue
            self._report(experiment, attempt, batch)
            match each:
                case CaughtUp() if name in self._adopted:
                    at = self._adopted.pop(name)
                    # One that has ended is judged by its end: its deadline may have passed since, and would come first.
                    if not isinstance(observed[-1], Ended):
                        self.launched(experiment, attempt, at, fresh=False)
                case Ended():
                    self._ended(experiment, attempt, each)
        self._report(experiment, attempt, batch)

    def publish(self, message: AnyMessage) -> None:
        """Until the bus has taken it: a metric is data, and whoever wrote it does not write it again."""
        while not self._closed.is_set():
            try:
                self._bus.publish(message)
            except BeagleError as error:
                self._complain(message, str(error))
                time.sleep(RETRY_AFTER)
            else:
                self._complaint = ""
                return

    def _complain(self, message: AnyMessage, error: str) -> None:
        if error != self._complaint:
            self._complaint = error
            with journal.about(actor="Launcher", **journal.identity(message)):
                log.warning("%s waits: %s", type(message).__name__, error)

    def _report(self, experiment: str, attempt: int, batch: _Batch) -> None:
        reports = batch.empty()
        if reports:
            self.publish(MetricsReported(experiment=experiment, attempt=attempt, reports=tuple(reports)))

    def _ended(self, experiment: str, attempt: int, ended: Ended) -> None:
        # The launcher first: what the monitor answers must find that nothing is left to stop.
        try:
            self._launcher.tell(ended)
        except pykka.ActorDeadError:
            log.info("%s ended while its launcher stopped", ended.workload)
        ending = WorkloadEnded(
            experiment=experiment,
            attempt=attempt,
            status=ended.status,
            ended_at=ended.ended_at,
            tail=ended.tail,
            error=ended.error,
            out_of_memory=ended.out_of_memory,
            lost=ended.lost,
            launch_failed=ended.status is None and not ended.lost,
        )
        relayed = ended.workload in self._relayed
        self.publish(EndingRelayed(experiment=experiment, ending=ending) if relayed else ending)
        self._relayed.discard(ended.workload)
