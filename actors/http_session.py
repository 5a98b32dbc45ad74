"""A session over HTTP: the command line and a gateway, wherever that runs. Loaded only when a server is named."""

from __future__ import annotations

import threading
from contextlib import suppress

import requests

from beagle.answers import raise_for
from beagle.errors import BeagleError, InvalidInput, Unavailable
from beagle.message import Answer, Message
from beagle.redaction import redacted
from beagle.settings import Settings

CONNECT_WITHIN = 5.0
# Beyond what the gateway itself waits for whoever it asks: its own sentence about that is the better one.
ANSWER_AFTER = 5.0


class HttpSession:
    """Safe from any thread: each has a connection of its own."""

    owner = False

    def __init__(self, settings: Settings) -> None:
        self._server = settings.server.rstrip("/")
        self._token = settings.token
        self._own = threading.local()
        self._sessions: list[requests.Session] = []

    def ask(self, message: Message, timeout: float = 30.0) -> Answer:
        try:
            answer = self._connection().post(
                f"{self._server}/api/v1/commands",
                data=message.model_dump_json().encode(),
                headers={"Content-Type": "application/json"},
                timeout=(CONNECT_WITHIN, timeout + ANSWER_AFTER),
                allow_redirects=False,
            )
        except requests.Timeout as error:
            raise Unavailable(f"{self._place} did not answer within {timeout:g} s") from error
        except requests.RequestException as error:
            # Not its words: they are many, and none is the user's.
            raise Unavailable(f"nothing answers at {self._place}; does a gateway run there?") from error
        return self._read(answer)

    def close(self) -> None:
        for session in self._sessions:
            session.close()

    @property
    def _place(self) -> str:
        return redacted(self._server)

    def _connection(self) -> requests.Session:
        session: requests.Session | None = getattr(self._own, "session", None)
        if session is None:
            session = self._own.session = requests.Session()
            session.trust_env = False  # no proxy, and no password of a .netrc file in place of the token
            if self._token:
                session.headers["Authorization"] = f"Bearer {self._token}"
            self._sessions.append(session)
        return session

    def _read(self, answer: requests.Response) -> Answer:
        said: object = None
        with suppress(ValueError):
            said = answer.json()
        if answer.status_code == requests.codes.forbidden and isinstance(said, dict) and _is_failure(said):
            raise InvalidInput([f"{self._place} refuses this command: {said['error']['message']}"])
        if answer.status_code in {requests.codes.unauthorized, requests.codes.forbidden}:
            how = "is not the one that it asks for" if self._token else "is missing"
            raise InvalidInput([f"{self._place} refuses this command: the token {how}; give it in BEAGLE_TOKEN"])
        if isinstance(said, dict) and (answer.ok or _is_failure(said)):
            return raise_for(said)
        if answer.status_code >= requests.codes.internal_server_error:
            raise Unavailable(f"{self._place} answered with status {answer.status_code}")
        raise BeagleError(f"{self._place} is no gateway of Beagle: it answered with status {answer.status_code}")


def _is_failure(said: dict[str, object]) -> bool:
    error = said.get("error")
    return isinstance(error, dict) and {"kind", "message", "problems"} <= error.keys()
