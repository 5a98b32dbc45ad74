"""Turns the nodes of a YAML document into plain data: aliases become what they stand for, merges the fields they bring.

The limits hold for what comes out, so a few lines cannot grow into gigabytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn

import yaml

from beagle.composer import MOST_LEVELS, MOST_NODES
from beagle.errors import InvalidInput
from beagle.scalars import joined, resolved

Data = dict[str, "Data"] | list["Data"] | str | int | float | bool | None
Place = tuple[str | int, ...]
_Field = tuple[str, yaml.Node, yaml.Node]


class Plain:
    """Remembers of each place its line, where the value is written, and each mistake that it met.

    What exceeds a limit raises `InvalidInput` at once.
    """

    def __init__(self, filename: str, most_text: int) -> None:
        self.problems: list[str] = []
        self.lines: dict[Place, int] = {}
        self.written: dict[Place, str] = {}
        self._filename = filename
        self._nodes = 0
        self._text_left = most_text

    def data(self, node: yaml.Node, place: Place) -> Data:
        self.lines.setdefault(place, _line(node))
        self._count(node)
        if len(place) >= MOST_LEVELS:
            self._refuse(node, f"is nested deeper than {MOST_LEVELS} levels, with its aliases; make it flatter")
        match node:
            case yaml.MappingNode():
                return {name: self._field(key, value, (*place, name)) for name, key, value in self._fields(node)}
            case yaml.SequenceNode():
                return [self.data(item, (*place, index)) for index, item in enumerate(node.value)]
            case yaml.ScalarNode():
                text = self.written[place] = self._text(node)
                return text if node.style is not None else resolved(text)
        raise AssertionError(node)

    def _field(self, key: yaml.Node, value: yaml.Node, place: Place) -> Data:
        self.lines[place] = _line(key)
        return self.data(value, place)

    def _fields(self, node: yaml.MappingNode, level: int = 0) -> Iterator[_Field]:
        """Its own fields and those that it merges, which give way to its own; each name comes once."""
        own: dict[str, yaml.Node] = {}
        merge: yaml.Node | None = None
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._wrong(key, "a key must be text; write it as `name: value`")
                continue
            name = self._text(key)
            self._count(key)
            if name in own:
                self._wrong(key, f"`{name}` was given in line {_line(own[name])} already; {_advice(name)}")
                continue
            own[name] = key
            if name == "<<" and key.style is None:
                merge = value
            else:
                yield name, key, value
        seen = set(own)
        for name, key, value in self._merged(merge, level + 1) if merge is not None else ():
            if name not in seen:
                seen.add(name)
                yield name, key, value

    def _merged(self, node: yaml.Node, level: int) -> Iterator[_Field]:
        """Of one mapping or of several; where two have a field, that of the first comes first."""
        if level > MOST_LEVELS:
            self._refuse(node, f"merges what merges, deeper than {MOST_LEVELS} levels; make it flatter")
        for source in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            self._count(source)
            if isinstance(source, yaml.MappingNode):
                yield from self._fields(source, level)
            else:
                self._wrong(source, "`<<` takes an alias of a mapping, or a list of such")

    def _text(self, node: yaml.ScalarNode) -> str:
        text = joined(node.value)
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            self._wrong(node, "half of a surrogate pair is no character; write the character itself")
        return text

    def _count(self, node: yaml.Node) -> None:
        self._nodes += 1
        if isinstance(node, yaml.ScalarNode):
            self._text_left -= len(node.value)
        if self._nodes > MOST_NODES or self._text_left < 0:
            self._refuse(node, "grows too large when its aliases are written out; make it smaller")

    def _wrong(self, node: yaml.Node, what: str) -> None:
        sentence = f"{self._filename}:{_line(node)}: {what}"
        if sentence not in self.problems:
            self.problems.append(sentence)

    def _refuse(self, node: yaml.Node, what: str) -> NoReturn:
        raise InvalidInput([*self.problems, f"{self._filename}:{_line(node)}: {what}"])


def _advice(name: str) -> str:
    return "write `<<: [*a, *b]` for several" if name == "<<" else "keep one of them"


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
