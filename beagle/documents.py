"""Reads YAML and JSON that came from outside as plain data, with the line of every field.

Scalars are those of YAML 1.2: `on`, `yes` and `12:30` are text, `1e-3` is a number. Nothing in a document can
construct an object, or grow beyond the limits; anchors, aliases and merge keys are read as YAML means them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from beagle.composer import MOST_LEVELS, Composer
from beagle.errors import InvalidInput
from beagle.plain import Data, Place, Plain

MOST_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """`lines` are counted from 1. `written` is the text of each scalar as it stands in the file, quotes removed."""

    filename: str
    data: Data
    lines: dict[Place, int]
    written: dict[Place, str]

    def line(self, place: Place) -> int:
        """The line of a field, or of what it would be part of if it is missing."""
        while place not in self.lines:
            place = place[:-1]
        return self.lines[place]

    def sentence(self, place: Place, what: str) -> str:
        """A mistake as users read it: file, line, field, what is wrong."""
        where = f"{self.filename}:{self.line(place)}"
        return f"{where}: {self.named(place)}: {what}" if place else f"{where}: {what}"

    def named(self, place: Place) -> str:
        """`parameters.LEARNING_RATE.value`: an element of a list goes by its name, else by its number from 1."""
        words: list[str] = []
        data = self.data
        for part in place:
            if isinstance(data, list) and isinstance(part, int):
                data = data[part]
                name = data.get("name") if isinstance(data, dict) else None
                words.append(f".{name}" if isinstance(name, str) and name else f"[{part + 1}]")
            else:
                data = data.get(str(part)) if isinstance(data, dict) else None
                words.append(f".{part}")
        return "".join(words).removeprefix(".")


def read_text(path: Path) -> str:
    """The text of a file for `read`. Raises `InvalidInput` when it is missing, unreadable, too large or not UTF-8."""
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
        if len(raw) > MOST_BYTES:
            raise InvalidInput([_too_large(str(path))])
        return raw.decode("utf-8-sig")
    except FileNotFoundError as error:
        raise InvalidInput([f"{path}: there is no such file"]) from error
    except OSError as error:
        raise InvalidInput([f"{path}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InvalidInput([f"{path}:{line}: is not UTF-8 text; save it in that encoding"]) from error


def read(text: str, filename: str) -> Document:
    """Raises `InvalidInput`: not YAML (JSON for a `.json`), too large, or with tags or repeated keys."""
    text = text.removeprefix("\ufeff")
    if len(text) > MOST_BYTES or len(text.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        raise InvalidInput([_too_large(filename)])
    if filename.lower().endswith(".json"):
        _check_json(text, filename)
        text = text.replace("\t", " ")  # white space in JSON, but not in YAML
    composer = Composer(text, filename)
    node = composer.composed()
    if node is None:
        raise InvalidInput([f"{filename}:1: is empty; write its fields as `name: value` lines"])
    plain = Plain(filename, MOST_BYTES)
    data = plain.data(node, ())
    if composer.problems or plain.problems:
        raise InvalidInput([*composer.problems, *plain.problems])
    return Document(filename=filename, data=data, lines=plain.lines, written=plain.written)


def _check_json(text: str, filename: str) -> None:
    def refuse(word: str) -> NoReturn:
        raise InvalidInput([f"{filename}: {word} is no number in JSON; write a finite one"])

    try:
        json.loads(text, parse_constant=refuse, parse_int=str)
    except json.JSONDecodeError as error:
        where = f"{filename}:{error.lineno}:{error.colno}"
        raise InvalidInput([f"{where}: is not JSON: {error.msg}; check commas, quotes and brackets"]) from error
    except RecursionError as error:
        raise InvalidInput([f"{filename}: is nested deeper than {MOST_LEVELS} levels; make it flatter"]) from error


def _too_large(filename: str) -> str:
    return f"{filename}: is larger than {MOST_BYTES // 1024} KiB; make it smaller"
