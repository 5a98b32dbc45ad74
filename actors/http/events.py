"""`GET /api/v1/events`: what happens, as server-sent events. Asynchronous, so that an idle listener holds no thread.

One consumer of the bus for all listeners of this process; what each has not read yet waits in memory, bounded.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import ClassVar

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from actors.http.asking import Ask
from actors.http.openapi import FAILURES
from beagle.commands import ShowExperiment, ShowProject
from beagle.errors import InvalidInput, Unavailable
from beagle.messages import AnyMessage, ExperimentChanged, Message, ProjectChanged, decode

# Calls what it is given with each event's body, from any thread, until what it answers is called.
Listen = Callable[[Callable[[bytes], None]], Callable[[], None]]
log = logging.getLogger(__name__)

# What waits for a listener that does not read; beyond that it is left out, and told so if it ever reads on.
MOST_WAITING = 1000
MOST_LISTENERS = 5000
HEARTBEAT = 15.0
_TOO_SLOW = (
    "event: LeftOut\n"
    f'data: {{"message": "more than {MOST_WAITING} events waited for you; connect again, and ask for the state"}}\n\n'
)


class Events:
    """`close` may be called from any thread, and so may whatever publishes; everything else is in the server's loop."""

    handles: ClassVar[frozenset[type[Message]]] = frozenset({ExperimentChanged, ProjectChanged})

    def __init__(self, listen: Listen, *, heartbeat: float = HEARTBEAT) -> None:
        self._heartbeat = heartbeat
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: set[Listener] = set()
        self.closed = False
        self._leave = listen(self._hear)

    def listener(self, project: str | None, experiment: str | None) -> Listener:
        """Hears from now on. Raises `Unavailable` when there are too many, or this process ends."""
        if self.closed:
            raise Unavailable("this gateway ends")
        if len(self._listeners) >= MOST_LISTENERS:
            raise Unavailable(f"{MOST_LISTENERS} listen already; close some, or ask another gateway")
        self._loop = asyncio.get_running_loop()
        listener = Listener(project, experiment)
        self._listeners.add(listener)
        return listener

    async def told(self, listener: Listener) -> AsyncIterator[str]:
        """What it hears, until it goes or the server does."""
        try:
            yield "retry: 2000\n: listening\n\n"
            while True:
                try:
                    async with asyncio.timeout(self._heartbeat):
                        await listener.news.wait()
                except TimeoutError:
                    yield ": nothing new\n\n"
                    continue
                listener.news.clear()
                while listener.waiting:
                    yield listener.waiting.popleft()
                if listener.last is not None:
                    yield listener.last
                    return
        finally:
            self._listeners.discard(listener)

    def close(self) -> None:
        """Every stream ends, and no new one begins."""
        self.closed = True
        self._leave()
        self._in_loop(self._end)

    def _hear(self, body: bytes) -> None:
        self._in_loop(lambda: self._tell(body))

    def _in_loop(self, what: Callable[[], None]) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # it is closed: nobody listens any more
                self._loop.call_soon_threadsafe(what)

    def _tell(self, body: bytes) -> None:
        if not self._listeners:
            return
        try:
            message = decode(body)
        except InvalidInput as error:
            log.warning("an event was not understood: %s", error)
            return
        if isinstance(message, ExperimentChanged | ProjectChanged):
            # Written anew: what others wrote on several lines would look like further events.
            text = f"id: {message.id}\nevent: {message.type}\ndata: {message.model_dump_json()}\n\n"
            for listener in self._listeners:
                if listener.wants(message):
                    listener.hear(text)

    def _end(self) -> None:
        for listener in self._listeners:
            listener.end("")


class Listener:
    """What waits for one client. `last` is said at its end, None while it goes on."""

    def __init__(self, project: str | None, experiment: str | None) -> None:
        self._project, self._experiment = project, experiment
        self.waiting: deque[str] = deque()
        self.news = asyncio.Event()
        self.last: str | None = None

    def wants(self, message: AnyMessage) -> bool:
        project, experiment = getattr(message, "project", None), getattr(message, "experiment", None)
        return self._project in {None, project} and self._experiment in {None, experiment}

    def hear(self, text: str) -> None:
        if self.last is None:
            self.waiting.append(text)
            self.news.set()
            if len(self.waiting) > MOST_WAITING:
                self.waiting.clear()
                self.end(_TOO_SLOW)

    def end(self, last: str) -> None:
        self.last = self.last or last
        self.news.set()


def events(ask: Ask, source: Events) -> APIRouter:
    router = APIRouter(tags=["events"])

    @router.get(
        "/events",
        response_class=StreamingResponse,
        responses={**FAILURES, 200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    )
    async def listen_to_events(project: str | None = None, experiment: str | None = None) -> StreamingResponse:
        """Server-sent events, each with the type of the message as its name: of a project, an experiment, or of all."""
        listener = source.listener(await _project(ask, project), await _experiment(ask, experiment))
        return StreamingResponse(
            source.told(listener), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
        )

    return router


async def _project(ask: Ask, name: str | None) -> str | None:
    if name is None:
        return None
    answer = await run_in_threadpool(ask, ShowProject(project=name))
    return str(answer["project"]["id"])


async def _experiment(ask: Ask, name: str | None) -> str | None:
    if name is None:
        return None
    answer = await run_in_threadpool(ask, ShowExperiment(experiment=name))
    return str(answer["experiment"]["id"])
