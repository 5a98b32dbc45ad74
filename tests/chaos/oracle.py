"""Judges a run by what its dock wrote down and what its store holds in the end: `violations` is a sentence for each law
that was broken. It shares no rule with Beagle: what an experiment should have come to follows from its script."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from beagle.experiment import FINAL, Experiment, State
from beagle.ports import Store, paged
from tests.servers.script import steps

# Grace of clocks: the dock's, the launcher's and the store's times are taken at different moments.
CLOCKS = 0.05
PATIENCE = 45.0


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a dock's ledger."""

    what: str
    name: str
    at: float
    text: str = ""
    script: str = ""

    @property
    def experiment(self) -> str:
        return self.name.split("-")[1]


def read(ledger: Path) -> list[Entry]:
    """In the order in which it happened."""
    kept = ("what", "name", "at", "text", "script")
    told = [json.loads(line) for line in ledger.read_text().splitlines()]
    return [Entry(**{key: entry[key] for key in kept if key in entry}) for entry in told]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an experiment comes to if nothing of it is lost: its state, and the attempt that it ends in."""

    state: str
    attempt: int


def verdict(script: str, *, timeout: float | None, accuracy_limit: float | None, retries: int) -> Verdict:
    """`retries` are those of an exit other than 0."""
    for attempt in range(1, 2 + retries):
        state = _attempt(script, attempt, timeout, accuracy_limit)
        if state != "failed":
            return Verdict(state, attempt)
    return Verdict("failed", 1 + retries)


def _attempt(script: str, attempt: int, timeout: float | None, accuracy_limit: float | None) -> str:
    lasted = 0.0
    for step in steps(script):
        match step.word:
            case "say" if "<EXPERIMENT_COMPLETED>" in step.rest:
                return "completed"
            case "say" if accuracy_limit is not None and values(step.rest).get("accuracy", -1.0) >= accuracy_limit:
                return "accuracy_limit_reached"
            case "wait":
                lasted += float(step.rest)
                if timeout is not None and lasted > timeout:
                    return "timeout"
            case "exit-first" if attempt == 1:
                return "failed"
            case "exit":
                return "completed" if step.rest == "0" else "failed"
    return "completed"


def values(text: str) -> dict[str, float]:
    """Of a line of `name=value`s."""
    pairs = [word.split("=") for word in text.split() if "=" in word]
    return {name: float(value) for name, value in pairs}


def every(store: Store) -> list[Experiment]:
    return [experiment for state in State for experiment in _in(store, state)]


def _in(store: Store, state: State) -> Iterator[Experiment]:
    return paged(lambda after: store.page(Experiment, "state", (state,), after=after, limit=1000))


@dataclass(slots=True)
class Oracle:
    """`sent` is how many experiments there should be; `quiet_since` is when the last fault was over, and `retries` how
    often one may try again after an exit other than 0. `outages` are when the engine was away: what ran then died with
    it, and may have needed one more attempt."""

    entries: list[Entry]
    store: Store
    limit: int
    sent: int
    quiet_since: float | None = None
    retries: int = 0
    outages: Sequence[tuple[float, float]] = ()
    clocks: float = CLOCKS
    experiments: list[Experiment] = field(init=False)

    def __post_init__(self) -> None:
        self.experiments = every(self.store)

    def violations(self) -> list[str]:
        checks = (
            self.lost, self.doubled, self.together, self.over, self.left, self.wrong, self.late, self.hasty,
            self.metrics,
        )  # fmt: skip
        return [sentence for check in checks for sentence in check()]

    def lost(self) -> Iterator[str]:
        """Every experiment has come to one end."""
        if len(self.experiments) != self.sent:
            yield f"there are {len(self.experiments)} experiments, and {self.sent} were sent"
        for experiment in self.experiments:
            if experiment.state not in FINAL:
                yield f"{_told(experiment)} has not ended"

    def doubled(self) -> Iterator[str]:
        """No attempt was started twice."""
        for name, times in Counter(entry.name for entry in self.entries if entry.what == "start").items():
            if times > 1:
                yield f"{name} was started {times} times"

    def together(self) -> Iterator[str]:
        """No two attempts of an experiment ran at once."""
        alive: dict[str, set[str]] = defaultdict(set)
        for entry in self._starts_and_ends():
            if entry.what == "end":
                alive[entry.experiment].discard(entry.name)
                continue
            alive[entry.experiment].add(entry.name)
            if len(alive[entry.experiment]) > 1:
                yield f"{sorted(alive[entry.experiment])} ran at once"

    def over(self) -> Iterator[str]:
        """The limit held at each moment."""
        alive: set[str] = set()
        for entry in self._starts_and_ends():
            if entry.what == "end":
                alive.discard(entry.name)
                continue
            alive.add(entry.name)
            if len(alive) > self.limit:
                yield f"{len(alive)} ran when {entry.name} started, and the limit is {self.limit}"

    def left(self) -> Iterator[str]:
        """Nothing runs any more."""
        alive = Counter(entry.name for entry in self.entries if entry.what == "start")
        alive.subtract(entry.name for entry in self.entries if entry.what == "end")
        for name, times in alive.items():
            if times > 0:
                yield f"{name} still runs"

    def wrong(self) -> Iterator[str]:
        """Each ended as it did by itself, and in the attempt that it needed."""
        scripts = {entry.experiment: entry.script for entry in self.entries if entry.what == "start"}
        for experiment in self.experiments:
            script = scripts.get(experiment.id)
            if script is None:
                yield f"{_told(experiment)} was never started"
                continue
            right = verdict(
                script,
                timeout=experiment.timeout,
                accuracy_limit=experiment.accuracy_limit,
                retries=self.retries,
            )
            more = experiment.attempt - right.attempt
            if experiment.state != right.state or not 0 <= more <= len(self.outages):
                yield f"{_told(experiment)}, and by its script ({script}) it should be {right}"

    def late(self) -> Iterator[str]:
        """All had ended soon after the last fault."""
        for experiment in self.experiments:
            if self.quiet_since is not None and (experiment.ended_at or 0) > self.quiet_since + PATIENCE:
                yield f"{_told(experiment)} only {experiment.ended_at - self.quiet_since:.0f} s after the last fault"

    def hasty(self) -> Iterator[str]:
        """None timed out before its time."""
        began = {entry.name: entry.at for entry in self.entries if entry.what == "start"}
        ended = {entry.name: entry.at for entry in self.entries if entry.what == "end"}
        for experiment in self.experiments:
            name = f"beagle-{experiment.id}-{experiment.attempt}"
            if experiment.state == "timeout" and name in ended and not self._was_cut(ended[name]):
                lasted = ended[name] - began[name]
                if lasted < experiment.timeout - self.clocks:
                    yield f"{_told(experiment)} after {lasted:.2f} s of {experiment.timeout:g}"

    def metrics(self) -> Iterator[str]:
        """What was said is stored, once."""
        said: dict[str, Counter[str]] = defaultdict(Counter)
        for entry in self.entries:
            if entry.what == "say":
                said[entry.name][json.dumps(values(entry.text), sort_keys=True)] += 1
        for experiment in self.experiments:
            for attempt in range(1, experiment.attempt + 1):
                name = f"beagle-{experiment.id}-{attempt}"
                stored = Counter(
                    json.dumps(dict(told), sort_keys=True) for told in self._stored(experiment.id, attempt)
                )
                if stored != said[name]:
                    yield f"{name} said {dict(said[name])}, and stored are {dict(stored)}"

    def _stored(self, experiment: str, attempt: int) -> Iterator[dict[str, float]]:
        for metric in paged(lambda after: self.store.metrics(experiment, attempt, after=after, limit=1000)):
            yield metric.values

    def _was_cut(self, at: float) -> bool:
        """Then nobody could tell that it had ended, and its time went on."""
        return any(begin <= at <= end for begin, end in self.outages)

    def _starts_and_ends(self) -> Iterator[Entry]:
        return (entry for entry in self.entries if entry.what in ("start", "end"))


def _told(experiment: Experiment) -> str:
    return f"{experiment.name} ({experiment.id}) is {experiment.state} at attempt {experiment.attempt}"
