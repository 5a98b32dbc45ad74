"""The summary of one attempt as its monitor keeps it: exact, although another monitor may keep it for a moment too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from beagle.experiment import Experiment
from beagle.metrics import at_end, fold
from beagle.ports import Store, paged
from beagle.project import Definition
from beagle.records import Metric, Summary


class Account:
    """What is stored of the metrics is the truth. It is read again as soon as it shows that somebody else was at it: by
    a metric that was known already, or by another version of the summary than the one written last.
    """

    def __init__(self, store: Store, experiment: Experiment, attempt: int, definition: Definition) -> None:
        self.store, self._definition = store, definition
        tie = -experiment.number if definition.direction == "max" else experiment.number
        self._empty = Summary(id=experiment.id, project=experiment.project, attempt=attempt, tie=tie)
        self.summary = self._saved = self._empty
        # The stored record, as far as this monitor knows it.
        self._stored: Summary | None = None
        self._doubtful = False
        # How often it was read: what is stored by then is in it.
        self.readings = 0

    def read(self) -> list[Metric]:
        """Begin again with what is stored; all its metrics. The record first: what changes meanwhile is found later."""
        identity, attempt = self._empty.id, self._empty.attempt
        self._stored = self.store.get(Summary, identity)
        self.readings += 1
        metrics = list(paged(lambda after: self.store.metrics(identity, attempt, after=after, limit=1000)))
        before = [self.summary]
        if self._stored is not None and self._stored.attempt == attempt:
            before.append(self._stored)
        self.summary = self._empty
        for metric in metrics:
            self.fold(metric.values, metric.refusals)
        for known in before:
            self.summary = _with_what_is_no_metric(self.summary, known)
        self._doubtful = False
        return metrics

    def fold(self, values: Mapping[str, float], refusals: Sequence[str]) -> None:
        """One more report, which is stored."""
        self.summary = fold(self.summary, self._definition, values, refusals)

    def doubt(self) -> None:
        """Something came that was stored before: by this monitor, or by one whose work this one does not know."""
        self._doubtful = True

    def close(self, seconds: float) -> None:
        """The attempt ended after so long."""
        self._mend()
        self.summary = at_end(self.summary, self._definition, seconds)

    def save(self) -> None:
        """Write it, unless nothing is new or a later attempt has taken its place."""
        self._mend()
        empty = not self.summary.count + self.summary.refused and not self.summary.objective
        if empty or self.summary == self._saved:
            return
        while not self._write():
            self.read()
            if self._stored is not None and self._stored.attempt > self._empty.attempt:
                return
        self._saved = self.summary

    def _mend(self) -> None:
        if self._doubtful:
            self.read()

    def _write(self) -> bool:
        known = self._stored
        if known is None:
            after = self.summary
            written = self.store.add([after], lazy=True) == [True]
        else:
            after = replace(self.summary, version=known.version + 1)
            written = self.store.replace(known, after, lazy=True)
        if written:
            self._stored = after
        return written


def _with_what_is_no_metric(summary: Summary, known: Summary) -> Summary:
    """An objective that came with the end, and refusals of what was not kept."""
    if summary.objective is None:
        summary = replace(summary, objective=known.objective)
    if summary.refused < known.refused:
        summary = replace(summary, refused=known.refused, refusal=known.refusal)
    return summary
