"""Standard output: plain text, tables, JSON and YAML. A reader that went away (`| head`) is no error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from actors.cli.words import View, clean

GAP = "  "


class Format(StrEnum):
    """What a listing looks like."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


class ExportFormat(StrEnum):
    """What an export looks like; `json` is one object on each line."""

    CSV = "csv"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of words. On a terminal, the columns of `folding` wrap; those of `cut` lose what does not fit, or go."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    folding: frozenset[str] = frozenset()
    cut: frozenset[str] = frozenset()
    numeric: frozenset[str] = frozenset()


def say(text: str, end: str = "\n", *, flush: bool = True) -> bool:
    """Write. False once nobody reads any more: what is said from then on goes nowhere."""
    try:
        sys.stdout.write(text + end)
        if flush:
            sys.stdout.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        return False
    return True


def warn(text: str) -> None:
    """One sentence beside the output, for the user's eyes."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def is_terminal() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def show_table(table: Table) -> None:
    """Drawn to the width of a terminal; elsewhere aligned columns that nothing is cut from."""
    if is_terminal():
        from actors.cli.drawn import draw  # noqa: PLC0415 - Rich's tables cost 60 ms, and a pipe needs none

        draw(table)
    else:
        say("\n".join(aligned(table)))


def aligned(table: Table) -> list[str]:
    """One line for each row, two spaces between the columns, none at the end."""
    lines = [list(table.columns), *([clean(cell) or "-" for cell in row] for row in table.rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.columns))]
    numeric = [name in table.numeric for name in table.columns]
    return [
        GAP.join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in lines
    ]


def show_view(view: View, form: Format) -> None:
    """One answer, whole."""
    say(as_json(view) if form is Format.JSON else as_yaml(view), end="")


def show_list(views: Iterable[View], form: Format) -> None:
    """A list, written as it is read: a million experiments never stand in memory."""
    write = _yaml_items if form is Format.YAML else _json_items
    for piece in write(views):
        if not say(piece, end="", flush=False):
            return
    say("", end="")


def _yaml_items(views: Iterable[View]) -> Iterator[str]:
    empty = True
    for view in views:
        yield as_yaml([view])
        empty = False
    if empty:
        yield "[]\n"


def _json_items(views: Iterable[View]) -> Iterator[str]:
    before = "[\n"
    for view in views:
        yield before + json.dumps(view, ensure_ascii=False)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def as_yaml(value: object) -> str:
    import yaml  # noqa: PLC0415 - 60 ms that every other command need not wait for

    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=4096))
