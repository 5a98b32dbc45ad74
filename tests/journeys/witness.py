"""A bus and a store that write down what passes, to tell by which message each state came about."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

from actors.base import BusActor
from beagle.experiment import Experiment
from beagle.messages import decode
from beagle.stores.sqlite import SqliteStore
from bus.memory import MemoryBus
from bus.port import Delivery


@dataclass(frozen=True, slots=True)
class Passed:
    """A message as it was handed to the consumer of a queue."""

    queue: str
    type: str
    id: str


@dataclass(frozen=True, slots=True)
class Written:
    """A transition of an experiment, the actor that wrote it, and why: `by` is the type of the message that it was
    handling and `cause` that message's id, or `by` is the name of what else it was doing."""

    before: str
    after: str
    actor: str
    by: str
    cause: str


class WitnessBus(MemoryBus):
    """`passed` has every message that was handed to a consumer."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)
        self.passed: list[Passed] = []

    def consume(self, queue: str, deliver: Callable[[Delivery], None], *, prefetch: int):
        def witnessed(delivery: Delivery) -> None:
            message = decode(delivery.body)
            self.passed.append(Passed(queue, message.type, message.id))
            deliver(delivery)

        return super().consume(queue, witnessed, prefetch=prefetch)


class WitnessStore(SqliteStore):
    """`written` has every transition that took effect."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)
        self.written: list[Written] = []

    def replace(self, before, after, *, lazy: bool = False) -> bool:
        done = super().replace(before, after, lazy=lazy)
        if done and isinstance(after, Experiment):
            launching = before.state == "pool" and before.launched_at is None
            was = "launching" if launching else before.state.value
            self.written.append(Written(was, after.state.value, *_cause(sys._getframe(1))))
        return done


def _cause(frame: FrameType | None) -> tuple[str, str, str]:
    """The actor in whose method this happens; what it handles, is told or reconciles, and that message's id."""
    while frame is not None:
        actor, method = frame.f_locals.get("self"), frame.f_code.co_name
        if isinstance(actor, BusActor):
            if method == "take":
                message = decode(frame.f_locals["delivery"].body)
                return type(actor).__name__, message.type, message.id
            if method in ("reconcile", "on_told"):
                return type(actor).__name__, method, ""
        frame = frame.f_back
    return "nobody", "", ""
