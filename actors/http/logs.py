"""`GET /api/v1/experiments/<id>/logs`: what an attempt wrote, to its end or for as long as it writes.

Asynchronous, so that whoever follows a log that says nothing holds no thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from actors.http.asking import Ask
from actors.http.openapi import FAILURES
from beagle.commands import LONGEST_LOG, ReadLog, ShowExperiment
from beagle.errors import NotFound, Refused, Unavailable
from beagle.experiment import RESULTS, State
from beagle.message import Answer, new_id

# Between two looks at a log that grows: the longer, the longer nothing came.
SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 1.0
_OVER = {*(state.value for state in RESULTS), State.FAILED.value}


@dataclass(slots=True)
class Reading:
    """How far a log was read. `stopping`: whether the server ends."""

    ask: Ask
    wanted: ReadLog
    stopping: Callable[[], bool]

    async def piece(self) -> Answer:
        return await run_in_threadpool(self.ask, self.wanted.model_copy(update={"id": new_id()}))

    async def rest(self, first: Answer) -> AsyncIterator[str]:
        """From that piece to what is there by now."""
        piece, offset = first, self.wanted.offset
        while True:
            yield piece["text"]
            if piece["complete"] or piece["next"] == offset:
                return
            self.wanted, offset = self.wanted.model_copy(update={"offset": piece["next"]}), piece["next"]
            piece = await self.piece()

    async def follow(self) -> AsyncIterator[str]:
        """Until it is complete; the framework ends it when its reader goes. What is away for a moment is waited for."""
        pause = SHORTEST_PAUSE
        while not self.stopping():
            try:
                piece = await self.piece()
            except (NotFound, Refused):
                if not await self.may_still_begin():
                    return
                piece = None
            except Unavailable:
                piece = None
            if piece is not None and piece["next"] != self.wanted.offset:
                pause = SHORTEST_PAUSE
                self.wanted = self.wanted.model_copy(update={"offset": piece["next"]})
                yield piece["text"]
            else:
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE, pause * 1.5)
            if piece is not None and piece["complete"]:
                return

    async def may_still_begin(self) -> bool:
        """It has written nothing: whether it may."""
        try:
            shown = await run_in_threadpool(self.ask, ShowExperiment(experiment=self.wanted.experiment))
        except NotFound:
            return False
        view = shown["experiment"]
        return bool(view["attempt"] == self.wanted.attempt and view["state"] not in _OVER)


def logs(ask: Ask, stopping: Callable[[], bool]) -> APIRouter:
    router = APIRouter(tags=["experiments"])

    @router.get(
        "/experiments/{experiment}/logs",
        response_class=StreamingResponse,
        responses={**FAILURES, 200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def read_log(
        experiment: Annotated[str, Path(description="An id, or a name.")],
        attempt: Annotated[int | None, Query(ge=1, lt=2**31, description="Instead of the current one.")] = None,
        stream: Literal["out", "err"] = "out",
        offset: Annotated[
            int, Query(ge=-LONGEST_LOG, le=LONGEST_LOG, description="In bytes; a negative one counts from the end.")
        ] = 0,
        follow: Annotated[bool, Query(description="Go on for as long as it writes.")] = False,  # noqa: FBT002 - a query
    ) -> StreamingResponse:
        """What an attempt wrote, as plain text."""
        shown = await run_in_threadpool(ask, ShowExperiment(experiment=experiment))
        view = shown["experiment"]
        wanted = ReadLog(experiment=view["id"], attempt=attempt or view["attempt"], stream=stream, offset=offset)
        reading = Reading(ask, wanted, stopping)
        try:
            first = await reading.piece()
        except (NotFound, Refused) as nothing:
            if not follow or not await reading.may_still_begin():
                raise NotFound(f"{nothing}: {shown['why']}") from nothing
        text = reading.follow() if follow else reading.rest(first)
        return StreamingResponse(text, media_type="text/plain; charset=utf-8")

    return router
