"""`beagle export`: all experiments of a project, for a spreadsheet (CSV) or a program (JSON lines)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from actors.cli.client import located, opened
from actors.cli.output import ExportFormat, say
from actors.exports import exported
from beagle.settings import Settings


def export(settings: Settings, project: str | None, form: ExportFormat, output: Path | None) -> None:
    """A file is written whole or not at all; one that exists is replaced."""
    with opened(located(settings)) as session:
        pieces = exported(session.ask, project, as_csv=form is ExportFormat.CSV)
        if output is None:
            _print(pieces)
        else:
            _replace(output, pieces)


def _print(pieces: Iterable[str]) -> None:
    for piece in pieces:
        if not say(piece, end="", flush=False):
            return
    say("", end="")


def _replace(output: Path, pieces: Iterable[str]) -> None:
    regular = output.is_file() or not output.exists()
    target = output.with_name(f".{output.name}.{os.getpid()}") if regular else output
    try:
        with target.open("x" if regular else "w", encoding="utf-8", newline="") as file:
            file.writelines(pieces)
            file.flush()
            if regular:
                os.fsync(file.fileno())
        if regular:
            target.replace(output)
    except BaseException:
        if regular:
            target.unlink(missing_ok=True)
        raise
