"""What one line of a program's output, or of its report file, says: metrics, the end, or nothing.

Pure, never raises, and takes time linear in the line's length: programs print millions of lines, and any text at all.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

LONGEST_LINE = 64 * 1024
LONGEST_NAME = 128
_MOST_REFUSALS = 20
END_MARKER = "<EXPERIMENT_COMPLETED>"

# Names that the original's formats define. A text under one of these is a mistake; under any other it is just text.
_KNOWN = frozenset({"accuracy", "cost", "experimentTime"})
_SPELLINGS = {"accuarcy": "accuracy"}  # as images in circulation write it
_POSITIONS = ("time", "experimentTime", "batches", "cost", "accuracy")

# Only such text is converted: float() alone would also take `1_000` and digits of every script.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_./@%-]*")
_DELIMITERS = re.compile(r"[\s,;()\[\]{}]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a line reports. `refusals` has one sentence for each value that is no metric; the others count."""

    values: dict[str, float] = field(default_factory=dict)
    step: int | None = None
    refusals: tuple[str, ...] = ()
    completed: bool = False


def read_line(text: str, length: int) -> Reading | None:
    """None for a line that is no report. `length` is the whole line's in bytes; `text` may be only its beginning."""
    if "=" not in text and "{" not in text and "\t" not in text and "<" not in text:
        return None
    if length > LONGEST_LINE:
        return Reading(refusals=(f"a line of {length} bytes was not read; at most {LONGEST_LINE} are",))
    line = text.strip()
    if line == END_MARKER:
        return Reading(completed=True)
    if line.startswith("{"):
        document = _json_object(line)
        if document is not None:
            return _read_object(document)
    positional = _read_positions(line) if "\t" in line else None
    return positional or (_read_pairs(line) if "=" in line else None)


def _json_object(line: str) -> dict[str, object] | None:
    try:
        # As floats: int() of thousands of digits is refused by Python itself, float() gives infinity.
        document: object = json.loads(line, parse_int=float)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _read_object(document: dict[str, object]) -> Reading | None:
    if document.get("type") == "service":
        return Reading(completed=True) if document.get("msg") == "experiment_completed" else None
    metrics = document.get("metrics")
    if document.get("type") != "metrics" or not isinstance(metrics, dict):
        return _gather(((name, value) for name, value in document.items() if _may_be_metric(name, value)), None)
    return _gather(metrics.items(), _step(document.get("step")))


def _may_be_metric(name: str, value: object) -> bool:
    """In an object that does not call itself metrics, texts, flags and nested objects are other people's fields."""
    return isinstance(value, float) or _SPELLINGS.get(name, name) in _KNOWN


def _read_positions(line: str) -> Reading | None:
    fields = line.split("\t", len(_POSITIONS))[: len(_POSITIONS)]
    if len(fields) < len(_POSITIONS):
        return None
    numbers = [_number(text.strip()) for text in fields]
    if None in numbers:
        return None
    return _gather(zip(_POSITIONS, numbers, strict=True), None)


def _read_pairs(line: str) -> Reading | None:
    return _gather(_pairs(line), None)


def _pairs(line: str) -> Iterable[tuple[str, object]]:
    for token in _DELIMITERS.split(line):
        name, equals, text = token.partition("=")
        if not equals or _NAME.fullmatch(name) is None:
            continue
        number = _number(text)
        if number is not None:
            yield name, number
        elif _SPELLINGS.get(name, name) in _KNOWN:
            yield name, text


def _number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None


def _gather(pairs: Iterable[tuple[str, object]], step: int | None) -> Reading | None:
    """Sort what was found into values and refusals. `step`, else `epoch`, is the step; only `epoch` is a value too."""
    values: dict[str, float] = {}
    refusals: list[str] = []
    for spelled, value in pairs:
        name = _SPELLINGS.get(spelled, spelled)
        refusal = _refusal(name, value)
        if refusal is not None:
            refusals.append(refusal)
        elif isinstance(value, float):
            values[name] = value
    steps = (step, _step(values.get("step")), _step(values.get("epoch")))
    if steps[1] is not None:
        del values["step"]
    if not values and not refusals:
        return None
    first_step = next((each for each in steps if each is not None), None)
    return Reading(values=values, step=first_step, refusals=_few(refusals))


def _few(refusals: list[str]) -> tuple[str, ...]:
    # A line of 64 KiB has room for 10,000 of them, too many for one message on the bus.
    more = len(refusals) - _MOST_REFUSALS
    return (
        tuple(refusals)
        if more <= 0
        else (*refusals[:_MOST_REFUSALS], f"{more} more values of this line are no metrics")
    )


def _refusal(name: str, value: object) -> str | None:
    if len(name) > LONGEST_NAME or not name.isprintable() or not name:
        return f"a metric's name has 1 to {LONGEST_NAME} printable characters, and {short(name)} has not"
    if not isinstance(value, float):
        return f"{name} is {short(value)}, which is not a number"
    if math.isnan(value):
        return f"{name} is NaN, which is no metric"
    if math.isinf(value):
        return f"{name} is infinite, which is no metric"
    return None


def _step(value: object) -> int | None:
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else None


def short(value: object) -> str:
    """At most 40 characters of it, on one line, in ASCII: it may hold anything."""
    shown = json.dumps(value) if value is None or isinstance(value, bool | str) else type(value).__name__
    return shown if len(shown) <= 40 else shown[:37] + "..."
