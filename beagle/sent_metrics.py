"""What experiments send to the gateway over HTTP: which reports a body holds, and by what each is named. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from beagle.errors import InvalidInput, Refused
from beagle.metric_lines import Reading, read_line, short

# In one call: each is handled before the next.
MOST_REPORTS = 1000
# What a message on the bus bears as its name.
LONGEST_SOURCE, LONGEST_KEY, LARGEST_SEQUENCE = 200, 100, 1 << 53


class TooFast(Refused):
    """More came in a second than is kept; after a pause more is."""


@dataclass(frozen=True, slots=True)
class SentName:
    """By what a repeat is known: `source` and `sequence`, else `identity`; without any, the same again is another."""

    source: str = ""
    sequence: int | None = None
    identity: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What an experiment sent. Without `attempt` it is of the one that runs."""

    experiment: str
    attempt: int | None
    body: bytes
    name: SentName = SentName()


@dataclass(frozen=True, slots=True)
class Piece:
    """One report of a body, and by what it is named."""

    body: bytes
    headers: Mapping[str, str | int] = field(default_factory=dict)
    message_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of it: of which attempt it was, how many reports, and a sentence for each value that is no metric."""

    experiment: str
    attempt: int
    reports: int
    refusals: tuple[str, ...]


def reports_of(sent: Sent) -> list[tuple[Piece, Reading]]:
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
    name = sent.name
    if name.source and name.sequence is not None:
        if number is None:
            return Piece(body, {"source": name.source, "sequence": name.sequence})
        return Piece(body, {"source": f"{name.source}/{name.sequence}", "sequence": number})
    if name.identity:
        return Piece(body, message_id=name.identity if number is None else f"{name.identity}/{number}")
    return Piece(body)


def _own_name(body: str) -> tuple[str, str, int]:
    """The body without its `source` and `sequence`, if it has both: they are no metrics."""
    if body.startswith("{"):
        try:
            document = json.loads(body, parse_int=float)
        except (ValueError, RecursionError):
            return body, "", 0
        source, sequence = document.get("source"), document.get("sequence")
        if isinstance(source, str) and source and isinstance(sequence, float):
            if not (source.isprintable() and len(source) <= LONGEST_SOURCE):
                raise InvalidInput([f"source: must be at most {LONGEST_SOURCE} characters that print"])
            if not (sequence.is_integer() and 0 <= sequence <= LARGEST_SEQUENCE):
                raise InvalidInput([f"sequence: must be a whole number from 0 to {LARGEST_SEQUENCE}"])
            rest = {name: value for name, value in document.items() if name not in {"source", "sequence"}}
            return json.dumps(rest), source, int(sequence)
    return body, "", 0
