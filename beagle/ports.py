"""What the rules need of the world: a store, an orchestrator, a heuristic. Implementations pass one suite per port."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from beagle.experiment import Experiment, State, Value
from beagle.project import Definition
from beagle.records import (
    Applied,
    Deployment,
    Member,
    Metric,
    Model,
    Observation,
    Place,
    Plan,
    Project,
    Summary,
    System,
)
from beagle.settings import Settings
from beagle.template import Template, Workload

Record = Experiment | Place | Plan | Project | System | Summary | Observation | Applied | Member | Model | Deployment
R = TypeVar("R", Experiment, Place, Plan, Project, System, Summary, Observation, Applied, Member, Model, Deployment)
P = TypeVar("P")
Cursor = str


@dataclass(frozen=True, slots=True)
class Index:
    """Records are listed by equality on `equal`, in the order of `order`; the field `where` must not be None."""

    equal: tuple[str, ...]
    order: tuple[str, ...]
    where: str | None = None


# Every list that Beagle asks for is one of these, so that none needs a scan. Both stores build their indexes from it.
INDEXES: dict[type[Record], dict[str, Index]] = {
    Experiment: {
        "queue": Index(("project", "state"), ("rank", "id")),
        "state": Index(("state",), ("rank", "id")),
        "number": Index(("project",), ("number", "id")),
        "ended": Index(("project",), ("ended_at", "id"), where="ended_at"),
        "name": Index(("name",), ("id",)),
        "removing": Index((), ("removing", "id"), where="removing"),
    },
    Place: {
        "free": Index(("open", "experiment"), ("number", "id")),
        "holder": Index(("experiment",), ("number", "id")),
        "all": Index((), ("number", "id")),
    },
    Project: {
        "state": Index(("state",), ("created_at", "id")),
        "digest": Index(("digest",), ("created_at", "id")),
        "name": Index(("hidden", "name"), ("created_at", "id")),
        "source": Index(("source", "state"), ("created_at", "id")),
        "all": Index(("hidden",), ("created_at", "id")),
    },
    Plan: {},
    System: {},
    Deployment: {},
    Summary: {"objective": Index(("project",), ("objective", "tie", "id"), where="objective")},
    Observation: {"log": Index(("project",), ("ordinal", "id"))},
    Member: {"all": Index((), ("id",))},
    Applied: {"at": Index((), ("at", "id"))},
    Model: {
        "name": Index(("name",), ("created_at", "id")),
        "all": Index((), ("filename", "id")),
    },
}


@dataclass(frozen=True, slots=True)
class Page(Generic[P]):
    """A piece of a list; `next` continues it, None at its end."""

    records: list[P]
    next: Cursor | None


def paged(fetch: Callable[[Cursor | None], Page[P]]) -> Iterator[P]:
    """Every record of a list, from its first page on; each page is fetched when the one before it is used up."""
    after = None
    while True:
        page = fetch(after)
        yield from page.records
        if page.next is None:
            return
        after = page.next


class Store(Protocol):
    """The truth. It knows no rule. Safe from any thread; every call is durable when it returns.

    Raises `Unavailable` when it cannot be done now, and then nothing of it was done. Across a network the answer may be
    lost, and of several records some may be stored: versions and identities keep a repeat from harm.

    A `lazy` write outlives the process, but a loss of power may take it back with all that was written after it: for
    what that makes void anyway.
    """

    def add(self, records: Sequence[Record], *, lazy: bool = False) -> list[bool]:
        """Insert each whose id is new (True); one that exists is left as it is (False)."""

    def get(self, kind: type[R], id: str) -> R | None: ...

    def replace(self, before: R, after: R, *, lazy: bool = False) -> bool:
        """Write `after` if the stored version is still `before.version`; `after.version` must be one more."""

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
        """One page by an index of `INDEXES`. A cursor belongs to the same kind, index, equality and direction."""

    def rank_of(self, record: R, index: str, *, most: int) -> int:
        """How many records stand before `record` in that index (its own equality values), `most` at most."""

    def counts(self, project: str | None = None) -> dict[State, int]:
        """Experiments in each state (every state named), of one project or of all. Does not scan."""

    def remove(self, kind: type[R], ids: Sequence[str]) -> None:
        """Those that are not there are left out. An experiment takes its metrics along."""

    def remove_metrics(self, experiments: Sequence[str]) -> None:
        """All metrics of these experiments, whether there is still a record of them or not."""

    def append(self, metrics: Sequence[Metric], *, lazy: bool = False) -> list[bool]:
        """Store each that is new (True); one known by (experiment, attempt, source, sequence) is a repeat (False)."""

    def metrics(self, experiment: str, attempt: int, *, after: Cursor | None = None, limit: int = 1000) -> Page[Metric]:
        """In the order in which they were stored."""

    def flush(self) -> None:
        """When this returns, what was written lazily before outlives a loss of power too."""

    def repair(self) -> None:
        """Put right what a crash left between writes. Costs little; to be called every few seconds by someone."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A complete line of standard output or of a report file; `offset` is where it begins, in bytes.

    `text` has no line end, and is cut to 64 KiB; `length` is the whole line's, in bytes.
    """

    workload: str
    source: str
    offset: int
    text: str
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Nothing of the workload runs any more, and all its lines have been pushed before this.

    `status` is the exit status, -N for signal N, None when nobody saw it (`lost`) or nothing was ever run (`error`).
    `ended_at` is seconds since the epoch. `tail` is the last lines of the log after a failure. `never` is True when
    a stop came before the start.
    """

    workload: str
    status: int | None
    ended_at: float
    tail: str = ""
    error: str = ""
    lost: bool = False
    out_of_memory: bool = False
    never: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CaughtUp:
    """All lines that an adopted workload had written before the adoption have been pushed.

    Of one that had ended by then it is pushed in one call with `Ended`.
    """

    workload: str


