"""A few threads that many actors share: each runs in one of them at a time, and takes its messages in their order."""

from __future__ import annotations

import queue
import threading
from collections import deque
from itertools import islice, takewhile
from typing import Any, ClassVar

from actors.base import BusActor, World
from bus.port import Delivery

# An actor that always has another message lets the rest have their turn after so many; one that hands out, after more.
TURN, LONG_TURN = 20, 200
# So many actors that are ready wait for each thread that works, before another thread is woken.
WAITING = 4
# Seconds after which another thread takes up what is still ready: those that work wait for something.
PATIENCE = 0.1


class Crew:
    """At most `most` threads, each started when it is first needed. Safe from any thread."""

    def __init__(self, name: str, most: int, patience: float = PATIENCE) -> None:
        self._name, self._most, self._patience = name, most, patience
        self._lock = threading.Lock()
        self._ready: deque[CrewActor] = deque()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._wake: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._watch = threading.Thread(target=self._look, name=f"{name}-watch", daemon=True)

    def hand(self, actor: CrewActor) -> None:
        """Give it a turn soon.

        Of a few that are ready one thread does all: there is one interpreter, and to wake another thread for it costs
        more than most messages do. When threads wait for a disk or a server, more are soon ready, and others wake.
        """
        with self._lock:
            # What is handed out first is done together: those who get it find all of it.
            (self._ready.appendleft if actor.hands_out else self._ready.append)(actor)
            if len(self._ready) <= WAITING * (len(self._threads) - self._idle):
                return
        self._add()

    def close(self) -> None:
        """Returns when every actor has had its turns, and ends the threads.

        Called in one of these it takes turns too, and that thread ends after the turn that it is in.
        """
        self._closed.set()
        if self._threads:
            self._watch.join()
        while (actor := self._next()) is not None:
            actor.turn()
        for _ in self._threads:
            self._wake.put(False)  # noqa: FBT003 - a thread is to end
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()

    def _next(self) -> CrewActor | None:
        with self._lock:
            return self._ready.popleft() if self._ready else None

    def _look(self) -> None:
        waited = None
        while not self._closed.wait(self._patience):
            with self._lock:
                before, waited = waited, self._ready[0] if self._ready else None
            if waited is not None and waited is before:
                self._add()

    def _add(self) -> None:
        """One thread more at work, if there is one."""
        with self._lock:
            if not self._idle:
                self._grow()
                return
            self._idle -= 1
        self._wake.put(True)  # noqa: FBT003 - a thread is to look for work

    def _grow(self) -> None:
        if not self._threads:
            self._watch.start()
        if len(self._threads) < self._most:
            thread = threading.Thread(target=self._run, name=f"{self._name}-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self) -> None:
        while True:
            with self._lock:
                actor = self._ready.popleft() if self._ready else None
                self._idle += actor is None
            if actor is not None:
                actor.turn()
            elif not self._wake.get():
                return


class _Inbox:
    """Whoever puts into one that rests hands its actor to the crew."""

    def __init__(self, actor: CrewActor) -> None:
        self._actor = actor
        self._lock = threading.Lock()
        self._envelopes: deque[Any] = deque()
        self._rests = False  # it is handed over by its start
        self._left = self._most = LONG_TURN if actor.hands_out else TURN

    def put(self, envelope: object) -> None:
        with self._lock:
            self._envelopes.append(envelope)
            if not self._rests:
                return
            self._rests = False
        self._actor.crew.hand(self._actor)

    def get(self) -> Any:  # noqa: ANN401 - what Pykka put in
        """Called within the actor's turn; raises `queue.Empty` at the end of it."""
        with self._lock:
            if self._envelopes and self._left:
                self._left -= 1
                return self._envelopes.popleft()
            self._left = self._most
            self._rests = not self._envelopes
            more = not self._rests
        if more:
            self._actor.crew.hand(self._actor)
        raise queue.Empty

    def coming(self, most: int) -> list[Delivery]:
        with self._lock:
            first = [envelope.message for envelope in islice(self._envelopes, most)]
        return [*takewhile(lambda message: isinstance(message, Delivery), first)]

    def empty(self) -> bool:
        return not self._envelopes


class CrewActor(BusActor):
    """An actor as any other, but without a thread of its own: while it has no message it costs its memory only.

    One that `hands_out` what it gets to others has its turn before them.
    """

    hands_out: ClassVar[bool] = False

    def __init__(self, world: World, crew: Crew, queues: tuple[str, ...] = ()) -> None:
        self.crew = crew
        self._started = False
        super().__init__(world, queues)

    def _create_actor_inbox(self) -> Any:  # type: ignore[override]  # noqa: ANN401 - as in `BusActor`
        self._inbox = _Inbox(self)
        return self._inbox

    def coming(self, most: int) -> list[Delivery]:
        """What is taken after the present message, as far as it is here, up to the first that is no delivery."""
        return self._inbox.coming(most)

    def _start_actor_loop(self) -> None:
        self.crew.hand(self)

    def turn(self) -> None:
        """Pykka's own loop, for as long as there are messages."""
        try:
            if not self._started:
                self._started = True
                self._actor_loop_setup()
            self._actor_loop_running()
            # What was told to one that has stopped may be more than a turn takes, too.
            self._actor_loop_teardown()
        except queue.Empty:
            return
