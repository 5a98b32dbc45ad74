"""The store of many processes: a MongoDB database with a collection for each kind of record, built from `INDEXES`.

Each call is one round trip where nothing goes wrong, but for counts, removals and what goes on behind a cursor. Every
write is one document's; a standalone server will do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import partial

from bson import ObjectId
from pymongo import UpdateOne
from pymongo.collection import Collection
from pymongo.cursor import Cursor as Reading
from pymongo.errors import BulkWriteError, DuplicateKeyError

from beagle.errors import InvalidInput
from beagle.experiment import Experiment, State, Value
from beagle.ports import INDEXES, Cursor, Page, R, Record
from beagle.records import Metric
from beagle.stores import mongodb_metrics, mongodb_tally
from beagle.stores.codec import Codec, checked_limit, read_cursor, reader, write_cursor
from beagle.stores.mongodb_database import Document, MongoDatabase, Server, duplicates
from beagle.stores.mongodb_documents import KEPT, Documents, checked, firsts
from beagle.stores.mongodb_metrics import Metrics
from beagle.stores.mongodb_tally import Tally, unmarked

VERSION = 1
_VERSIONS = "beagle"


class MongoStore:
    """`Store` in the database that `url` names, `beagle` when it names none. Any number of processes share it.

    `lazy` means nothing here. Raises `InvalidInput` for an address that is none and for a database of another program
    or version, `Unavailable` when it cannot be reached.
    """

    def __init__(self, url: str) -> None:
        self._codec = Codec()
        self._database = MongoDatabase(url)
        self._documents = {kind: Documents(kind, self._codec) for kind in INDEXES}
        self._collections = {kind: self._database.collection(each.name) for kind, each in self._documents.items()}
        self._metrics = Metrics(self._database, self._codec)
        self._tally = Tally(self._database)
        try:
            self._database.repeat(self._prepare)
        except BaseException:
            self._database.close()
            raise

    def add(self, records: Sequence[Record], *, lazy: bool = False) -> list[bool]:  # noqa: ARG002 - the port's
        """As the port says. Each record is stored for itself: when the store fails in the middle, some are."""
        write = ObjectId()
        groups: dict[type[Record], dict[str, Document]] = defaultdict(dict)
        for record in records:
            if record.id not in groups[type(record)]:
                groups[type(record)][record.id] = self._documents[type(record)].new(record, write)
        new = {
            (kind, key)
            for kind, documents in groups.items()
            for key in self._database.run(partial(self._insert, kind, documents, write))
        }
        return firsts(((type(record), record.id) for record in records), new)

    def get(self, kind: type[R], id: str) -> R | None:
        """None when no record has this id."""
        found = self._database.repeat(lambda: self._collections[kind].find_one({"_id": id}, {"_body": 1}))
        return self._codec.decode(kind, found["_body"]) if found and "_body" in found else None

    def replace(self, before: R, after: R, *, lazy: bool = False) -> bool:  # noqa: ARG002 - the port's
        """As the port says."""
        if (type(before), before.id, before.version + 1) != (type(after), after.id, after.version):
            raise ValueError(f"{after.id} version {after.version} does not follow {before.id} version {before.version}")
        collection, write = self._collections[type(after)], ObjectId()
        update = self._documents[type(after)].changes(after)
        if type(after) is Experiment:
            update["$set"]["_dirty"] = True
        update["$push"] = {"_writes": {"$each": [write], "$slice": -KEPT}}
        key = {"_id": after.id, "_version": before.version}

        def work(again: bool) -> bool:  # noqa: FBT001 - as `run` calls it
            if collection.update_one(key, update).matched_count:
                return True
            return again and self._was_done(collection, key, write)

        return self._database.run(work)

    def page(
        self,
        kind: type[R],
        index: str,
        equal: Sequence[Value] = (),
        *,
        after: Cursor | None = None,
        limit: int = 100,
        descending: bool = False,
    ) -> Page[R]:
        """As the port says. Raises `InvalidInput` for a cursor of another list and for a limit below 1."""
        documents, order = self._documents[kind], INDEXES[kind][index].order
        scope = (kind.__name__, index, *equal, descending)
        most = checked_limit(limit) + 1
        checked(most)
        if after is None:
            conditions = [documents.all(index, equal)]
        else:
            place = read_cursor(scope, after, len(order))
            conditions = documents.beyond(index, equal, place, "$lt" if descending else "$gt")
        sort, collection = documents.sort(index, descending=descending), self._collections[kind]
        rows: list[Document] = []
        hint = documents.hint(index)
        for condition in conditions:
            if len(rows) < most:
                piece = collection.find(
                    condition, {"_body": 1}, sort=sort, limit=most - len(rows), batch_size=most, hint=hint
                )
                rows += self._database.repeat(partial(_all, piece))
        records = [self._codec.decode(kind, row["_body"]) for row in rows[:limit]]
        return Page(records, write_cursor(scope, reader(order)(records[-1])) if len(rows) == most else None)

    def rank_of(self, record: R, index: str, *, most: int) -> int:
        """As the port says; 0 for one that is not in the index because its `where` field is None."""
        documents, collection = self._documents[type(record)], self._collections[type(record)]
        equal, place = documents.place(index, record)
        found = 0
        if None not in place:
            for condition in documents.beyond(index, equal, place, "$lt"):
                if found < most:
                    left = most - found
                    found += self._database.repeat(
                        partial(collection.count_documents, condition, limit=left, hint=documents.hint(index))
                    )
        return found

    def counts(self, project: str | None = None) -> dict[State, int]:
        """As the port says; exact."""
        return self._database.repeat(lambda: self._tally.counts(project))

    def flush(self) -> None:
        """Nothing: no write is lazy."""

    def repair(self) -> None:
        """As the port says: takes changes into the tallies, so that counts have few to look at."""
        self._database.repeat(self._tally.fold)

    def remove(self, kind: type[R], ids: Sequence[str]) -> None:
        """Those that are not there are left out. An experiment takes its metrics along, before it goes itself."""
        found = {"_id": {"$in": list(ids)}}
        if kind is not Experiment:
            self._database.repeat(lambda: self._collections[kind].delete_many(found))
            return
        self._database.repeat(lambda: self._metrics.remove(ids))
        # An experiment that is counted stays, with nothing that shows it, until the tallies know.
        update = self._documents[kind].emptied()
        update["$set"] |= {"_gone": ObjectId(), "_dirty": True}
        still = {**found, "_gone": {"$exists": False}}
        self._database.repeat(lambda: self._collections[kind].update_many(still, update))

    def remove_metrics(self, experiments: Sequence[str]) -> None:
        """As the port says."""
        self._database.repeat(lambda: self._metrics.remove(experiments))

    def append(self, metrics: Sequence[Metric], *, lazy: bool = False) -> list[bool]:  # noqa: ARG002 - the port's
        """As the port says. Each metric is stored for itself, in order: when the store fails, the first ones are."""
        return self._metrics.append(metrics)

    def metrics(self, experiment: str, attempt: int, *, after: Cursor | None = None, limit: int = 1000) -> Page[Metric]:
        """As the port says. Raises `InvalidInput` for a cursor of another list and for a limit below 1."""
        scope = ("Metric", experiment, attempt)
        (start,) = (0,) if after is None else read_cursor(scope, after, 1)
        most = checked_limit(limit) + 1
        checked(most)
        rows = self._metrics.page(experiment, attempt, start, most)
        records = [metric for _, metric in rows[:limit]]
        return Page(records, write_cursor(scope, [rows[limit - 1][0]]) if len(rows) == most else None)

    def server(self) -> Server:
        """What serves it, for whoever wants to know; the port has no such thing."""
        return self._database.repeat(self._database.server)

    def close(self) -> None:
        """Later calls raise `Unavailable`. Closing again does nothing."""
        self._database.close()

    def _insert(
        self,
        kind: type[Record],
        documents: dict[str, Document],
        write: ObjectId,
        again: bool,  # noqa: FBT001 - as `run` calls it
    ) -> set[str]:
        """The ids of those that were new."""
        collection = self._collections[kind]
        more = unmarked(write) if kind is Experiment else {}
        try:
            collection.insert_many([{**document, **more} for document in documents.values()], ordered=False)
        except BulkWriteError as error:
            ids = list(documents)
            known = [ids[position] for position in duplicates(error)]
        else:
            return set(documents)
        revived = kind is Experiment and self._revive(collection, [documents[key] for key in known])
        mine = {"_id": {"$in": known}, "_born": write}
        ours = {each["_id"] for each in collection.find(mine, {"_id": 1})} if again or revived else set()
        return documents.keys() - known | ours

    def _revive(self, collection: Collection[Document], documents: list[Document]) -> bool:
        """Store those of which only what the tallies count is left; whether there was any."""
        found = {"_id": {"$in": [each["_id"] for each in documents]}, "_gone": {"$exists": True}}
        gone = {each["_id"] for each in collection.find(found, {"_id": 1})}
        writes = [
            UpdateOne(
                {"_id": each["_id"], "_gone": {"$exists": True}},
                {"$set": {**each, "_dirty": True}, "$unset": {"_gone": "", "_writes": ""}},
            )
            for each in documents
            if each["_id"] in gone
        ]
        if writes:
            collection.bulk_write(writes, ordered=False)
        return bool(writes)

    def _was_done(self, collection: Collection[Document], key: Document, write: ObjectId) -> bool:
        found = collection.find_one({"_id": key["_id"]}, {"_version": 1, "_writes": 1}) or {}
        if write in found.get("_writes", ()):
            return True
        if found.get("_version", 0) - key["_version"] > KEPT:
            raise self._database.unknown("the connection was lost, and others have written since")
        return False

    def _prepare(self) -> None:
        self._check_version()
        for kind, documents in self._documents.items():
            indexes = [*documents.indexes(), *([mongodb_tally.DIRTY] if kind is Experiment else [])]
            if indexes:
                self._collections[kind].create_indexes(indexes)
        self._database.collection(mongodb_tally.NAME).create_indexes([mongodb_tally.BUSY])
        self._database.collection(mongodb_metrics.NAME).create_indexes([mongodb_metrics.SERIES])

    def _check_version(self) -> None:
        versions, key = self._database.collection(_VERSIONS), {"_id": "schema"}
        is_empty = {*self._database.collections()} <= {_VERSIONS}
        found = versions.find_one(key)
        if found is None and is_empty:
            try:
                versions.insert_one({**key, "version": VERSION})
            except DuplicateKeyError:  # another process was faster
                return self._check_version()
            return None
        place = self._database.place
        if found is None:
            raise InvalidInput([f"{place} holds the data of another program: name another database"])
        if found["version"] != VERSION:
            wrong = f"{place} has the schema of version {found['version']}, and this Beagle writes version {VERSION}"
            raise InvalidInput([f"{wrong}: use the Beagle that wrote it, or name another database"])
        return None


def _all(cursor: Reading[Document]) -> list[Document]:
    return list(cursor.clone())  # as new: it may be read again
