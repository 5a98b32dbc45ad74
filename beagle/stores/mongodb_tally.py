"""How many experiments are in each state: exact, although no write spans two documents.

An experiment carries two marks, as what it is counted in the tally of all and in that of its project. Whatever changes
it sets `_dirty` on it, in the same write. The counts are a tally corrected by what is dirty, so they are exact at any
moment; `fold` only keeps the dirty ones few.

`fold` adds a batch to a tally by one write that notes the batch there too, then brings the marks up to date, then drops
the note. Each mark is unique and changes only from the very one that was counted: so a batch whose folder died or slept
in the middle is finished by the next one, and none is counted twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from bson import ObjectId
from pymongo import DeleteOne, IndexModel, UpdateOne
from pymongo.errors import DuplicateKeyError

from beagle.experiment import Experiment, State
from beagle.stores.mongodb_database import Document, MongoDatabase

DIRTY = IndexModel([("_dirty", 1)], name="dirty", partialFilterExpression={"_dirty": True})
BUSY = IndexModel([("_busy", 1)], name="busy", partialFilterExpression={"_busy": True})
NAME = "tally"
_ALL = "all"
_MARKS = ("_in_all", "_in_project")
_READ = dict.fromkeys((*_MARKS, "project", "state", "_gone"), 1)
_BATCH = 500
_MOST_BATCHES = 100
_TRIES = 5


class _Counted(NamedTuple):
    """A tally, and the state under which it counts an experiment; both empty when none does."""

    tally: str = ""
    state: str = ""


class _Move(NamedTuple):
    """What one tally is about to take in: a mark of an experiment, from what it is to what it will be."""

    id: str
    field: str
    tally: str
    before: str
    after: str
    lost: str
    gained: str


def unmarked(write: ObjectId) -> Document:
    """What the document of a new experiment carries: it is counted nowhere yet."""
    return {"_dirty": True, **dict.fromkeys(_MARKS, _text(_Counted(), write))}


class Tally:
    """Safe from any thread and any number of processes. A call that failed may be repeated."""

    def __init__(self, database: MongoDatabase) -> None:
        self._experiments = database.collection(Experiment.__name__.lower())
        self._tallies = database.collection(NAME)

    def counts(self, project: str | None) -> dict[State, int]:
        name = _ALL if project is None else _of(project)
        for _ in range(_TRIES):
            tally = self._tallies.find_one(name) or {}
            self._finish(tally)
            dirty = self._dirty()
            # Unless another was folded meanwhile, what is dirty and what the tally holds belong together.
            if (self._tallies.find_one(name, {"_stamp": 1}) or {}).get("_stamp") == tally.get("_stamp"):
                break
        found = Counter[str](tally.get("n", {}))
        for document in dirty:
            for field, wanted in _wanted(document).items():
                counted = _counted(document[field])
                found[counted.state] -= counted.tally == name
                found[wanted.state] += wanted.tally == name
        if len(dirty) >= _BATCH:
            self.fold()
        return {state: found[state] for state in State}

    def fold(self) -> None:
        """Finish what another left, and take in what is dirty. Costs two reads of nothing when nothing is."""
        for tally in self._tallies.find({"_busy": True}, hint="busy"):
            self._finish(tally)
        for _ in range(_MOST_BATCHES):
            names = {move.tally for document in self._dirty(_BATCH) for move in _moves(document)}
            # The tallies first, then what is dirty: if another folds in between, the stamp tells.
            tallies = [self._opened(name) for name in names]
            dirty = self._dirty(_BATCH)
            self._take_in(tallies, dirty)
            if len(dirty) < _BATCH:
                return

    def _take_in(self, tallies: list[Document], dirty: list[Document]) -> None:
        moves = {document["_id"]: list(_moves(document)) for document in dirty}
        noted = [note for tally in tallies if (note := self._note(tally, [*_flat(moves, tally["_id"])]))]
        names = {tally["_id"] for tally in noted}
        ready = [each for each in dirty if {move.tally for move in moves[each["_id"]]} <= names]
        writes = [_marking(document, moves[document["_id"]]) for document in ready]
        done = self._experiments.bulk_write(writes, ordered=False) if writes else None
        complete = len(ready) == len(dirty) and done and done.matched_count + done.deleted_count == len(dirty)
        for tally in noted:
            if complete:
                self._clear(tally)
            else:
                self._finish(tally)

    def _note(self, tally: Document, moves: list[_Move]) -> Document | None:
        """The tally after it took `moves` in; None when another changed it since it was read."""
        change = Counter[str]()
        for move in moves:
            change[move.lost] -= 1
            change[move.gained] += 1
        del change[""]
        after = {
            "_stamp": ObjectId(),
            "_busy": True,
            "_moves": [[move.id, move.field, move.before, move.after] for move in moves],
            "n": {state: tally["n"].get(state, 0) + change[state] for state in {*tally["n"], *change}},
        }
        key = {"_id": tally["_id"], "_stamp": tally["_stamp"], "_busy": {"$exists": False}}
        if not moves or self._tallies.update_one(key, {"$set": after}).matched_count == 0:
            return None
        return {"_id": tally["_id"], **after}

    def _finish(self, tally: Document) -> None:
        """Bring the marks up to date that a note names, and drop the note. Nothing where there is none."""
        if not tally.get("_busy"):
            return
        # Dirty again: another may have seen it with the old mark, and found nothing left to do.
        writes = [
            UpdateOne({"_id": id, field: before}, {"$set": {field: after, "_dirty": True}})
            for id, field, before, after in tally["_moves"]  # noqa: A001 - the word of the port
        ]
        self._experiments.bulk_write(writes, ordered=False)
        self._clear(tally)

    def _clear(self, tally: Document) -> None:
        key = {"_id": tally["_id"], "_stamp": tally["_stamp"]}
        if any(tally["n"].values()):
            self._tallies.update_one(key, {"$unset": {"_busy": "", "_moves": ""}})
        else:
            self._tallies.delete_one(key)  # projects come and go

    def _opened(self, name: str) -> Document:
        """The tally of that name, with nothing noted: marks read from now on are those that it counts."""
        found = self._tallies.find_one(name)
        if found is None:
            found = {"_id": name, "_stamp": ObjectId(), "n": {}}
            try:
                self._tallies.insert_one(found)
            except DuplicateKeyError:
                return self._opened(name)
        self._finish(found)
        return found

    def _dirty(self, limit: int = 0) -> list[Document]:
        return list(self._experiments.find({"_dirty": True}, _READ, limit=limit, hint="dirty", batch_size=10_000))


def _flat(moves: dict[str, list[_Move]], tally: str) -> Iterator[_Move]:
    return (move for each in moves.values() for move in each if move.tally == tally)


def _moves(document: Document) -> Iterator[_Move]:
    """What must be taken in so that its marks say what it is. What changes project leaves the old tally first."""
    for field, wanted in _wanted(document).items():
        counted = _counted(document[field])
        if counted == wanted:
            continue
        after = _Counted() if counted.tally not in ("", wanted.tally) else wanted
        tally, text = counted.tally or wanted.tally, _text(after, ObjectId())
        yield _Move(document["_id"], field, tally, document[field], text, counted.state, after.state)


def _marking(document: Document, moves: list[_Move]) -> UpdateOne | DeleteOne:
    """What changes the marks of a document that is still as it was read; what is gone and counted nowhere goes."""
    exact = {key: document[key] for key in ("_id", *_MARKS, "project", "state", "_gone") if key in document}
    marks = {move.field: move.after for move in moves}
    settled = all(_counted({**document, **marks}[field]) == wanted for field, wanted in _wanted(document).items())
    if settled and "_gone" in document:
        return DeleteOne(exact)
    update: Document = {"$set": marks} if marks else {}
    return UpdateOne(exact, {**update, "$unset": {"_dirty": ""}} if settled else update)


def _wanted(document: Document) -> dict[str, _Counted]:
    if "_gone" in document:
        return dict.fromkeys(_MARKS, _Counted())
    state = document["state"]
    return {"_in_all": _Counted(_ALL, state), "_in_project": _Counted(_of(document["project"]), state)}


def _of(project: str) -> str:
    return f"project {project}"


def _counted(mark: str) -> _Counted:
    tally, state, _ = mark.rsplit("|", 2)
    return _Counted(tally, state)


def _text(counted: _Counted, unique: ObjectId) -> str:
    return f"{counted.tally}|{counted.state}|{unique}"
