"""Composes the nodes of one YAML document, and keeps its limits while it does: what is refused was never built."""

from __future__ import annotations

from typing import NoReturn

import yaml

from beagle.errors import InvalidInput

MOST_NODES = 10_000
MOST_LEVELS = 32


_Begins = yaml.AliasEvent | yaml.ScalarEvent | yaml.CollectionStartEvent


class Composer(yaml.SafeLoader):
    """`problems` collects tags and aliases of nothing; everything else raises `InvalidInput` at once."""

    def __init__(self, text: str, filename: str) -> None:
        self.problems: list[str] = []
        self._filename = filename
        self._nodes = 0
        self._level = 0
        # The line of each anchor, and the node of each that is complete.
        self._anchored: dict[str, int] = {}
        self._whole: dict[str, yaml.Node] = {}
        try:
            super().__init__(text)
        except yaml.reader.ReaderError as error:
            line, column = _position(text, error.position)
            shown = f"the character U+{ord(text[error.position]):04X} cannot stand in a text file"
            raise InvalidInput([f"{filename}:{line}:{column}: is not YAML: {shown}; remove it"]) from error

    def composed(self) -> yaml.Node | None:
        try:
            node: yaml.Node | None = self.get_single_node()
        except yaml.MarkedYAMLError as error:
            raise InvalidInput([self._not_yaml(error)]) from error
        return node

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: _Begins = self.peek_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1 if event.start_mark else 1
        self._nodes += 1
        if self._nodes > MOST_NODES:
            self._refuse(line, f"has more than {MOST_NODES:,} values; make it smaller")
        if isinstance(event, yaml.AliasEvent):
            return self._aliased(event, line)
        self._check_anchor(event.anchor, line)
        if event.tag is not None:
            self._wrong(line, f"`{event.tag}` is a tag; write plain values, without it")
        self._level += 1
        if self._level > MOST_LEVELS:
            self._refuse(line, f"is nested deeper than {MOST_LEVELS} levels; make it flatter")
        anchor = event.anchor
        node: yaml.Node | None = super().compose_node(parent, index)
        self._level -= 1
        if anchor is not None and node is not None:
            self._whole[anchor] = node
        return node

    def _aliased(self, event: yaml.AliasEvent, line: int) -> yaml.Node:
        """The node itself, as often as it is named: what that grows to is counted where it is written out."""
        self.get_event()  # type: ignore[no-untyped-call]
        name = str(event.anchor)
        if name in self._whole:
            return self._whole[name]
        if name in self._anchored:
            self._wrong(line, f"`*{name}` stands within the part that `&{name}` names; write it out there")
        else:
            self._wrong(line, f"`*{name}` names nothing before it; write `&{name}` before the part that it means")
        return yaml.ScalarNode("", "", event.start_mark, event.end_mark)  # type: ignore[arg-type]

    def _check_anchor(self, anchor: str | None, line: int) -> None:
        if anchor is None:
            return
        first = self._anchored.setdefault(anchor, line)
        if first != line or anchor in self._whole:
            self._refuse(line, f"`&{anchor}` was given in line {first} already; call one of them otherwise")

    def _wrong(self, line: int, what: str) -> None:
        self.problems.append(f"{self._filename}:{line}: {what}")

    def _refuse(self, line: int, what: str) -> NoReturn:
        raise InvalidInput([*self.problems, f"{self._filename}:{line}: {what}"])

    def _not_yaml(self, error: yaml.MarkedYAMLError) -> str:
        mark = error.problem_mark or error.context_mark
        where = f"{mark.line + 1}:{mark.column + 1}" if mark else "1:1"
        if "single document" in (error.context or ""):
            return f"{self._filename}:{where}: holds a second document; put it into a file of its own"
        problem = (error.problem or "it cannot be read").replace("'\\t'", "tab")
        advice = "indent with spaces" if "tab" in problem else "check indentation, colons and quotes up to here"
        return f"{self._filename}:{where}: is not YAML: {problem}; {advice}"


def _position(text: str, index: int) -> tuple[int, int]:
    return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)
