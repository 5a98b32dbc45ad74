"""Lists over HTTP: bare, by offset as the original had them or by cursor, with the way on in a header."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Query
from fastapi.responses import JSONResponse

from actors.http.asking import Ask
from beagle.commands import FURTHEST
from beagle.message import Answer
from beagle.messages import AnyMessage

USUAL = 10
MOST = 10_000
# One answer of the bus holds at most so many.
_PIECE = 1000

Cursor = Annotated[str | None, Query(description="The `after` of the Link header: goes on from there, at any depth.")]
Limit = Annotated[int, Query(ge=1, le=MOST)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which piece of a list."""

    offset: int
    limit: int
    after: str | None


def _window(offset: Annotated[int, Query(ge=0, le=FURTHEST)] = 0, limit: Limit = USUAL, after: Cursor = None) -> Window:
    return Window(offset=offset, limit=limit, after=after)


AWindow = Annotated[Window, Depends(_window)]
Question = Callable[[str | None, int, int], AnyMessage]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    records: list[Answer]
    next: str | None
    # None: the list does not say.
    total: int | None


def gathered(ask: Ask, window: Window, key: str, question: Question) -> Piece:
    """`question` makes the message from a cursor, an offset and a limit; of it are asked as many as it takes."""
    records: list[Answer] = []
    after, offset = window.after, window.offset
    while True:
        answer = ask(question(after, offset, min(_PIECE, window.limit - len(records))))
        records += answer[key]
        after, offset = answer["next"], 0
        if after is None or len(records) >= window.limit or not answer[key]:
            return Piece(records=records, next=after, total=answer.get("total"))


def headers(path: str, piece: Piece, limit: int, **more: object) -> dict[str, str]:
    found = {}
    if piece.total is not None:
        found["X-Total-Count"] = str(piece.total)
    if piece.next is not None:
        query = {name: value for name, value in more.items() if value is not None}
        found["Link"] = f'<{path}?{urlencode({**query, "after": piece.next, "limit": limit})}>; rel="next"'
    return found


def bare(path: str, piece: Piece, limit: int, shape: Callable[[Answer], Any], **more: object) -> JSONResponse:
    return JSONResponse([shape(view) for view in piece.records], headers=headers(path, piece, limit, **more))