Observed = Line | Ended | CaughtUp


@dataclass(frozen=True, slots=True)
class Log:
    """A piece of a log. `next` is the offset to go on from; `complete` says that nothing will follow."""

    text: str
    next: int
    complete: bool


class Orchestrator(Protocol):
    """Runs workloads. Names are identities: one that ran is never run again under the same name."""

    site: str
    # How many starts may be under way at once, each in a thread of its own: everything else may be called meanwhile,
    # `stop` of the same name too. With 1 they are made in the launcher's own thread, and must not block.
    starts: int

    @staticmethod
    def refusals(template: Template, settings: Settings) -> list[str]:
        """One sentence for each reason why none of this kind runs it, wherever it is: known without asking anything."""

    def check(self, template: Template) -> list[str]:
        """One sentence for each further reason why this one cannot run it, here."""

    def watch(self, listener: Callable[[Sequence[Observed]], None]) -> None:
        """Push what happens to `listener`, in threads of the orchestrator's own, in order per workload.

        What was read in one go is pushed in one call, all of one workload. Called once, before any start. A listener
        that blocks delays reading, and loses nothing.
        """

    def start(self, workload: Workload) -> float:
        """Start it, or adopt the one of that name; returns when it was started (seconds since the epoch).

        After `stop` of that name nothing runs, and `Ended` is pushed with `never`. An adopted one is read from the
        beginning: lines come again, with the same offsets, then `CaughtUp`. Raises `LaunchFailed`, `Unavailable`.
        """

    def stop(self, name: str) -> None:
        """End it, and keep it from ever starting. Returns at once; `Ended` follows when nothing of it runs.

        A start of it that is under way brings up nothing that stays, and returns or raises soon.
        """

    def list(self) -> builtins.list[str]:
        """The names started and not yet cleaned, complete; raises `Unavailable` rather than leave one out."""

    def clean(self, name: str) -> None:
        """Forget an ended workload but for its logs, outputs and the mark that keeps it from starting again."""

    def logs(self, name: str, *, stream: str = "out", offset: int = 0, limit: int = 65536) -> Log:
        """A piece of what it wrote; `stream` is `out` or `err`. A negative offset counts from the end.

        Raises `NotFound` when it never wrote."""

    def close(self) -> None:
        """Stop watching. What runs goes on."""


class Heuristic(Protocol):
    """Which experiments to try. Built from (definition, how many were sent); then told every observation again."""

    def __init__(self, definition: Definition, sent: int) -> None: ...

    @staticmethod
    def check(definition: Definition) -> list[str]:
        """One sentence for each mistake in its section of the definition."""

    @property
    def total(self) -> int | None:
        """How many experiments it will suggest in all; None when only its observations will tell."""

    def observe(self, observation: Observation) -> None: ...

    def suggest(self, count: int) -> list[dict[str, Value]]:
        """The next suggestions, at most `count`. Empty: none before the next observation, or never again (`total`)."""
