"""Turns what the orchestrator pushes into the metric stream of each attempt. Runs in the orchestrator's thread."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import pykka

from beagle.errors import BeagleError
from beagle.messages import AnyMessage, MetricsReported, Report, WorkloadEnded, WorkloadLaunched
from beagle.metric_lines import read_line
from beagle.ports import CaughtUp, Ended, Line, Observed
from bus.port import Bus

log = logging.getLogger(__name__)

# A stored launch takes a millisecond; a store that is away makes the launcher give up long before this.
LONGEST_HOLD = 30.0
RETRY_AFTER = 0.05


class Reporter:
    """What is published here waits when the bus is full: the files that are read are the buffer."""

    def __init__(self, bus: Bus, launcher: pykka.ActorRef[Any], site: str) -> None:
        self._bus, self._launcher, self._site = bus, launcher, site
        self._held: dict[str, threading.Event] = {}
        self._adopted: dict[str, float] = {}
        self._closed = threading.Event()

    def hold(self, name: str) -> None:
        """Let nothing of this workload through until `let_go`."""
        self._held[name] = threading.Event()

    def let_go(self, name: str) -> None:
        self._held.pop(name).set()

    def adopted(self, name: str, at: float) -> None:
        """Its launch is to be told again once all that it wrote so far was published. Called while it is held."""
        self._adopted[name] = at

    def close(self) -> None:
        """Publish nothing more: what is not published yet is read again after the next start."""
        self._closed.set()

    def launched(self, experiment: str, attempt: int, at: float, *, fresh: bool) -> None:
        self.publish(WorkloadLaunched(experiment=experiment, attempt=attempt, site=self._site, at=at, fresh=fresh))

    def observe(self, observed: Observed) -> None:
        """Raises nothing: the orchestrator's thread must live."""
        try:
            self._observe(observed)
        except Exception:  # the next line, or the next reading after a restart, may do better
            log.exception("what %s did was not understood", observed.workload)

    def _observe(self, observed: Observed) -> None:
        held = self._held.get(observed.workload)
        if held is not None:
            held.wait(LONGEST_HOLD)
        _, experiment, number = observed.workload.split("-")
        attempt = int(number)
        match observed:
            case Line():
                self._line(experiment, attempt, observed)
            case CaughtUp():
                at = self._adopted.pop(observed.workload, None)
                if at is not None:
                    self.launched(experiment, attempt, at, fresh=False)
            case Ended():
                self._ended(experiment, attempt, observed)

    def publish(self, message: AnyMessage) -> None:
        """Until the bus has taken it: a metric is data, and whoever wrote it does not write it again."""
        while not self._closed.is_set():
            try:
                self._bus.publish(message)
            except BeagleError as error:
                log.warning("%s waits: %s", type(message).__name__, error)
                time.sleep(RETRY_AFTER)
            else:
                return

    def _line(self, experiment: str, attempt: int, line: Line) -> None:
        reading = read_line(line.text, line.length)
        if reading is None:
            return
        report = Report(
            source=line.source,
            sequence=line.offset,
            values=reading.values,
            step=reading.step,
            completed=reading.completed,
            refusals=reading.refusals,
        )
        self.publish(MetricsReported(experiment=experiment, attempt=attempt, reports=(report,)))

    def _ended(self, experiment: str, attempt: int, ended: Ended) -> None:
        # The launcher first: what the monitor answers must find that nothing is left to stop.
        try:
            self._launcher.tell(ended)
        except pykka.ActorDeadError:
            log.info("%s ended while its launcher stopped", ended.workload)
        self.publish(
            WorkloadEnded(
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
        )
