"""What training programs publish themselves, as the monitor takes it: which report it is, and what is dropped."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import ClassVar

from actors.base import Handlers, World
from actors.crew import Crew
from actors.in_order import InOrder
from beagle.bucket import Allowance, Bucket
from beagle.errors import NotFound, Refused
from beagle.experiment import Experiment
from beagle.messages import AnyMessage, EndingRelayed, MetricsReported, Report
from beagle.metric_lines import Reading
from beagle.ports import Store, paged
from beagle.raw_metrics import (
    Name,
    Published,
    as_report,
    attempt_of,
    has_begun,
    matters,
    name_of,
    read_body,
    sent_at,
)
from bus.metric_keys import speaker
from bus.port import Delivery
from bus.routes import ROUTES

_OURS = frozenset(kind.__name__ for kind in ROUTES)
# Under the original's key experiments come and go; a bucket that is forgotten is full again.
_MOST_BUCKETS = 10_000
NOT_BEGUN = "their experiment is not known, or has not begun"
NOT_ITS_QUEUE = "they came by a queue that is not their key's"


def is_raw(delivery: Delivery) -> bool:
    """Whether a stranger published it: only our own processes' messages are taken at their word."""
    return not (delivery.own and delivery.type)


def too_fast(world: World) -> str:
    return f"more than {world.allowance.rate:g} messages came in a second: what came beyond was not kept"


class Dropped:
    """Counts what belongs to nobody, by why. From any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._told: Counter[str] = Counter()

    def note(self, why: str) -> None:
        with self._lock:
            self._counts[why] += 1

    def counts(self) -> dict[str, int]:
        with self._lock:
            return dict(self._counts)

    def news(self) -> dict[str, int]:
        """What came since the last time."""
        with self._lock:
            new = self._counts - self._told
            self._told = self._counts.copy()
        return dict(new)


class Buckets:
    """What is left to each experiment. From any thread; an experiment is in one thread at a time."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._buckets: dict[str, Bucket] = {}

    def take(self, experiment: str) -> bool:
        if len(self._buckets) > _MOST_BUCKETS:
            self._buckets.clear()
        return self._buckets.setdefault(experiment, Bucket(self._allowance)).take()


def report_of(store: Store, delivery: Delivery, experiment: str, attempt: int) -> Report:
    """What it says; a repeat gets the same source and sequence, as far as its client made that possible."""
    name = name_of(
        Published(
            body=delivery.body,
            message_id=delivery.message_id,
            headers=delivery.headers,
            sent_at=sent_at(delivery.headers, delivery.sent_at),
        )
    )
    if not name.certain:
        name = _settled(store, delivery, name, (experiment, attempt))
    if delivery.type in _OURS:
        return as_report(Reading(refusals=(f"{delivery.type} is between Beagle's own parts",)), name)
    return as_report(read_body(delivery.body), name)


def _settled(store: Store, delivery: Delivery, name: Name, whose: tuple[str, int]) -> Name:
    """One that was handed out before may be stored: then it is that one. A new one is another, with the same words."""
    if delivery.redelivered:
        for metric in paged(lambda after: store.metrics(*whose, after=after, limit=1000)):
            if metric.source == name.source:
                return Name(metric.source, metric.sequence)
    return Name(name.source, time.time_ns())


class Forwarder(InOrder):
    """Publishes anew, under the key of its attempt, what came under the original's key, which names no attempt.

    The ending of such an attempt takes the same way, so that it comes after what its programs published.
    """

    def __init__(self, world: World, crew: Crew, dropped: Dropped, buckets: Buckets) -> None:
        super().__init__(world, crew)
        self._dropped, self._buckets = dropped, buckets
        # How many messages each experiment's next one has to answer for.
        self._excess: Counter[str] = Counter()

    def read(self, delivery: Delivery) -> AnyMessage:
        return self._read_raw(delivery) if is_raw(delivery) else super().read(delivery)

    def _read_raw(self, delivery: Delivery) -> MetricsReported:
        identity = speaker(delivery.key).experiment
        experiment = self.world.store.get(Experiment, identity)
        if experiment is None or not has_begun(experiment, 1):
            self._dropped.note(NOT_BEGUN)
            raise NotFound(f"{delivery.key} is of no experiment that has begun")
        attempt = attempt_of(experiment, sent_at(delivery.headers, delivery.sent_at))
        report = report_of(self.world.store, delivery, identity, attempt)
        if not matters(experiment, attempt, report) and not self._buckets.take(identity):
            self._excess[identity] += 1
            raise Refused(too_fast(self.world))
        if self._excess.pop(identity, 0):
            report = report.model_copy(update={"refusals": (*report.refusals, too_fast(self.world))})
        return MetricsReported(experiment=identity, attempt=attempt, reports=(report,))

    def on_metrics_reported(self, message: MetricsReported) -> None:
        self.world.bus.publish(message)

    def on_ending_relayed(self, message: EndingRelayed) -> None:
        self.world.bus.publish(message.ending)

    handles: ClassVar[Handlers] = {MetricsReported: on_metrics_reported, EndingRelayed: on_ending_relayed}
