"""What only the bus within one process promises: it ends at once, and refuses a message for all queues or for none."""

from __future__ import annotations

import threading

import pytest

from beagle.commands import ShowSystem
from beagle.errors import Unavailable
from bus.memory import MemoryBus
from bus.routes import METRICS, bindings, metric_key
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


def test_within_one_process_what_is_entrusted_is_handled_when_it_returns():
    bus = MemoryBus(bindings("local"))
    done: list[dict] = []
    inbox = Inbox(bus, "metrics.2")
    key = metric_key("e" * 24, 1)
    teller = threading.Thread(target=lambda: done.append(bus.entrust(METRICS, key, b"cost=1")))
    teller.start()
    delivery = inbox.one()
    teller.join(0.05)
    assert done == []
    delivery.answer({"error": "too much"})
    teller.join(5)
    assert done == [{"error": "too much"}]
