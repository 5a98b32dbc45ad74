"""The log of an actor process, on standard error: lines for people or JSON for machines, each with the actor, the
experiment and the attempt that it belongs to, and none with a secret in it.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from beagle.redaction import redacted

# What the thread is about just now: one message of one actor.
_about: ContextVar[dict[str, Any]] = ContextVar("about")


@contextmanager
def about(**fields: object) -> Iterator[None]:
    """What is logged inside belongs to these."""
    token = _about.set(dict(fields))
    try:
        yield
    finally:
        _about.reset(token)


def learn(**fields: object) -> None:
    """More of what it is about, known by now; only inside `about`."""
    _about.get({}).update(fields)


def identity(message: object) -> dict[str, Any]:
    """What a message is about, as far as it says."""
    return {name: getattr(message, name) for name in ("experiment", "attempt", "project") if hasattr(message, name)}


class Lines(logging.Formatter):
    """`2026-05-01T10:00:00.123Z INFO Launcher experiment=… attempt=1 actors.launcher: …`."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._secrets = frozenset(secrets)

    def format(self, record: logging.LogRecord) -> str:
        fields = dict(_about.get({}))
        actor = fields.pop("actor", "")
        words = [_moment(record), record.levelname, *([actor] if actor else [])]
        words += [f"{name}={value}" for name, value in fields.items()]
        return redacted(f"{' '.join(words)} {record.name}: {self.text(record)}", self._secrets)

    def text(self, record: logging.LogRecord) -> str:
        """The sentence, and below it the traceback of an unexpected error."""
        sentence = _one_line(record.getMessage())
        return f"{sentence}\n{self.formatException(record.exc_info)}" if record.exc_info else sentence


class Json(Lines):
    """One object on each line: time, level, logger, message and what it is about; `traceback` of the unexpected."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": _moment(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_about.get({}),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        hidden = {
            name: redacted(value, self._secrets) if isinstance(value, str) else value for name, value in entry.items()
        }
        return json.dumps(hidden, ensure_ascii=False, default=str)


def begin(form: str, level: str, secrets: Iterable[str]) -> None:
    """From now on everything that is logged in this process goes to standard error."""
    formatter = Json(secrets) if form == "json" else Lines(secrets)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.DEBUG if level == "debug" else logging.CRITICAL)
    logging.raiseExceptions = False  # standard error may be a pipe that nobody reads any more


# Drivers tell each failed attempt, with a traceback; ours say it once, in a sentence.
_NOISY = ("pika", "pymongo", "urllib3")


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _one_line(text: str) -> str:
    """What came from outside must not look like a line of its own."""
    return text.replace("\r", "\\r").replace("\n", "\\n")
