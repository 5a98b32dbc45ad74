"""The SQL of the SQLite store, built from `INDEXES`. Each text is built once, so that sqlite3 compiles it once."""

# ruff: noqa: S608  # the texts are made of the names of our own classes and fields; what callers give is bound

from __future__ import annotations

from beagle.experiment import Value
from beagle.ports import INDEXES, Index, Record
from beagle.stores.codec import columns, reader

# `tally` counts the experiments of a project in each state, and those of all projects under the number 0, which no text
# equals.
# Measured with 480,000 metrics of 16 experiments at a time: a number for each attempt and rows clustered behind it take
# 81 bytes and 15 µs a metric, 1.1 ms for a page of 1,000; a table in order of arrival with an index over (experiment,
# attempt) takes 165 bytes, 16 µs and 3.8 ms.
# `series` is INTEGER because `number` is: with no type it would not be searched by its key.
_REST = """
CREATE TABLE tally (project, state, n, PRIMARY KEY (project, state)) WITHOUT ROWID;

CREATE TRIGGER experiment_added AFTER INSERT ON experiment BEGIN
    INSERT INTO tally VALUES (new.project, new.state, 1), (0, new.state, 1)
    ON CONFLICT (project, state) DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER experiment_moved AFTER UPDATE OF project, state ON experiment
WHEN old.state IS NOT new.state OR old.project IS NOT new.project BEGIN
    UPDATE tally SET n = n - 1 WHERE project IN (old.project, 0) AND state = old.state;
    INSERT INTO tally VALUES (new.project, new.state, 1), (0, new.state, 1)
    ON CONFLICT (project, state) DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER experiment_removed AFTER DELETE ON experiment BEGIN
    UPDATE tally SET n = n - 1 WHERE project IN (old.project, 0) AND state = old.state;
    DELETE FROM tally WHERE project = old.project AND state = old.state AND n = 0;
END;

CREATE TABLE series (number INTEGER PRIMARY KEY, experiment, attempt, UNIQUE (experiment, attempt));

CREATE TABLE metric (
    series INTEGER, ordinal, source, sequence, time, step, body, refusals,
    PRIMARY KEY (series, ordinal), UNIQUE (series, source, sequence)
) WITHOUT ROWID
"""

COUNTS = "SELECT state, n FROM tally WHERE project = ?"
ALL_PROJECTS = 0

SERIES = "SELECT number FROM series WHERE experiment = ? AND attempt = ?"
ADD_SERIES = "INSERT INTO series (experiment, attempt) VALUES (?, ?)"
ADD_METRIC = """
    INSERT INTO metric (series, ordinal, source, sequence, time, step, body, refusals)
    VALUES (?, (SELECT coalesce(max(ordinal), 0) + 1 FROM metric WHERE series = ?), ?, ?, ?, ?, ?, ?)
    ON CONFLICT (series, source, sequence) DO NOTHING
"""
METRICS = f"""
    SELECT ordinal, source, sequence, time, step, body, refusals FROM metric
    WHERE series = ({SERIES}) AND ordinal > ? ORDER BY ordinal LIMIT ?
"""
REMOVE_METRICS = (
    "DELETE FROM metric WHERE series IN (SELECT number FROM series WHERE experiment = ?)",
    "DELETE FROM series WHERE experiment = ?",
)


def schema() -> tuple[str, ...]:
    """All statements that make an empty database ours."""
    statements = []
    for kind, indexes in INDEXES.items():
        # With a rowid: a table clustered by id was half as fast to fill (ids are random) and no faster to read.
        fields = ", ".join(["id TEXT PRIMARY KEY NOT NULL", "version", *map(_quoted, columns(kind)), "body"])
        statements.append(f"CREATE TABLE {_table(kind)} ({fields})")
        statements += [_index(kind, name, index) for name, index in indexes.items()]
    return (*statements, *_REST.split(";\n\n"))


class Statements:
    """Those of one kind of record. Safe from any thread: a text that two threads build is the same text."""

    def __init__(self, kind: type[Record]) -> None:
        self._table = _table(kind)
        self._indexes = INDEXES[kind]
        self._columns = columns(kind)
        self._updates: dict[tuple[bool, ...], str] = {}
        self._pages: dict[tuple[str, bool, bool], str] = {}
        names = ["id", "version", "body", *map(_quoted, self._columns)]
        marks = ", ".join("?" * len(names))
        # Binds id, version, body, then the columns. OR IGNORE would hold for the triggers too, and drop their counts.
        self.insert = f"INSERT INTO {self._table} ({', '.join(names)}) VALUES ({marks}) ON CONFLICT (id) DO NOTHING"
        self.get = f"SELECT body FROM {self._table} WHERE id = ?"
        self.remove = f"DELETE FROM {self._table} WHERE id = ?"
        self.read = reader(self._columns)

    def update(self, changed: tuple[bool, ...]) -> str:
        """Binds version, body, the changed columns, id, the version before, then the unchanged columns."""
        found = self._updates.get(changed)
        if found is None:
            pairs = list(zip(map(_quoted, self._columns), changed, strict=True))
            sets = ", ".join(["version = ?", "body = ?", *(f"{name} = ?" for name, is_new in pairs if is_new)])
            wheres = " AND ".join(["id = ?", "version = ?", *(f"{name} IS ?" for name, is_new in pairs if not is_new)])
            found = self._updates[changed] = f"UPDATE {self._table} SET {sets} WHERE {wheres}"
        return found

    def page(self, name: str, *, descending: bool, resumed: bool) -> str:
        """Binds the equality values, when `resumed` the order values of the record before, and the limit."""
        found = self._pages.get((name, descending, resumed))
        if found is None:
            index = self._indexes[name]
            way = " DESC" if descending else ""
            order = ", ".join(f"{_quoted(field)}{way}" for field in index.order)
            condition = _condition(index, ("<" if descending else ">") if resumed else "")
            found = f"SELECT id, version, body FROM {self._table}{condition} ORDER BY {order} LIMIT ?"
            self._pages[name, descending, resumed] = found
        return found

    def rank(self, name: str) -> str:
        """Binds the equality values, the order values and the most to count."""
        return f"SELECT count(*) FROM (SELECT 1 FROM {self._table}{_condition(self._indexes[name], '<')} LIMIT ?)"

    def rank_values(self, name: str, record: Record, most: int) -> tuple[Value | None, ...]:
        """What `rank` binds."""
        index = self._indexes[name]
        return (*reader(index.equal + index.order)(record), most)


def _index(kind: type[Record], name: str, index: Index) -> str:
    fields = ", ".join(map(_quoted, (*index.equal, *index.order)))
    where = f" WHERE {_quoted(index.where)} IS NOT NULL" if index.where else ""
    return f"CREATE INDEX {_quoted(f'{_table(kind)}_{name}')} ON {_table(kind)} ({fields}){where}"


def _condition(index: Index, compared: str) -> str:
    terms = [f"{_quoted(field)} = ?" for field in index.equal]
    if index.where:
        terms.append(f"{_quoted(index.where)} IS NOT NULL")
    if compared:
        marks = ", ".join("?" * len(index.order))
        terms.append(f"({', '.join(map(_quoted, index.order))}) {compared} ({marks})")
    return f" WHERE {' AND '.join(terms)}" if terms else ""


def _table(kind: type[Record]) -> str:
    return kind.__name__.lower()


def _quoted(field: str) -> str:
    return f'"{field}"'
