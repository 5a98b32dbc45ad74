"""An actor whose messages are handled in the order in which they come, whatever has to wait."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from itertools import islice

from actors.base import RETRY_AFTER, World
from actors.crew import Crew, CrewActor
from bus.port import Delivery


class _Again:
    """What had to wait may be tried again."""


class InOrder(CrewActor):
    """Behind a message that waits, for the store or the bus, all wait."""

    def __init__(self, world: World, crew: Crew) -> None:
        super().__init__(world, crew)
        self.waiting: deque[Delivery] = deque()
        # Of what waited, what is still to be tried again.
        self._again: deque[Delivery] = deque()

    def take(self, delivery: Delivery) -> None:
        if self.waiting:
            self.waiting.append(delivery)
        else:
            super().take(delivery)

    def try_later(self, delivery: Delivery) -> None:
        # Something of it may be stored by now, so it counts as one that was handed out before.
        self.waiting.append(replace(delivery, redelivered=delivery.redelivered + 1))
        self.world.clock.tell(self.actor_ref, _Again(), after=RETRY_AFTER)

    def on_told(self, message: object) -> None:
        if isinstance(message, _Again):
            self._again, self.waiting = self.waiting, deque()
            while self._again:
                self.take(self._again.popleft())

    def coming(self, most: int) -> list[Delivery]:
        """What is taken after the present one, as far as it is here."""
        return [*islice(self._again, most)] if self._again else super().coming(most)

    def give_back(self) -> None:
        """Whoever comes next takes what waits."""
        for delivery in reversed(self.waiting):
            delivery.requeue()
