"""Reads YAML and JSON that came from outside as plain data, with the line of every field.

Scalars are those of YAML 1.2: `on`, `yes` and `12:30` are text, `1e-3` is a number. Nothing in a document can
construct an object, repeat a part by an alias, or grow beyond the limits below.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import yaml

from beagle.composer import MOST_LEVELS, Composer
from beagle.errors import InvalidInput
from beagle.scalars import joined, resolved

MOST_BYTES = 256 * 1024

Data = dict[str, "Data"] | list["Data"] | str | int | float | bool | None
Place = tuple[str | int, ...]


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
    """Raises `InvalidInput`: not YAML (JSON for a `.json`), too large, or with aliases, tags or repeated keys."""
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
    plain = _Plain(filename)
    data = plain.data(node, ())
    if composer.problems or plain.problems:
        raise InvalidInput([*composer.problems, *plain.problems])
    return Document(filename=filename, data=data, lines=plain.lines, written=plain.written)


class _Plain:
    """Turns nodes into plain data; remembers lines and texts, and every mistake that it met."""

    def __init__(self, filename: str) -> None:
        self.problems: list[str] = []
        self.lines: dict[Place, int] = {}
        self.written: dict[Place, str] = {}
        self._filename = filename

    def data(self, node: yaml.Node, place: Place) -> Data:
        self.lines.setdefault(place, _line(node))
        match node:
            case yaml.MappingNode():
                return {key: self.data(value, (*place, key)) for key, value in self._fields(node, place)}
            case yaml.SequenceNode():
                return [self.data(item, (*place, index)) for index, item in enumerate(node.value)]
            case yaml.ScalarNode():
                return self._scalar(node, place)
        raise AssertionError(node)

    def _fields(self, node: yaml.MappingNode, place: Place) -> Iterator[tuple[str, yaml.Node]]:
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._wrong(key, "a key must be text; write it as `name: value`")
                continue
            name = self._text(key)
            first = self.lines.get((*place, name))
            if name == "<<" and key.style is None:
                self._wrong(key, "`<<` merges another mapping; write its fields here instead")
            elif first is not None:
                self._wrong(key, f"`{name}` was given in line {first} already; keep one of them")
            else:
                self.lines[(*place, name)] = _line(key)
                yield name, value

    def _scalar(self, node: yaml.ScalarNode, place: Place) -> Data:
        text = self.written[place] = self._text(node)
        return text if node.style is not None else resolved(text)

    def _text(self, node: yaml.ScalarNode) -> str:
        text = joined(node.value)
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            self._wrong(node, "half of a surrogate pair is no character; write the character itself")
        return text

    def _wrong(self, node: yaml.Node, what: str) -> None:
        self.problems.append(f"{self._filename}:{_line(node)}: {what}")


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


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _too_large(filename: str) -> str:
    return f"{filename}: is larger than {MOST_BYTES // 1024} KiB; make it smaller"
