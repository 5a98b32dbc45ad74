"""The door of a state folder's owner: who asked before it closed is answered."""

from __future__ import annotations

from threading import Event, Thread

import pytest

from beagle.commands import PauseSystem
from beagle.errors import Unavailable
from bus.memory import MemoryBus
from bus.routes import bindings
from bus.unix_socket import Caller, Door


@pytest.fixture
def bus():
    opened = MemoryBus(bindings("local"))
    yield opened
    opened.close()


def test_who_asked_before_the_door_closed_is_answered(bus, tmp_path):
    asked, closing = Event(), Event()

    def pause(delivery) -> None:
        asked.set()
        closing.wait(10)
        delivery.answer({"running": False})
        delivery.ack()

    bus.consume("gateway", pause, prefetch=1)
    door, answers = Door(tmp_path / "socket", bus), []
    caller = Caller(tmp_path / "socket")
    asking = Thread(target=lambda: answers.append(caller.request(PauseSystem(), timeout=10)))
    asking.start()
    asked.wait(10)
    leaving = Thread(target=door.close)
    leaving.start()
    leaving.join(0.2)
    assert leaving.is_alive()
    closing.set()
    asking.join()
    leaving.join()
    caller.close()
    assert answers == [{"running": False}]
    with pytest.raises(Unavailable, match="nobody listens"):
        Caller(tmp_path / "socket")
