"""All experiments of a project, for a spreadsheet (CSV) or a program (JSON lines), piece by piece."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from beagle.commands import ListExperiments
from beagle.message import Answer, Message
from beagle.ports import Cursor, Page, paged

View = dict[str, Any]
M = TypeVar("M", bound=Message)
_DROPPED = frozenset({"parameters", "metrics"})


def pages(ask: Callable[[M], Answer], question: Callable[[Cursor | None], M], key: str) -> Iterator[View]:
    """All records of a list, page after page; `question` makes the message for a cursor."""

    def fetch(after: Cursor | None) -> Page[View]:
        answer = ask(question(after))
        return Page(answer[key], answer["next"])

    return paged(fetch)


def exported(ask: Callable[[ListExperiments], Answer], project: str | None, *, as_csv: bool) -> Iterator[str]:
    """The pieces of the whole export; `project` as in `ListExperiments`."""

    def everything() -> Iterator[View]:
        return pages(ask, lambda after: ListExperiments(project=project, after=after, limit=1000), "experiments")

    return _csv(everything) if as_csv else _json(everything())


def _json(views: Iterable[View]) -> Iterator[str]:
    for view in views:
        yield json.dumps(view, ensure_ascii=False) + "\n"


def _csv(everything: Callable[[], Iterator[View]]) -> Iterator[str]:
    """Read twice: the first time for the names, so that a million rows never stand in memory."""
    names: dict[str, None] = {}
    for view in everything():
        names |= dict.fromkeys(row(view))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(names), extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for view in everything():
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
