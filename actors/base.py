"""What all actors share: take a delivery, handle it, and only then acknowledge it. Broad `except`s live only here."""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol

import pykka

from actors import journal
from actors.clock import Clock
from beagle.access import Access, NoAccess
from beagle.answers import failure
from beagle.bucket import Allowance
from beagle.errors import BeagleError, InvalidInput, NotFound, Refused, Unavailable
from beagle.experiment import State
from beagle.lifecycle import Step
from beagle.members import Alone, Membership
from beagle.messages import Answer, AnyMessage, ExperimentChanged, Message, StopWorkload, decode
from beagle.ports import Store
from beagle.projects import Plans
from bus.markers import MARKERS, marker_key
from bus.port import Bus, Consumer, Delivery
from bus.routes import DUTIES, EVENTS, METRIC_QUEUES

log = logging.getLogger(__name__)

Handlers = dict[type[Message], Callable[[Any, Any], Answer | None]]

PREFETCH = 100
# What waits of an experiment is stored in one call: the more there is, the fewer calls.
METRICS_PREFETCH = 200
TICK = 1.0
RETRY_AFTER = 0.5
# A handler that fails on a message without saying why gets it this often; then it is buried with the error's words.
TRIES = 5


class Observer(Protocol):
    """Sees what actors do, in their threads: for measures, health and what is written beside each line of the log."""

    def taking(self, actor: str, delivery: Delivery) -> AbstractContextManager[Delivery]:
        """Around the handling of one delivery; the one that comes out is to be settled."""

    def decoded(self, message: Message) -> None:
        """What the delivery turned out to be."""

    def dropped(self, why: str, count: int) -> None:
        """Messages that belong to nobody were thrown away."""

    def reconciled(self, actor: str, error: str) -> None:
        """It has run; with what was wrong, or the empty text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What an actor acts on. `now` is seconds since the epoch; within a process, waiting goes by the clock.

    `access` lets experiments publish themselves, and `allowance` is how much.
    """

    store: Store
    bus: Bus
    clock: Clock
    site: str
    plans: Plans
    access: Access = field(default_factory=NoAccess)
    allowance: Allowance = field(default_factory=Allowance)
    now: Callable[[], float] = time.time
    # Makes the membership of one replica, from its kind and its site.
    membership: Callable[[str, str], Membership] = Alone
    # Embedded there is none: what it costs would be paid for every message.
    observer: Observer | None = None


class Tick:
    """A second has passed."""


class Reconnected:
    """The bus was away and is back: what was said meanwhile was not heard."""


@dataclass(frozen=True, slots=True)
class _Requeue:
    delivery: Delivery


