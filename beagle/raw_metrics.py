"""What a training program says that publishes to the bus itself, in any language: its report, and which one it is.

Pure, and never raises: what is no metric becomes a sentence about it, as with the lines of a log.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from beagle import lifecycle
from beagle.experiment import Experiment, State
from beagle.messages import Report
from beagle.metric_lines import LONGEST_LINE, Reading, read_line, short
from beagle.metrics import crossing

# The header by which the gateway says that a report came to it over HTTP.
WAY = "via"
_LONGEST_SOURCE = 200
_LARGEST_SEQUENCE = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A message as its client wrote it. `sent_at` is its AMQP timestamp, None without one."""

    body: bytes
    message_id: str = ""
    headers: Mapping[str, str | int] = field(default_factory=dict)
    sent_at: float | None = None


def sent_at(headers: Mapping[str, str | int], timestamp: float | None) -> float | None:
    """A broker that sets timestamps says the milliseconds in a header; the property has whole seconds."""
    exactly = headers.get("timestamp_in_ms")
    return exactly / 1000 if isinstance(exactly, int) else timestamp


@dataclass(frozen=True, slots=True)
class Name:
    """By what a report is told from others, so that a repeat is known. `certain`: the client gave enough for that."""

    source: str
    sequence: int
    certain: bool = True


def read_body(body: bytes) -> Reading:
    """A body has any of the forms that a line of a log has."""
    if len(body) > LONGEST_LINE:
        return Reading(refusals=(f"a message of {len(body)} bytes was not read; at most {LONGEST_LINE} are",))
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return Reading(refusals=(f"a message of {len(body)} bytes is no text (UTF-8)",))
    reading = read_line(text, len(body))
    return reading or Reading(refusals=(f"a message says no metric: {short(text)}",))


def name_of(published: Published) -> Name:
    """The headers `source` and `sequence`, else the message's id, else its body and time.

    Without any of these a client may well mean the same numbers twice: then the name is not `certain`.
    """
    source, sequence = published.headers.get("source"), _whole(published.headers.get("sequence"))
    if isinstance(source, str) and source and sequence is not None:
        way = "http" if published.headers.get(WAY) == "http" else "amqp"
        return Name(f"{way}/{_printable(source)}", sequence)
    if published.message_id:
        return Name(f"message/{_printable(published.message_id)}", 0)
    digest = hashlib.sha256(f"{published.sent_at}\n".encode() + published.body).hexdigest()
    return Name(f"body/{digest[:24]}", 0, certain=published.sent_at is not None)


def as_report(reading: Reading, name: Name) -> Report:
    return Report(
        source=name.source,
        sequence=name.sequence,
        values=reading.values,
        step=reading.step,
        completed=reading.completed,
        refusals=reading.refusals,
    )


def attempt_of(experiment: Experiment, sent_at: float | None) -> int:
    """Of which attempt a message is whose key names none: the one that runs, or the last that did.

    An attempt is claimed only after nothing of the one before it runs, so what was sent before the claim is older. A
    timestamp counts whole seconds; without one, what was late in the queue is taken for the current attempt's.
    """
    started = experiment.state is not State.QUEUE
    late = sent_at is not None and sent_at + 1 <= (experiment.claimed_at or -math.inf)
    return max(1, experiment.attempt - (not started or late))


def has_begun(experiment: Experiment, attempt: int) -> bool:
    """Whether there may be metrics of this attempt: it runs or has run, and its experiment is not being deleted."""
    waits = experiment.state is State.QUEUE
    return experiment.state is not State.DELETED and attempt <= experiment.attempt - waits


def matters(experiment: Experiment, attempt: int, report: Report) -> bool:
    """Whether it may end the attempt: such a one is kept, however much came before it."""
    ends = report.completed or crossing(experiment, report.values) is not None
    return ends and lifecycle.runs(experiment, attempt)


def _whole(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    known = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST_SEQUENCE
    return value if known else None  # type: ignore[return-value] # `known` says that it is an int


def _printable(name: str) -> str:
    if name.isprintable() and len(name) <= _LONGEST_SOURCE:
        return name
    return hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:24]
