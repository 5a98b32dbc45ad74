"""What metrics and endings mean for an experiment: its summary, its objective, its limit, its next event. Pure."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import replace

from beagle.experiment import AccuracyReached, Completed, Experiment, Failed, Failure, Retried
from beagle.messages import WorkloadEnded
from beagle.project import Definition
from beagle.records import Summary

# A program that makes up a new name with each line would otherwise grow its summary without end.
MOST_NAMES = 1000
_INTERRUPTED = 130
_LAST_LINES = 3
_LONGEST_TAIL = 300


def fold(
    summary: Summary, definition: Definition, values: Mapping[str, float], refusals: Sequence[str] = ()
) -> Summary:
    """The summary with one more report of its attempt, in the order of the reports; the version stays.

    Names beyond `MOST_NAMES` are refused here, but for the objective's.
    """
    known = {*summary.last, _objective_name(definition)}
    new = [name for name in values if name not in known]
    beyond = new[max(0, MOST_NAMES - len(known)) :]
    if beyond:
        refusals = (*refusals, f"more than {MOST_NAMES} names were reported, so {beyond[0]} is not followed")
    dropped = frozenset(beyond)
    followed = {name: value for name, value in values.items() if name not in dropped}
    low, high = summary.lowest, summary.highest
    last = {**summary.last, **followed}
    lowest = {**low, **{name: min(value, low.get(name, value)) for name, value in followed.items()}}
    highest = {**high, **{name: max(value, high.get(name, value)) for name, value in followed.items()}}
    best = highest if definition.direction == "max" else lowest
    found = last if definition.summary == "last" else best
    return replace(
        summary,
        last=last,
        lowest=lowest,
        highest=highest,
        count=summary.count + bool(values),
        refused=summary.refused + len(refusals),
        refusal=refusals[-1] if refusals else summary.refusal,
        objective=found.get(_objective_name(definition)),
    )


def at_end(summary: Summary, definition: Definition, seconds: float) -> Summary:
    """The summary of an attempt that ended `seconds` after its launch: its time is the objective, if that was asked
    for and never reported."""
    if summary.objective is None and _objective_name(definition) == "experimentTime":
        return replace(summary, objective=seconds)
    return summary


def crossing(experiment: Experiment, values: Mapping[str, float]) -> AccuracyReached | None:
    """The event of a report that reaches the experiment's accuracy limit."""
    accuracy, limit = values.get("accuracy"), experiment.accuracy_limit
    if accuracy is None or limit is None or accuracy < limit:
        return None
    return AccuracyReached(f"accuracy {accuracy:.6g} reached the limit {limit:.6g}")


def after_exit(experiment: Experiment, definition: Definition, ended: WorkloadEnded) -> Completed | Retried | Failed:
    """The event of an attempt that ended by itself, neither for its limits nor because it was stopped."""
    if ended.status == 0:
        return Completed("exit status 0", exit_status=0)
    what = _how(ended)
    if ended.status in {_INTERRUPTED, -signal.SIGINT}:
        return Retried(_sentence(f"interrupted: {what}, which does not count as a failure", ended.tail), failure=None)
    failure = _failure(ended)
    retries, retried = definition.retries.get(failure, 0), experiment.retried.get(failure, 0)
    if retried < retries:
        return Retried(_sentence(f"{failure}: {what}; retry {retried + 1} of {retries}", ended.tail), failure=failure)
    spent = f" after {retries} retries" if retries else ""
    return Failed(_sentence(f"{failure}: {what}{spent}", ended.tail), failure=failure, exit_status=ended.status)


def _objective_name(definition: Definition) -> str:
    # As the original's own examples call it, though no image reports that name.
    return "experimentTime" if definition.objective == "experiment_time" else definition.objective


def _failure(ended: WorkloadEnded) -> Failure:
    if ended.launch_failed:
        return Failure.LAUNCH
    if ended.out_of_memory:
        return Failure.OUT_OF_MEMORY
    return Failure.LOST if ended.lost or ended.status is None else Failure.EXIT


def _how(ended: WorkloadEnded) -> str:
    status = ended.status
    if ended.error:
        return ended.error
    if status is None:
        return "it never ran" if ended.launch_failed else "nobody saw how it ended"
    if status < 0:
        return f"killed by {_signal_name(-status)}"
    # Shells give 128 more than the number of the signal that killed their command.
    told = f" (128 + {_signal_name(status - 128)})" if status - 128 in set(signal.Signals) else ""
    return f"exit status {status}{told}"


def _signal_name(number: int) -> str:
    return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"


def _sentence(what: str, tail: str) -> str:
    lines = [" ".join(line.split()) for line in tail.splitlines() if line.strip()]
    if not lines:
        return what
    end = " | ".join(lines[-_LAST_LINES:])
    return f"{what}; its log ends with: {end if len(end) <= _LONGEST_TAIL else '...' + end[3 - _LONGEST_TAIL :]}"
