"""Records as documents, and the lists of `INDEXES` as indexes and as conditions that read a range of one.

A document is the id, the fields that indexes name, and the whole record as JSON; the names of what is ours begin with
an underscore. A field that is None is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import TypeVar

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, IndexModel

from beagle.errors import InvalidInput
from beagle.experiment import Value
from beagle.ports import INDEXES, Index, Record
from beagle.stores.codec import Codec, columns, reader
from beagle.stores.mongodb_database import Document

K = TypeVar("K")

_MOST_BYTES = 15_000_000  # of the 16 MiB that a document may have

# How many writes of a record are remembered, so that one whose answer was lost is known again.
KEPT = 8


class Documents:
    """Those of one kind of record."""

    def __init__(self, kind: type[Record], codec: Codec) -> None:
        self.name = kind.__name__.lower()
        self._codec = codec
        self._indexes = INDEXES[kind]
        self._columns = columns(kind)
        self._read = reader(self._columns)

    def indexes(self) -> list[IndexModel]:
        return [
            IndexModel(
                _keys(index, ASCENDING),
                name=name,
                **({"partialFilterExpression": {index.where: {"$exists": True}}} if index.where else {}),
            )
            for name, index in self._indexes.items()
            if self.hint(name) == name
        ]

    def hint(self, name: str) -> str:
        """What the server calls the index: that of the id alone is there always, and goes by one name."""
        return "_id_" if self.sort(name, descending=False) == [("_id", ASCENDING)] else name

    def new(self, record: Record, write: ObjectId) -> Document:
        """Raises `InvalidInput` for what cannot be stored."""
        return {"_id": record.id, "_born": write, **self.changes(record)["$set"]}

    def changes(self, record: Record) -> dict[str, Document]:
        """The update that makes a document that of `record`. Raises `InvalidInput` for what cannot be stored."""
        found = dict(zip(self._columns, map(plain, self._read(record)), strict=True))
        kept = {field: value for field, value in found.items() if value is not None}
        checked(*kept.values(), record.version)
        body = self._codec.encode(record)
        if len(body) > _MOST_BYTES // 4 and len(body.encode()) > _MOST_BYTES:
            raise InvalidInput([f"MongoDB cannot hold this value: {record.id[:50]!r} has more than 15 MB"])
        update = {"$set": {"_version": record.version, "_body": body, **kept}}
        return update if len(kept) == len(found) else {**update, "$unset": dict.fromkeys(found.keys() - kept, "")}

    def emptied(self) -> dict[str, Document]:
        """The update that leaves nothing of a record."""
        return {"$set": {"_version": -1}, "$unset": dict.fromkeys(("_body", *self._columns), "")}

    def sort(self, name: str, *, descending: bool) -> list[tuple[str, int]]:
        """The whole key of the index, so that it is read in its order and nothing is sorted."""
        return _keys(self._indexes[name], DESCENDING if descending else ASCENDING)

    def all(self, name: str, equal: Sequence[Value | None]) -> Document:
        """Whatever the index holds for `equal`."""
        index = self._indexes[name]
        condition: Document = {
            _key(field): {"$eq": plain(value)} for field, value in zip(index.equal, equal, strict=True)
        }
        # What is left of a removed record has none of its fields; it must not be listed where nothing else is asked.
        present = index.where or (None if index.equal else index.order[0])
        return {**condition, _key(present): {"$exists": True}} if present else condition

    def beyond(
        self, name: str, equal: Sequence[Value | None], place: Sequence[Value | None], compared: str
    ) -> list[Document]:
        """What stands on one side of `place`, as ranges of the index from the nearest on.

        Each is equalities and one comparison at the end of a prefix of the key: any planner reads it from its start,
        however far the list has been read. One condition with `$or` would leave that to the planner.
        """
        order = self._indexes[name].order
        found = []
        for last in reversed(range(len(order))):
            condition = self.all(name, equal)
            for field, value in zip(order[:last], place, strict=False):
                condition[_key(field)] = {**condition.get(_key(field), {}), "$eq": plain(value)}
            key = _key(order[last])
            condition[key] = {**condition.get(key, {}), compared: plain(place[last])}
            found.append(condition)
        return found

    def place(self, name: str, record: Record) -> tuple[tuple[Value | None, ...], tuple[Value | None, ...]]:
        """The equality values of a record, and where it stands among them."""
        index = self._indexes[name]
        return reader(index.equal)(record), reader(index.order)(record)


def plain(value: Value | None) -> Value | None:
    """A value as MongoDB knows it."""
    return value.value if isinstance(value, Enum) else value


def checked(*values: Value | None) -> None:
    """Raises `InvalidInput` for a number that is too large, before anything is sent."""
    for value in values:
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise InvalidInput([f"MongoDB cannot hold this value: {value} has more than 64 bits"])


def firsts(keys: Iterable[K], new: AbstractSet[K]) -> list[bool]:
    """Of each whether it is new: of equal ones only the first is."""
    left, found = set(new), []
    for key in keys:
        found.append(key in left)
        left.discard(key)
    return found


def _keys(index: Index, direction: int) -> list[tuple[str, int]]:
    return [(_key(field), direction) for field in (*index.equal, *index.order)]


def _key(field: str) -> str:
    return "_id" if field == "id" else field
