"""`GET /api/v1/projects/<id>/export`: all experiments of a project, streamed, as `beagle export` writes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.responses import StreamingResponse

from actors.exports import exported
from actors.http.asking import Ask
from actors.http.openapi import FAILURES
from beagle.commands import ShowProject

# Each piece that is sent costs a change of threads.
_AT_ONCE = 64 * 1024


class ExportFormat(StrEnum):
    """`json` is one object on each line."""

    CSV = "csv"
    JSON = "json"


_TYPES = {ExportFormat.CSV: "text/csv; charset=utf-8", ExportFormat.JSON: "application/x-ndjson"}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    **FAILURES,
    200: {"content": {"text/csv": {"schema": {"type": "string"}}, "application/x-ndjson": {"schema": {}}}},
}


def exporting(ask: Ask) -> APIRouter:
    router = APIRouter(tags=["projects"])

    @router.get("/projects/{project}/export", response_class=StreamingResponse, responses=_RESPONSES)
    def export_project(
        project: Annotated[str, Path(description="An id, or a name.")],
        format: Annotated[ExportFormat, Query(description="A table, or one object on each line.")] = ExportFormat.CSV,
    ) -> StreamingResponse:
        """All experiments of a project, each with its parameters and last metrics."""
        found = ask(ShowProject(project=project))["project"]
        pieces = exported(ask, found["id"], as_csv=format is ExportFormat.CSV)
        name = f"{found['id']}.{'csv' if format is ExportFormat.CSV else 'jsonl'}"
        return StreamingResponse(
            _together(pieces),
            media_type=_TYPES[format],
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    return router


def _together(pieces: Iterable[str]) -> Iterator[str]:
    waiting: list[str] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= _AT_ONCE:
            yield "".join(waiting)
            waiting, size = [], 0
    yield "".join(waiting)
