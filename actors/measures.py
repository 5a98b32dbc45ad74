"""What an actor process measures of itself, as Prometheus reads it. The only place that knows its library."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from actors import journal
from beagle import places, system
from beagle.errors import BeagleError
from beagle.messages import Answer, Message
from beagle.ports import Store
from bus.port import Bus, Delivery

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Measures:
    """An `Observer` of the actors of one process. `page` is what Prometheus gets; `age` is for the health."""

    def __init__(self, store: Store, bus: Bus) -> None:
        self._registry = CollectorRegistry()
        self._handled = Counter(
            "beagle_messages",
            "Messages by how they were settled.",
            ("actor", "type", "outcome"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "beagle_handler_seconds", "Time to handle one.", ("actor",), buckets=_SECONDS, registry=self._registry
        )
        self._waited = Histogram(
            "beagle_message_wait_seconds",
            "From the making of a message to its handling, by the clocks of both.",
            ("actor",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._dropped = Counter(
            "beagle_metrics_dropped", "Published metrics of nobody.", ("why",), registry=self._registry
        )
        self._reconnects = Counter("beagle_bus_reconnects", "Times that the bus came back.", registry=self._registry)
        self._begun = time.monotonic()
        # For each kind of actor: when it last reconciled without an error, and the error since.
        self._reconciled: dict[str, float] = {}
        self._errors: dict[str, str] = {}
        self._registry.register(_Now(store, bus, self.ages))
        bus.on_reconnect(self._reconnects.inc)

    def page(self) -> bytes:
        return generate_latest(self._registry)

    def ages(self) -> dict[str, float]:
        """For each kind of actor, how many seconds ago it last reconciled without an error."""
        now = time.monotonic()
        return {actor: now - at for actor, at in dict(self._reconciled).items()}

    def error(self, actor: str) -> str:
        """What its last reconcile ended with."""
        return self._errors.get(actor, "")

    def expect(self, actor: str) -> None:
        """An actor of that name is about to start: from now on it is to reconcile."""
        self._reconciled[actor] = time.monotonic()

    @contextmanager
    def taking(self, actor: str, delivery: Delivery) -> Iterator[Delivery]:
        seen = _Seen()
        token = _seen.set(seen)
        begun = time.monotonic()
        try:
            with journal.about(actor=actor):
                yield seen.watched(delivery)
        finally:
            _seen.reset(token)
            self._seconds.labels(actor).observe(time.monotonic() - begun)
            self._handled.labels(actor, seen.type, seen.outcome).inc()
            if seen.made:
                self._waited.labels(actor).observe(max(0.0, time.time() - seen.made))

    def decoded(self, message: Message) -> None:
        seen = _seen.get()
        seen.type, seen.made = type(message).__name__, message.time
        journal.learn(**journal.identity(message))

    def dropped(self, why: str, count: int) -> None:
        self._dropped.labels(why).inc(count)

    def reconciled(self, actor: str, error: str) -> None:
        if actor not in self._reconciled:
            return  # the monitor of one attempt, which does so only once
        self._errors[actor] = error
        if not error:
            self._reconciled[actor] = time.monotonic()


class _Seen:
    """What became of one delivery. `later`: it could not be settled yet, and will come again."""

    def __init__(self) -> None:
        self.type, self.made, self.outcome = "unknown", 0.0, "later"

    def watched(self, delivery: Delivery) -> Delivery:
        return replace(
            delivery,
            ack=lambda: self._settle("handled", delivery.ack),
            requeue=lambda: self._settle("later", delivery.requeue),
            bury=lambda reason: self._settle("dead", lambda: delivery.bury(reason)),
            answer=lambda answer: self._answer(answer, delivery),
        )

    def _settle(self, outcome: str, settle: Callable[[], None]) -> None:
        if self.outcome != "refused":
            self.outcome = outcome
        settle()

    def _answer(self, answer: Answer, delivery: Delivery) -> None:
        if delivery.asked and "error" in answer:
            self.outcome = "refused"
        delivery.answer(answer)


_seen: ContextVar[_Seen] = ContextVar("seen")


class _Now(Collector):
    """What is looked up when Prometheus asks. All processes of a deployment see the same store."""

    def __init__(self, store: Store, bus: Bus, ages: Callable[[], dict[str, float]]) -> None:
        self._store, self._bus, self._ages = store, bus, ages

    def collect(self) -> Iterator[Metric]:
        connected = GaugeMetricFamily("beagle_bus_connected", "Whether the bus is there and takes messages.")
        connected.add_metric([], self._bus.connected())
        yield connected
        silence = GaugeMetricFamily("beagle_bus_silence_seconds", "Since the bus's own threads last turned.")
        silence.add_metric([], self._bus.silence())
        yield silence
        ages = GaugeMetricFamily("beagle_reconcile_age_seconds", "Since the last reconcile.", labels=["actor"])
        for actor, age in self._ages().items():
            ages.add_metric([actor], age)
        yield ages
        yield from self._stored()

    def _stored(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("beagle_store_up", "Whether the store answers.")
        try:
            counts, limit, held = self._store.counts(), system.load(self._store).limit, places.count_held(self._store)
        except BeagleError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        experiments = GaugeMetricFamily("beagle_experiments", "Experiments in each state.", labels=["state"])
        for state, count in counts.items():
            experiments.add_metric([state], count)
        yield experiments
        for name, meaning, value in (
            ("beagle_places_held", "Places that hold an experiment.", held),
            ("beagle_limit", "How many experiments may run.", limit),
        ):
            gauge = GaugeMetricFamily(name, meaning)
            gauge.add_metric([], value)
            yield gauge