class BusActor(pykka.ThreadingActor):
    """Handles the messages of its queues one at a time, and runs `reconcile` at its start and on every tick.

    Of its queues it takes the `DUTIES` only while they are this replica's: `duties`.
    """

    use_daemon_thread = True
    kind: ClassVar[str] = ""
    # How many deliveries it is handed at a time, those that it works on included.
    prefetch: ClassVar[int] = PREFETCH
    handles: ClassVar[Handlers] = {}

    def __init__(self, world: World, queues: tuple[str, ...] = (), membership: Membership | None = None) -> None:
        super().__init__()
        self.world = world
        self.membership = membership or world.membership(self.kind, world.site)
        self.duties: frozenset[str] = frozenset()
        self._queues = queues
        self._consumers: dict[str, Consumer] = {}
        self._shared_at = time.monotonic()
        # What was last said about something that is away: one line for each change, not for each try.
        self._complaint = ""

    @staticmethod
    def _create_actor_inbox() -> Any:  # noqa: ANN401 - what Pykka's own method returns
        # Pykka's default is queue.Queue: three locks in Python, 20 µs more for each message and each new actor.
        return queue.SimpleQueue()

    def on_start(self) -> None:
        # Heard from now on, and then what the store says: an event in between would be missed the other way round.
        for name in self._queues:
            if name not in DUTIES:
                self._consume(name)
        if self._queues:
            self.world.bus.on_reconnect(self._reconnected)
            self.world.clock.tell(self.actor_ref, Tick(), after=TICK)
        self._turn()

    def _consume(self, queue: str) -> None:
        prefetch = METRICS_PREFETCH if queue in METRIC_QUEUES else self.prefetch
        self._consumers[queue] = self.world.bus.consume(queue, self._deliver, prefetch=prefetch)

    def share_in_time(self) -> None:
        """Between two pieces of work: the tick stands behind all of it, and whoever is busy for so long lives too."""
        if self._queues and not self.membership.alone and time.monotonic() - self._shared_at > TICK:
            self._guarded(self._share)

    def _share(self) -> None:
        """See who lives, and take from what is this replica's by now; what was delivered of the rest goes back."""
        self._shared_at = time.monotonic()
        if not self.membership.turn():
            log.warning("%s was not heard of in time, as it slept or the store was away", self.membership.name)
            self._change_duties(frozenset())
        self._change_duties(self.membership.share([name for name in self._queues if name in DUTIES]))

    def _change_duties(self, mine: frozenset[str]) -> None:
        before, self.duties = self.duties, mine
        for name in before - mine:
            self._consumers.pop(name).close()
        if before != mine:
            log.info("%s has %s", self.membership.name, ", ".join(sorted(mine)) or "no queue of its own")
            self.on_duties(before)
        for name in sorted(mine - before):
            self._consume(name)

    def _deliver(self, delivery: Delivery) -> None:
        # Between its last message and the closing of its consumers an actor takes none: they go back when those close.
        with suppress(pykka.ActorDeadError):
            self.actor_ref.tell(delivery)

    def _reconnected(self) -> None:
        with suppress(pykka.ActorDeadError):
            self.actor_ref.tell(Reconnected())

    def on_stop(self) -> None:
        for consumer in self._consumers.values():
            consumer.close()
        if self._queues:
            self._guarded(self.membership.leave)

    def on_receive(self, message: Any) -> None:  # noqa: ANN401 - whatever was told
        match message:
            case Delivery():
                # What came by a queue that was closed since went back to it, and is somebody else's.
                if message.queue in self._consumers or not self._queues:
                    self.take(message)
            case Tick():
                self._turn()
                self.world.clock.tell(self.actor_ref, message, after=TICK)
            case Reconnected():
                self._turn()
            case _Requeue(delivery):
                delivery.requeue()
            case _:
                self._guarded(lambda: self.on_told(message))

    def reconcile(self) -> None:
        """Find in the store what a lost message would have said."""

    def on_duties(self, before: frozenset[str]) -> None:
        """`duties` are others now; what came by a queue that is not among them any more is somebody else's."""

    def on_told(self, message: object) -> None:
        """Something that did not come by the bus: from this actor's own clock, thread or children."""

    def nudge(self, message: AnyMessage) -> None:
        """Publish what may get lost, because its receiver's `reconcile` finds the same in the store."""
        self._unless_away(type(message).__name__, lambda: self.world.bus.nudge(message))

    @staticmethod
    def _unless_away(what: str, publish: Callable[[], None]) -> None:
        try:
            publish()
        except BeagleError as error:
            log.info("%s was not sent: %s", what, error)

    def announce(self, step: Step) -> None:
        """Tell the others of a written transition; an attempt that left the pool must end."""
        before, after = step
        if self.world.observer is not None:
            self._log(step)
        if before.state is State.POOL and after.state is not State.POOL:
            site = before.site or self.world.site
            self.nudge(StopWorkload(site=site, watcher=before.watcher, experiment=before.id, attempt=before.attempt))
        self.nudge(
            ExperimentChanged(
                experiment=after.id,
                project=after.project,
                attempt=after.attempt,
                state=after.state,
                reason=after.reason,
            )
        )
        if after.state in MARKERS and before.state is not after.state:
            attempt = f"{after.id}-{after.attempt}"
            self._unless_away(
                attempt,
                lambda: self.world.bus.publish_raw(
                    EVENTS, marker_key(after.id), MARKERS[after.state], message_id=attempt
                ),
            )

    def _log(self, step: Step) -> None:
        """For an operator, who has no other account of it."""
        before, after = step
        if before.state is not after.state:
            what = f"is in {after.state}" + (f": {after.reason}" if after.reason else "")
        elif before.launched_at != after.launched_at:
            what = f"is launched at site {after.site}"
        else:
            return
        with journal.about(
            actor=type(self).__name__, experiment=after.id, attempt=after.attempt, project=after.project
        ):
            log.info("%s %s", after.name, what)

    def take(self, delivery: Delivery) -> None:
        """Handle one delivery and settle it, whatever happens."""
        observer = self.world.observer
        if observer is None:
            self._settle(delivery)
        else:
            with observer.taking(type(self).__name__, delivery) as watched:
                self._settle(watched)

    def _settle(self, delivery: Delivery) -> None:
        try:
            message = self.read(delivery)
            if self.world.observer is not None:
                self.world.observer.decoded(message)
            answer = self._handler(message)(self, message)
        except InvalidInput as error:
            if delivery.asked:
                delivery.answer(failure(error))
                delivery.ack()
            else:
                delivery.bury(str(error))
        except (NotFound, Refused) as late:
            log.debug("late: %s", late)
            delivery.answer(failure(late))
            delivery.ack()
        except Unavailable as error:
            self._later(delivery, error)
        except Exception as error:
            log.exception("%s failed on %s", type(self).__name__, delivery.key)
            self._unknown(delivery, error)
        else:
            delivery.ack()
            delivery.answer(answer or {})

    def read(self, delivery: Delivery) -> AnyMessage:
        """What a delivery says."""
        return decode(delivery.body)

    @staticmethod
    def outcome(read: Callable[[Delivery], AnyMessage], delivery: Delivery) -> AnyMessage | Exception:
        """What a delivery says, or what is wrong with it: to be raised once it is that one's turn."""
        try:
            return read(delivery)
        except Exception as error:  # noqa: BLE001 - it is raised in its turn
            return error

    def _handler(self, message: Message) -> Callable[[Any, Any], Answer | None]:
        handler = self.handles.get(type(message))
        if handler is None:
            raise InvalidInput([f"{type(self).__name__} does not handle {type(message).__name__}"])
        return handler

    def _later(self, delivery: Delivery, error: Unavailable) -> None:
        if delivery.asked:
            delivery.answer(failure(error))
            delivery.ack()
            return
        self._complain(f"{delivery.key} waits: {error}", str(error))
        self.try_later(delivery)

    def _unknown(self, delivery: Delivery, error: Exception) -> None:
        delivery.answer(failure(error))
        if delivery.asked or delivery.redelivered >= TRIES:
            delivery.bury(f"{type(error).__name__}: {error}")
        else:
            self.try_later(replace(delivery, redelivered=delivery.redelivered + 1))

    def try_later(self, delivery: Delivery) -> None:
        """It could not be handled now; what comes after it need not wait for it."""
        self.world.clock.tell(self.actor_ref, _Requeue(delivery), after=RETRY_AFTER)

    def _turn(self) -> None:
        error = self._guarded(self._share) if self._queues else ""
        error = self._guarded(self.reconcile) or error
        if not error and self._complaint:
            log.info("%s works again", type(self).__name__)
            self._complaint = ""
        if self.world.observer is not None:
            self.world.observer.reconciled(type(self).__name__, error)

    def _complain(self, sentence: str, error: str) -> None:
        if error != self._complaint:
            self._complaint = error
            log.warning("%s", sentence)

    def _guarded(self, work: Callable[[], None]) -> str:
        """Answers with what went wrong, or the empty text."""
        # An exception here would stop the actor for good (Pykka), and the work comes again with the next tick.
        try:
            work()
        except BeagleError as error:
            self._complain(f"{type(self).__name__}: {error}", str(error))
            return str(error)
        except Exception as error:
            log.exception("%s failed outside a message", type(self).__name__)
            return f"{type(error).__name__}: {error}"
        return ""
