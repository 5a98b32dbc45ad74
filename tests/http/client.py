"""What a front end knows: an address, and calls. Behind it are all actors of one process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import requests

from actors.http.app import make_app
from actors.http.live import Live
from actors.http.server import HttpServer, bound
from actors.live import live
from actors.main import OwnSession, open_session
from beagle.settings import Settings
from tests.journeys.census import end_all

PATIENCE = 30.0


class Client:
    """Paths are those below `/api/v1`, unless they begin with a slash."""

    def __init__(self, url: str, session: OwnSession, live: Live, **headers: str) -> None:
        self.url, self.session, self.live, self.headers = url, session, live, headers

    def __call__(self, method: str, path: str, **more: Any) -> requests.Response:
        headers = {**self.headers, **more.pop("headers", {})}
        where = self.url + (path if path.startswith("/") else f"/api/v1/{path}")
        return requests.request(method, where, headers=headers, timeout=PATIENCE, **more)

    def get(self, path: str, **query: Any) -> Any:
        """What is answered, when all is well."""
        answer = self("GET", path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def give(self, type: str, **fields: Any) -> Any:
        answer = self("POST", "commands", json={"type": type, **fields})
        assert answer.status_code == 200, answer.text
        return answer.json()


@contextmanager
def serving(folder: Path, **settings: Any) -> Iterator[Client]:
    wanted = replace(Settings(port="0"), **settings)
    door = bound(wanted)
    assert door is not None
    session = open_session(folder / "state", settings=wanted, scheduling=True)
    assert isinstance(session, OwnSession)
    lively = live(session._world)
    server = HttpServer(make_app(session.ask, wanted, lively), door, lively.close)
    try:
        yield Client(server.url, session, lively)
    finally:
        server.close(5.0)
        session.close()
        end_all(folder / "state" / "experiments")
