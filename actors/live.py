"""Puts together what the HTTP gateway takes and tells beside questions: over the bus, as everything."""

from __future__ import annotations

from collections.abc import Callable

from actors.base import World
from actors.http.events import Events
from actors.http.live import Live
from actors.intake import Intake
from bus.port import Delivery

# Its own, and gone with it: the binding is in `bus/routes.py`.
QUEUE = "events.gateway"
PREFETCH = 1000


def live(world: World) -> Live:
    """For one process that serves HTTP."""

    def listen(hear: Callable[[bytes], None]) -> Callable[[], None]:
        def deliver(delivery: Delivery) -> None:
            delivery.ack()  # an event that nobody hears is lost, whatever is done about it
            hear(delivery.body)

        return world.bus.consume(QUEUE, deliver, prefetch=PREFETCH).close

    return Live(intake=Intake(world.store, world.bus, world.allowance), events=Events(listen))
