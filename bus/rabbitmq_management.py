"""RabbitMQ's management interface over HTTP: what it says of the broker. The only place that calls it."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import requests

from beagle.errors import InvalidInput, Unavailable

PORT = 15672
_TIMES = (3.0, 5.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """`administrator`: this user may make others. `clock` is the broker's, in seconds since the epoch."""

    version: str
    administrator: bool
    clock: float | None


class Management:
    """Raises `Unavailable` when it cannot be reached, `InvalidInput` when it refuses the user."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.place = f"{parts.hostname}:{parts.port or PORT}"
        self._base = f"{parts.scheme}://{_host(parts.hostname)}:{parts.port or PORT}{parts.path.rstrip('/')}"
        self._user = (unquote(parts.username or "guest"), unquote(parts.password or "guest"))

    def broker(self) -> Broker:
        overview, clock = self._get("/api/overview")
        who, _ = self._get("/api/whoami")
        tags = who.get("tags") or []
        words = tags.split(",") if isinstance(tags, str) else tags
        return Broker(
            version=str(overview.get("rabbitmq_version", "of unknown version")),
            administrator="administrator" in words,
            clock=clock,
        )

    def _get(self, path: str) -> tuple[dict[str, Any], float | None]:
        try:
            answer = requests.get(self._base + path, auth=self._user, timeout=_TIMES, allow_redirects=False)
            body = answer.json() if answer.ok else {}
        except (requests.RequestException, ValueError) as error:
            # Not its words: they hold the address, and may hold more.
            raise Unavailable(f"nothing answers at {self.place} ({type(error).__name__})") from error
        if answer.status_code in (401, 403):
            raise InvalidInput([f"{self.place} refuses the user {self._user[0]}, or its password"])
        if not answer.ok or not isinstance(body, dict):
            raise Unavailable(f"{self.place} answered {answer.status_code} to {path}")
        date = answer.headers.get("Date")
        return body, parsedate_to_datetime(date).timestamp() if date else None


def beside(bus: str) -> str:
    """Where the management interface of a broker usually is, with the same user."""
    parts = urlsplit(bus)
    user = (
        f"{quote(unquote(parts.username), safe='')}:{quote(unquote(parts.password or ''), safe='')}@"
        if parts.username
        else ""
    )
    return f"http://{user}{_host(parts.hostname)}:{PORT}"


def _host(name: str | None) -> str:
    return f"[{name}]" if name and ":" in name else name or "localhost"
