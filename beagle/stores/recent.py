"""The records that a store has lately read or written, so that the next `get` of one costs no query.

Only for a store that is the one writer of its file. Records are immutable, so one object serves everyone.
"""

from __future__ import annotations

from collections.abc import Iterable

from beagle.ports import R, Record

_MOST = 8192


class Recent:
    """`put` and `drop` are for whoever holds the file's lock, so that none is older than what is committed.

    `get` is safe from any thread without it.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._records: dict[tuple[type[Record], str], Record] = {}

    def get(self, kind: type[R], id: str) -> R | None:
        return self._records.get((kind, id))  # type: ignore[return-value]  # the key says its kind

    def put(self, record: Record) -> None:
        key = (type(record), record.id)
        self._records.pop(key, None)
        self._records[key] = record
        if len(self._records) > self._most:
            del self._records[next(iter(self._records))]

    def drop(self, kind: type[Record], ids: Iterable[str]) -> None:
        for id in ids:  # noqa: A001 - the word of the port
            self._records.pop((kind, id), None)
