"""One MongoDB database: its address, what is tried again, and what its errors mean.

A write whose answer was lost is tried again, and `work` is told: it finds out by what it wrote whether the first try
was done. pymongo's own retries need a replica set, and a standalone server must do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from time import monotonic
from typing import Any, TypeVar

from bson.errors import BSONError
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    DocumentTooLarge,
    InvalidOperation,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)
from pymongo.uri_parser import parse_uri

from beagle.errors import InvalidInput, Unavailable

T = TypeVar("T")
Document = dict[str, Any]

DEFAULT_NAME = "beagle"
# How long the outcome of a write whose answer was lost is looked for.
_PATIENCE = 10.0
# An address may say otherwise.
_TIMES = {
    "serverSelectionTimeoutMS": 3000,
    "connectTimeoutMS": 3000,
    "socketTimeoutMS": 8000,
    "wTimeoutMS": 6000,
}
# No address may: what is promised rests on them.
_FIXED = {
    "w": "majority",
    "journal": True,
    "readPreference": "primary",
    "retryWrites": False,
    "retryReads": False,
    "appname": "beagle",
}
# Whoever asks so soon after the server was not found is told so at once, instead of waiting for it as well.
_KNOWN_AWAY = 1.0
_DUPLICATE = 11000
_INVALID = (OverflowError, UnicodeEncodeError, BSONError, DocumentTooLarge)
_TOO_LARGE = 10334
_MEANINGS = {
    13: "this user may not do it; give it the role readWrite on this database",
    18: "it refused the user's name or password; check both, and the authSource",
    50: "it took too long; see what it is busy with",
    64: "too few members of its replica set confirmed it in time; see that most of them run",
    14031: "its disk is full; free some space and try again",
}


@dataclass(frozen=True, slots=True)
class Server:
    """What serves the database; its `clock` in seconds since the epoch, None when it does not say."""

    version: str
    clock: float | None


class MongoDatabase:
    """Safe from any thread. Raises `InvalidInput` for an address that is none."""

    def __init__(self, url: str) -> None:
        try:
            parsed = parse_uri(url)
            options: Document = {name: _TIMES[name] for name in _TIMES if name not in parsed["options"]} | _FIXED
            self._client: MongoClient[Document] = MongoClient(url, **options)
        except (PyMongoError, ValueError) as error:
            # Not a word of pymongo's: it quotes parts of the address, and the password may be among them.
            like = (
                "it must be like mongodb://user:password@host:27017/beagle, special characters in it as %40 and so on"
            )
            raise InvalidInput([f"the address of the store is none of a MongoDB database: {like}"]) from error
        hosts = ", ".join(f"{host}:{port}" if port else host for host, port in parsed["nodelist"])
        self._database = self._client[parsed["database"] or DEFAULT_NAME]
        self._open = True
        self._away_until = 0.0
        self.place = f"the MongoDB database {self._database.name} at {hosts}"

    def server(self) -> Server:
        about, now = self._client.server_info(), self._client.admin.command("isMaster").get("localTime")
        return Server(str(about.get("version")), now.replace(tzinfo=UTC).timestamp() if now else None)

    def collection(self, name: str) -> Collection[Document]:
        return self._database[name]

    def collections(self) -> list[str]:
        return self._database.list_collection_names()

    def run(self, work: Callable[[bool], T], *, patient: bool = True) -> T:
        """What `work` returns. After a lost answer it is called again, with True: what it wrote may have been done.

        Whoever is `patient` waits for the server then, to learn whether it was. Raises `Unavailable`, or `InvalidInput`
        for a value that cannot be held.
        """
        deadline = monotonic() + _PATIENCE
        again = False
        while True:
            if not self._open:
                raise Unavailable(f"{self.place} has been closed")
            if not again and monotonic() < self._away_until:
                raise self._away()
            try:
                done = work(again)
            except ServerSelectionTimeoutError as error:
                self._away_until = monotonic() + _KNOWN_AWAY
                if not (again and patient) or monotonic() > deadline:
                    raise self._meaning(error) from error
            except AutoReconnect as error:
                if monotonic() > deadline:
                    raise self._meaning(error) from error
                again = True
            except (PyMongoError, *_INVALID) as error:
                raise self._meaning(error) from error
            else:
                self._away_until = 0.0
                return done

    def repeat(self, work: Callable[[], T]) -> T:
        """As `run`, of what does no harm when it is done again."""
        return self.run(lambda _: work(), patient=False)

    def unknown(self, why: str) -> Unavailable:
        return Unavailable(f"{self.place}: {why}; it may have been done or not")

    def _away(self) -> Unavailable:
        return Unavailable(f"{self.place} cannot be reached or has no primary; check that it runs")

    def close(self) -> None:
        """Later calls raise `Unavailable`. Closing again does nothing."""
        self._open = False
        self._client.close()

    def _meaning(self, error: Exception) -> Exception:
        match error:
            case ServerSelectionTimeoutError():
                return self._away()
            case NotPrimaryError():
                return self.unknown("the server is not the primary, or is going down")
            case AutoReconnect():
                return self.unknown("the connection was lost before the answer")
            case InvalidOperation():
                return Unavailable(f"{self.place} has been closed")
            case OperationFailure():
                return self._failure(error)
            case PyMongoError() if not isinstance(error, _INVALID):
                return Unavailable(f"{self.place}: {error}")
        return InvalidInput([f"{self.place} cannot hold this value: {error}"])

    def _failure(self, error: OperationFailure) -> Exception:
        details: Document = dict(error.details or {})
        if isinstance(error, BulkWriteError):
            details = next(iter([*details["writeErrors"], *details["writeConcernErrors"]]), details)
        code, told = details.get("code", error.code), details.get("errmsg", "it gave no reason")
        if code == _TOO_LARGE:
            return InvalidInput([f"{self.place} cannot hold this value: {told}"])
        return Unavailable(f"{self.place}: {_MEANINGS.get(code or 0, told)} (error {code})")


def duplicates(error: BulkWriteError) -> list[int]:
    """The positions of what was not inserted because it exists. Raises `error` when anything else went wrong."""
    found = error.details["writeErrors"]
    if error.details["writeConcernErrors"] or any(each["code"] != _DUPLICATE for each in found):
        raise error
    return [each["index"] for each in found]
