"""What only the bus within one process promises: it ends at once, and refuses a message for all queues or for none."""

from __future__ import annotations

import pytest

from beagle.commands import ShowSystem
from beagle.errors import Unavailable
from bus.memory import MemoryBus
from bus.routes import bindings
from tests.contracts.inbox import Inbox, publish


def test_a_closed_bus_takes_nothing_and_delivers_nothing():
    bus = MemoryBus(bindings("local"))
    inbox = Inbox(bus, "gateway")
    bus.close()
    with pytest.raises(Unavailable, match="closed"):
        publish(bus, "a")
    with pytest.raises(Unavailable, match="closed"):
        bus.request(ShowSystem(), timeout=1)
    bus.close()
    assert inbox.deliveries == []
