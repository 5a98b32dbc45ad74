"""How the terminal says numbers, times and parameters. Pure; nothing that came from an experiment can steer it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from beagle.experiment import Value

View = dict[str, Any]
ENDED = ("completed", "timeout", "accuracy_limit_reached", "stopped", "failed")


def number(value: Value | None) -> str:
    """Six significant digits are enough to compare; `-` where there is none."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    return clean(str(value))


def pairs(values: Mapping[str, Value]) -> str:
    """`LR=0.1 EPOCHS=4`."""
    return " ".join(f"{clean(name)}={number(value)}" for name, value in values.items())


def clean(text: str) -> str:
    """One line without control characters: what an experiment wrote must not move the cursor."""
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()


def duration(seconds: float) -> str:
    """`7.5s` below a minute, then `0:01:05`, with days before it where there are any."""
    if seconds < 59.95:
        return f"{max(0.0, seconds):.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    clock = f"{hours}:{minutes:02}:{rest:02}"
    return f"{days}d {clock}" if days else clock


def seconds_between(start: str | None, end: str | None, now: float) -> float | None:
    """Seconds from `start` to `end` (None: to `now`, seconds since the epoch); None before the start."""
    if start is None:
        return None
    until = now if end is None else datetime.fromisoformat(end).timestamp()
    return max(0.0, until - datetime.fromisoformat(start).timestamp())


def elapsed(experiment: View, now: float) -> str:
    """How long the current attempt ran, or has been running."""
    ran = seconds_between(experiment["launch_time"], experiment["end_time"], now)
    return "-" if ran is None else duration(ran)


def moment(time: str | None) -> str:
    """A time of the wire in the user's own time zone, to the second."""
    if time is None:
        return "-"
    return f"{datetime.fromisoformat(time).astimezone():%Y-%m-%d %H:%M:%S}"


def ended(counts: Mapping[str, int]) -> int:
    """How many experiments have ended, whatever the state."""
    return sum(counts[state] for state in ENDED)


def tally(counts: Mapping[str, int]) -> str:
    """`4 running  7 queued  5 completed`; states that nothing is in are left out."""
    words = {"pool": "running", "queue": "queued"}
    order = ("pool", "queue", *ENDED)
    said = [f"{counts[state]} {words.get(state, state)}" for state in order if counts[state]]
    return "  ".join(said) or "no experiments yet"


def plural(count: int, noun: str) -> str:
    """`1 experiment`, `2 experiments`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
