"""`beagle export`: all experiments of a project, for a spreadsheet (CSV) or a program (JSON lines)."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from actors.cli.client import located, opened, pages
from actors.cli.output import ExportFormat, say
from actors.cli.words import View
from actors.main import Session
from beagle.commands import ListExperiments
from beagle.settings import Settings

_DROPPED = frozenset({"parameters", "metrics"})


def export(settings: Settings, project: str | None, form: ExportFormat, output: Path | None) -> None:
    """A file is written whole or not at all; one that exists is replaced."""
    with opened(located(settings)) as session:
        pieces = _csv(session, project) if form is ExportFormat.CSV else _json(_all(session, project))
        if output is None:
            _print(pieces)
        else:
            _replace(output, pieces)


def _all(session: Session, project: str | None) -> Iterator[View]:
    return pages(session, lambda after: ListExperiments(project=project, after=after, limit=1000), "experiments")


def _json(views: Iterable[View]) -> Iterator[str]:
    for view in views:
        yield json.dumps(view, ensure_ascii=False) + "\n"


def _csv(session: Session, project: str | None) -> Iterator[str]:
    """Read twice: the first time for the names, so that a million rows never stand in memory."""
    names: dict[str, None] = {}
    for view in _all(session, project):
        names |= dict.fromkeys(row(view))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(names), extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for view in _all(session, project):
        writer.writerow({name: cell(value) for name, value in row(view).items()})
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def row(view: View) -> dict[str, object]:
    """One flat row. Parameters and metrics come last, as `parameters.LR` and `metrics.accuracy`."""
    flat = {name: value for name, value in view.items() if name not in _DROPPED}
    for group in ("parameters", "metrics"):
        flat |= {f"{group}.{name}": value for name, value in view[group].items()}
    return flat


def cell(value: object) -> str:
    """A value as CSV has it. Text that a spreadsheet would run as a formula gets an apostrophe before it."""
    if value is None:
        return ""
    text = json.dumps(value) if isinstance(value, bool) else str(value)
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


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
