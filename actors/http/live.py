"""The calls that go on for a while, or take what experiments say: events, logs, exports, metrics."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter

from actors.http.asking import Ask
from actors.http.events import Events, events
from actors.http.exporting import exporting
from actors.http.logs import logs
from actors.http.metrics_in import TakesMetrics, metrics_in
from beagle.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What these calls need besides questions: who takes metrics, and who hears events."""

    intake: TakesMetrics
    events: Events

    def close(self) -> None:
        """What has no end of its own ends, so that the server can."""
        self.events.close()


def live_routers(ask: Ask, settings: Settings, live: Live) -> list[APIRouter]:
    return [
        events(ask, live.events),
        logs(ask, lambda: live.events.closed),
        exporting(ask),
        metrics_in(live.intake, settings),
    ]
