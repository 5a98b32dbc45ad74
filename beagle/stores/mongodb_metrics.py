"""Metrics in MongoDB: each once, and numbered in the order in which they were stored.

The ordinal of a metric is one more than the last one's of its attempt, and unique: whoever guesses it wrong, because
another stored some meanwhile, inserts nothing, looks and tries again. So a number is only given when all before it are
there, and a reader that goes on behind one misses none.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from threading import Lock

from bson import ObjectId
from pymongo import IndexModel
from pymongo.errors import BulkWriteError

from beagle.errors import InvalidInput
from beagle.experiment import Value
from beagle.records import Metric
from beagle.stores.codec import Codec
from beagle.stores.mongodb_database import Document, MongoDatabase, duplicates
from beagle.stores.mongodb_documents import checked, firsts
from beagle.stores.together import Together

NAME = "metric"
SERIES = IndexModel([("experiment", 1), ("attempt", 1), ("ordinal", 1)], name="series", unique=True)
_BACKWARDS = [("experiment", -1), ("attempt", -1), ("ordinal", -1)]
_MOST_KNOWN = 4096

Series = tuple[str, int]


class Metrics:
    """Safe from any thread and any number of processes."""

    def __init__(self, database: MongoDatabase, codec: Codec) -> None:
        self._database = database
        self._collection = database.collection(NAME)
        self._codec = codec
        self._last: dict[Series, int] = {}
        self._lock = Lock()
        self.append = Together(self._append).append

    def _append(self, metrics: Sequence[Metric]) -> list[bool]:
        write = ObjectId()
        keys = [_key(metric) for metric in metrics]
        documents: dict[str, Document] = {}
        for key, metric in zip(keys, metrics, strict=True):
            documents.setdefault(key, self._document(key, metric, write))
        left, new = list(documents.values()), set[str]()
        self._database.run(lambda again: self._store(left, new, write, again=again))
        return firsts(keys, new)

    def page(self, experiment: str, attempt: int, start: Value, most: int) -> list[tuple[int, Metric]]:
        """Each with its ordinal, from behind `start` on."""
        condition = {"experiment": experiment, "attempt": attempt, "ordinal": {"$gt": start}}
        order = [("experiment", 1), ("attempt", 1), ("ordinal", 1)]
        rows = self._database.repeat(
            lambda: list(self._collection.find(condition, sort=order, limit=most, batch_size=most, hint="series"))
        )
        return [(row["ordinal"], self._metric(row)) for row in rows]

    def remove(self, experiments: Sequence[str]) -> None:
        self._collection.delete_many({"experiment": {"$in": list(experiments)}}, hint="series")
        with self._lock:
            for series in [each for each in self._last if each[0] in experiments]:
                del self._last[series]

    def _store(self, left: list[Document], new: set[str], write: ObjectId, *, again: bool) -> None:
        """Insert what is `left`, which shrinks, and name in `new` what was."""
        if again:
            self._sort_out(left, new, write)
        while left:
            self._number(left)
            try:
                self._collection.insert_many(left, ordered=True)
                inserted = len(left)
            except BulkWriteError as error:
                inserted = duplicates(error)[0]
            new.update(document["_id"] for document in left[:inserted])
            self._learn({_series(document): document["ordinal"] for document in left[:inserted]})
            del left[:inserted]
            if left:
                self._sort_out(left, new, write)

    def _sort_out(self, left: list[Document], new: set[str], write: ObjectId) -> None:
        """Keep what is not stored yet, and look where its attempts are by now."""
        ids = [document["_id"] for document in left]
        stored = {each["_id"]: each["write"] for each in self._collection.find({"_id": {"$in": ids}}, {"write": 1})}
        new.update(key for key, by in stored.items() if by == write)
        left[:] = [document for document in left if document["_id"] not in stored]
        self._learn({series: self._ask(series) for series in {_series(document) for document in left}})

    def _number(self, left: list[Document]) -> None:
        with self._lock:
            last = {series: self._last.get(series, 0) for series in map(_series, left)}
        for document in left:
            last[_series(document)] += 1
            document["ordinal"] = last[_series(document)]

    def _learn(self, last: dict[Series, int]) -> None:
        with self._lock:
            for series, ordinal in last.items():
                self._last.pop(series, None)
                self._last[series] = ordinal
            while len(self._last) > _MOST_KNOWN:
                del self._last[next(iter(self._last))]

    def _ask(self, series: Series) -> int:
        experiment, attempt = series
        condition = {"experiment": experiment, "attempt": attempt}
        found = self._collection.find_one(condition, {"ordinal": 1}, sort=_BACKWARDS, hint="series")
        return found["ordinal"] if found else 0

    def _document(self, key: str, metric: Metric, write: ObjectId) -> Document:
        checked(metric.attempt, metric.sequence, metric.step)
        body, refusals = self._codec.encode_report(metric)
        optional = {"step": metric.step, "refusals": refusals}
        return {
            "_id": key,
            "write": write,
            "experiment": metric.experiment,
            "attempt": metric.attempt,
            "time": metric.time,
            "body": body,
            **{name: value for name, value in optional.items() if value is not None},
        }

    def _metric(self, row: Document) -> Metric:
        experiment, attempt, source, sequence = json.loads(row["_id"])
        values, refusals = self._codec.decode_report(row["body"], row.get("refusals"))
        return Metric(
            experiment=experiment,
            attempt=attempt,
            source=source,
            sequence=sequence,
            time=row["time"],
            values=values,
            step=row.get("step"),
            refusals=refusals,
        )


def _key(metric: Metric) -> str:
    key = json.dumps([metric.experiment, metric.attempt, metric.source, metric.sequence], ensure_ascii=False)
    try:
        key.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput([f"MongoDB cannot hold this value: {error}"]) from error
    return key


def _series(document: Document) -> Series:
    return document["experiment"], document["attempt"]
