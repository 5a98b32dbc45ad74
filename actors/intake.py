"""Takes the metrics that experiments send to the gateway, over the bus to their monitor: as any stranger's, but told
at once what is wrong with them."""

from __future__ import annotations

import hmac
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from beagle import deployment
from beagle.answers import raise_for
from beagle.bucket import Allowance, Bucket
from beagle.errors import InvalidInput, NotFound, Refused
from beagle.experiment import Experiment, State
from beagle.metric_lines import Reading, read_line, short
from beagle.ports import Store
from beagle.raw_metrics import WAY, Name, as_report, attempt_of, has_begun, matters
from bus.port import Bus, Headers
from bus.routes import METRICS, metric_key

# In one call: each is handled before the next.
MOST_REPORTS = 1000
_MOST_BUCKETS = 10_000
_ID = re.compile(r"[0-9a-f]{24}")


class TooFast(Refused):
    """More came in a second than is kept; after a pause more is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What an experiment sent. `source` and `sequence` name it, so that a repeat is known; else `identity` does.

    Without `attempt` it is of the one that runs.
    """

    experiment: str
    attempt: int | None
    body: bytes
    source: str = ""
    sequence: int | None = None
    identity: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """One report of a body, and by what it is named."""

    body: bytes
    headers: Headers = field(default_factory=dict)
    message_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of it: of which attempt it was, how many reports, and a sentence for each value that is no metric."""

    experiment: str
    attempt: int
    reports: int
    refusals: tuple[str, ...]


class Intake:
    """From any thread. `allowance` is what each experiment may send."""

    def __init__(self, store: Store, bus: Bus, allowance: Allowance) -> None:
        self._store, self._bus, self._allowance = store, bus, allowance
        self._buckets: dict[str, Bucket] = {}
        self._lock = threading.Lock()

    def proves(self, token: str, experiment: str, attempt: int | None) -> bool:
        """Whether this is the token of that attempt; where none is named, of the one that it would be taken for."""
        if not _ID.fullmatch(experiment):
            return False
        if attempt is None:
            known = self._store.get(Experiment, experiment)
            attempt = attempt_of(known, None) if known is not None else 0
        right = deployment.attempt_token(deployment.load(self._store), experiment, attempt)
        return hmac.compare_digest(token.encode(), right.encode())

    def take(self, sent: Sent) -> Taken:
        """Returns when all of it is safe: stored, or on the broker's disk.

        Raises `NotFound`, `Refused` for an attempt that has not begun, `InvalidInput` for a body without any report,
        `TooFast`, and `Unavailable`.
        """
        experiment, attempt = self._whose(sent)
        told = _reports(sent)
        key = metric_key(experiment.id, attempt)
        for piece, reading in told:
            if not self._may(experiment, attempt, reading):
                raise TooFast(self._too_fast())
            answer = self._bus.entrust(
                METRICS, key, piece.body, message_id=piece.message_id, headers={WAY: "http", **piece.headers}
            )
            self._check(answer)
        refusals = tuple(refusal for _, reading in told for refusal in reading.refusals)
        return Taken(experiment=experiment.id, attempt=attempt, reports=len(told), refusals=refusals)

    def _whose(self, sent: Sent) -> tuple[Experiment, int]:
        experiment = self._store.get(Experiment, sent.experiment) if _ID.fullmatch(sent.experiment) else None
        if experiment is None or experiment.state is State.DELETED:
            raise NotFound(f"no experiment has the id {sent.experiment[:100]}")
        attempt = attempt_of(experiment, None) if sent.attempt is None else sent.attempt
        if not 1 <= attempt <= experiment.attempt:
            raise NotFound(f"{experiment.name} has no attempt {attempt}; it has had {experiment.attempt}")
        if not has_begun(experiment, attempt):
            raise Refused(f"attempt {attempt} of {experiment.name} has not begun")
        return experiment, attempt

    def _may(self, experiment: Experiment, attempt: int, reading: Reading) -> bool:
        if matters(experiment, attempt, as_report(reading, Name("", 0))):
            return True
        with self._lock:
            if len(self._buckets) > _MOST_BUCKETS:
                self._buckets.clear()
            return self._buckets.setdefault(experiment.id, Bucket(self._allowance)).take()

    def _check(self, answer: dict[str, object]) -> None:
        try:
            raise_for(answer)
        except Refused as error:  # the monitor has counts of its own, and refuses for nothing else
            raise TooFast(self._too_fast()) from error

    def _too_fast(self) -> str:
        return f"more than {self._allowance.rate:g} reports came in a second; send the rest a second later"


def _reports(sent: Sent) -> list[tuple[Piece, Reading]]:
    """Lines between them that say nothing are the program's own, as on its output."""
    try:
        text = sent.body.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput([f"the body is no text (UTF-8): its byte {error.start} does not belong there"]) from error
    bodies = [*_bodies(text)]
    single = len(bodies) == 1
    pieces = [_named(sent, body, None if single else number) for number, body in enumerate(bodies)]
    read = ((piece, read_line(piece.body.decode(), len(piece.body))) for piece in pieces)
    told = [(piece, reading) for piece, reading in read if reading is not None]
    if not told:
        raise InvalidInput([f"the body says no metric: {short(text)}; send such as accuracy=0.93"])
    if len(told) > MOST_REPORTS:
        raise InvalidInput([f"these are {len(told)} reports; send at most {MOST_REPORTS} in one call"])
    return told


def _bodies(body: str) -> Iterator[str]:
    """Each report: an object, the objects of a list, or the lines of a text."""
    if body.lstrip()[:1] in {"{", "["}:
        try:
            document = json.loads(body, parse_int=float)
        except (ValueError, RecursionError):
            pass  # several lines of JSON, or no JSON
        else:
            many = document if isinstance(document, list) else [document]
            yield from (json.dumps(each) for each in many)
            return
    yield from (line for line in body.splitlines() if line.strip())


def _named(sent: Sent, text: str, number: int | None) -> Piece:
    """Of several in one body each has the body's name and its place in it."""
    text, source, sequence = _own_name(text)
    body = text.encode()
    if source:
        return Piece(body, {"source": source, "sequence": sequence})
    if sent.source and sent.sequence is not None:
        if number is None:
            return Piece(body, {"source": sent.source, "sequence": sent.sequence})
        return Piece(body, {"source": f"{sent.source}/{sent.sequence}", "sequence": number})
    if sent.identity:
        return Piece(body, message_id=sent.identity if number is None else f"{sent.identity}/{number}")
    return Piece(body)


def _own_name(body: str) -> tuple[str, str, int]:
    """The body without its `source` and `sequence`, if it has both: they are no metrics."""
    if body.startswith("{"):
        try:
            document = json.loads(body, parse_int=float)
        except (ValueError, RecursionError):
            return body, "", 0
        source, sequence = document.get("source"), document.get("sequence")
        if isinstance(source, str) and source and isinstance(sequence, float) and sequence.is_integer():
            rest = {name: value for name, value in document.items() if name not in {"source", "sequence"}}
            return json.dumps(rest), source, int(sequence)
    return body, "", 0
