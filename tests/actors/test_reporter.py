"""What the launcher publishes waits for a bus that takes nothing, and says so once."""

from __future__ import annotations

import json
import logging
import threading

import pytest

from actors import journal, reporter
from actors.reporter import Reporter
from beagle.errors import Unavailable
from bus.memory import MemoryBus
from bus.routes import METRIC_QUEUES, bindings
from tests.journeys.beagle_run import eventually

EXPERIMENT = "0123456789abcdef01234567"


class ReluctantBus(MemoryBus):
    """Refuses with each of these errors, one after the other, and then takes what comes."""

    def __init__(self, *errors: str) -> None:
        super().__init__(bindings("here"))
        self.errors = list(errors)

    def publish(self, message) -> None:
        if self.errors:
            raise Unavailable(self.errors.pop(0))
        super().publish(message)


class Kept(logging.Handler):
    """What is logged, as the JSON of the log."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(journal.Json())
        self.entries: list[dict[str, object]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.entries.append(json.loads(self.format(record)))


@pytest.fixture
def kept(monkeypatch):
    monkeypatch.setattr(reporter, "RETRY_AFTER", 0.001)
    handler = Kept()
    reporter.log.addHandler(handler)
    yield handler
    reporter.log.removeHandler(handler)


def test_each_change_of_what_is_wrong_is_one_line_with_its_experiment_not_each_try(kept):
    bus = ReluctantBus(*["lost"] * 20, *["refused"] * 200)
    taken: list[bytes] = []
    for queue in METRIC_QUEUES:
        bus.consume(queue, lambda delivery: taken.append(delivery.body), prefetch=10)
    made = Reporter(bus, None, "here")
    made.launched(EXPERIMENT, 2, 1.0, fresh=True)
    eventually(lambda: taken)
    assert [entry["message"] for entry in kept.entries] == [
        "WorkloadLaunched waits: lost",
        "WorkloadLaunched waits: refused",
    ]
    assert {(entry["actor"], entry["experiment"], entry["attempt"]) for entry in kept.entries} == {
        ("Launcher", EXPERIMENT, 2)
    }
    bus.errors.append("refused")  # it had been taken since: this is another time
    made.launched(EXPERIMENT, 2, 1.0, fresh=False)
    assert len(kept.entries) == 3
    bus.close()


def test_one_that_is_closed_gives_up(kept):
    bus = ReluctantBus(*["away"] * 100_000)
    made = Reporter(bus, None, "here")
    waiting = threading.Thread(target=lambda: made.launched(EXPERIMENT, 1, 1.0, fresh=True))
    waiting.start()
    eventually(lambda: kept.entries)
    made.close()
    waiting.join(10)
    assert not waiting.is_alive()
    assert len(kept.entries) == 1
    bus.close()
