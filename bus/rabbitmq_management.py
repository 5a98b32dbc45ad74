"""RabbitMQ's management interface over HTTP: what it says of the broker, its users. Only this calls it."""

from __future__ import annotations

from collections.abc import Mapping
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
    """From any thread. Raises `Unavailable` when it cannot be reached, `InvalidInput` when it refuses the user."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.place = f"{parts.hostname}:{parts.port or PORT}"
        self._base = f"{parts.scheme}://{_host(parts.hostname)}:{parts.port or PORT}{parts.path.rstrip('/')}"
        # Those that nobody uses now: a session is for one thread at a time.
        self._sessions: list[requests.Session] = []
        self._user = (unquote(parts.username or "guest"), unquote(parts.password or "guest"))

    def broker(self) -> Broker:
        overview, clock = self._get("/api/overview")
        who, _ = self._get("/api/whoami")
        return Broker(
            version=str(overview.get("rabbitmq_version", "of unknown version")),
            administrator="administrator" in _words(who.get("tags")),
            clock=clock,
        )

    def put(self, path: str, body: Mapping[str, object]) -> None:
        self._call("PUT", path, body)

    def delete(self, path: str) -> None:
        """What is not there is deleted."""
        self._call("DELETE", path)

    def users(self) -> list[tuple[str, list[str]]]:
        """Their names and tags."""
        found = self._call("GET", "/api/users?columns=name,tags").json()
        return [(str(each["name"]), _words(each.get("tags"))) for each in found]

    def secret(self) -> str:
        """What only those know who may use this interface as we do."""
        return f"{self._user[0]}:{self._user[1]}"

    def _get(self, path: str) -> tuple[dict[str, Any], float | None]:
        answer = self._call("GET", path)
        try:
            body = answer.json()
        except ValueError as error:
            raise Unavailable(f"{self.place} answered {path} with no JSON") from error
        date = answer.headers.get("Date")
        return body, parsedate_to_datetime(date).timestamp() if date else None

    def _taken(self) -> requests.Session:
        try:
            return self._sessions.pop()
        except IndexError:
            return requests.Session()

    def _call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> requests.Response:
        session = self._taken()
        try:
            answer = session.request(
                method, self._base + path, json=body, timeout=_TIMES, allow_redirects=False, auth=self._user
            )
        except requests.RequestException as error:
            # Not its words: they hold the address, and may hold more.
            known = {
                requests.ConnectionError: "",
                requests.ConnectTimeout: " in time",
                requests.ReadTimeout: " in time",
            }
            why = known.get(type(error), f" as it should ({type(error).__name__})")
            raise Unavailable(f"nothing answers at {self.place}{why}") from error
        finally:
            self._sessions.append(session)
        if answer.status_code in (401, 403):
            raise InvalidInput([f"{self.place} refuses the user {self._user[0]}, or its password"])
        if not answer.ok and not (method == "DELETE" and answer.status_code == requests.codes.not_found):
            raise Unavailable(f"{self.place} answered {answer.status_code} to {path}")
        return answer


def beside(bus: str) -> str:
    """Where the management interface of a broker usually is, with the same user."""
    parts = urlsplit(bus)
    user = (
        f"{quote(unquote(parts.username), safe='')}:{quote(unquote(parts.password or ''), safe='')}@"
        if parts.username
        else ""
    )
    return f"http://{user}{_host(parts.hostname)}:{PORT}"


def _words(tags: object) -> list[str]:
    """Before RabbitMQ 3.9 they came in one text."""
    return tags.split(",") if isinstance(tags, str) else list(tags) if isinstance(tags, list) else []


def _host(name: str | None) -> str:
    return f"[{name}]" if name and ":" in name else name or "localhost"
