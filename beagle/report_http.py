"""One connection to a gateway, for one thread, from a training program. Loaded only when a program reports over it.

The standard library only: images that report over HTTP need nothing but `beagle/report*.py`.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 - to look a name up loads it, and that must not be in a thread
import http.client
import json
import os
import time
from contextlib import suppress
from urllib.parse import urlsplit

from beagle.report_away import Away, Busy, Refused

_ANSWERS_WITHIN = 15.0
# A server closes a connection that says nothing for a few seconds, and what is sent into that is lost.
_STALE_AFTER = 2.0
_LONGEST_PAUSE = 30.0
_TRY_AGAIN = frozenset({408, 425, 429})
_SHUT_OUT = frozenset({401, 403})


class Wire:
    """Connects when it is made. Whatever goes wrong with that is `Away`."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname or "localhost", parts.port, timeout=_ANSWERS_WITHIN)
        self._path = parts.path + (f"?{parts.query}" if parts.query else "")
        token = os.environ.get("BEAGLE_REPORT_TOKEN")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            self._connection.connect()
        except OSError as error:
            raise _away(error) from error
        self._used_at = time.monotonic()

    def publish(self, body: bytes, source: str, sequence: int) -> None:
        """Returns once it is stored, or surely will be. Raises `Away`, `Busy` and `Refused`."""
        headers = self._headers | {
            "Content-Type": "application/json" if body.startswith(b"{") else "text/plain; charset=utf-8",
            "Beagle-Source": source,
            "Beagle-Sequence": str(sequence),
        }
        if time.monotonic() - self._used_at > _STALE_AFTER:
            self._connection.close()  # it opens again by itself
        try:
            self._connection.request("POST", self._path, body, headers)
            answer = self._connection.getresponse()
            said, after = answer.read(), answer.headers.get("Retry-After", "")
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise _away(error) from error
        self._used_at = time.monotonic()
        if not 200 <= answer.status < 300:
            raise _trouble(answer.status, said, after)

    def tend(self) -> None:
        """Nothing is to be done while nothing is sent."""

    def close(self) -> None:
        self._connection.close()


def _away(error: Exception) -> Away:
    return Away(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)


def _trouble(status: int, said: bytes, after: str) -> Exception:
    sentence = _sentence(said) or f"it answered with status {status}"
    if status in _SHUT_OUT:
        return Refused(f"it does not let this program in: {sentence}")
    if status in _TRY_AGAIN or status >= 500:
        return Busy(sentence, min(float(after), _LONGEST_PAUSE) if after.isascii() and after.isdigit() else 0.0)
    return Refused(sentence)


def _sentence(said: bytes) -> str:
    """What a gateway says went wrong; what is before it, such as a proxy, says other things."""
    with suppress(ValueError, KeyError, TypeError):
        return " ".join(str(json.loads(said)["error"]["message"]).split())[:500]
    return ""
