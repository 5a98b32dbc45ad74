"""The orchestrator of one site, shared by its launchers: what runs is a name, and every real start is written down."""

from __future__ import annotations

import builtins
import queue
import threading
import time
from collections.abc import Callable, Sequence

from beagle.ports import CaughtUp, Ended, Line, Log, Observed
from beagle.settings import Settings
from beagle.template import Template, Workload


class Engine:
    """With `lasts` a workload ends by itself after so many seconds; what it says is read by all who watch it.

    So many starts may be under way `at_once`; `passing` is called in each, "before" it has an effect and "after".
    """

    def __init__(self, site: str, lasts: float | None = None) -> None:
        self.site, self._lasts = site, lasts
        self.at_once = 1
        self.passing: Callable[[str, str], None] = lambda moment, name: None
        self.lock = threading.RLock()
        self.starts: list[str] = []
        # How many ran at once, here and on the others.
        self.all: tuple[Engine, ...] = (self,)
        self.most = 0
        self.alive: set[str] = set()
        self.listed: set[str] = set()
        self.stopped: set[str] = set()
        self.began: dict[str, float] = {}
        self.said: dict[str, list[Line]] = {}
        self.endings: dict[str, Ended] = {}
        self.handles: list[Handle] = []

    def handle(self) -> Handle:
        """For one launcher."""
        made = Handle(self)
        self.handles.append(made)
        return made

    def watchers(self, name: str) -> int:
        return sum(name in handle.watched for handle in self.handles if not handle.closed)

    def run(self, name: str) -> None:
        self.starts.append(name)
        self.alive.add(name)
        self.most = max(self.most, sum(len(engine.alive) for engine in self.all))
        self.began[name] = time.time()
        if self._lasts is not None:
            timer = threading.Timer(self._lasts, self.end, (name,))
            timer.daemon = True
            timer.start()

    def say(self, name: str, text: str) -> None:
        with self.lock:
            lines = self.said.setdefault(name, [])
            line = Line(workload=name, source="out", offset=10 * len(lines), text=text, length=len(text))
            lines.append(line)
            self._push(name, [line])

    def end(self, name: str, status: int = 0) -> None:
        """By itself, or because it was stopped."""
        with self.lock:
            if name in self.alive:
                self.alive.discard(name)
                self.endings[name] = Ended(workload=name, status=status, ended_at=time.time())
                self._push(name, [self.endings[name]])

    def vanish(self, name: str) -> None:
        """Somebody removed it by hand."""
        with self.lock:
            self.alive.discard(name)
            self.listed.discard(name)

    def _push(self, name: str, observed: list[Observed]) -> None:
        for handle in self.handles:
            if name in handle.watched:
                handle.pushes.put(observed)


class Handle:
    """The port, as one launcher has it."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.site = engine, engine.site
        self.watched: set[str] = set()
        self.closed = False
        self.pushes: queue.SimpleQueue[Sequence[Observed] | None] = queue.SimpleQueue()

    @property
    def starts(self) -> int:
        return self.engine.at_once

    @staticmethod
    def refusals(template: Template, settings: Settings) -> builtins.list[str]:
        return []

    def check(self, template: Template) -> builtins.list[str]:
        return []

    def watch(self, listener: Callable[[Sequence[Observed]], None]) -> None:
        threading.Thread(target=self._run, args=(listener,), daemon=True).start()

    def _run(self, listener: Callable[[Sequence[Observed]], None]) -> None:
        while (observed := self.pushes.get()) is not None:
            if not self.closed:
                listener(observed)

    def start(self, workload: Workload) -> float:
        self.engine.passing("before", workload.name)
        at = self._start(workload.name)
        self.engine.passing("after", workload.name)
        return at

    def _start(self, name: str) -> float:
        engine = self.engine
        with engine.lock:
            self.watched.add(name)
            engine.listed.add(name)
            if name in engine.began:
                said: list[Observed] = [*engine.said.get(name, ()), CaughtUp(workload=name)]
                self.pushes.put(said + ([engine.endings[name]] if name in engine.endings else []))
            elif name in engine.stopped:
                self.pushes.put([Ended(workload=name, status=None, ended_at=time.time(), never=True)])
            else:
                engine.run(name)
            return engine.began.get(name, time.time())

    def stop(self, name: str) -> None:
        engine = self.engine
        with engine.lock:
            engine.stopped.add(name)
            self.watched.add(name)
            if name in engine.alive:
                engine.end(name, -15)
            else:
                never = Ended(workload=name, status=None, ended_at=time.time(), never=name not in engine.began)
                self.pushes.put([engine.endings.get(name, never)])

    def list(self) -> builtins.list[str]:
        with self.engine.lock:
            return sorted(self.engine.listed)

    def clean(self, name: str) -> None:
        with self.engine.lock:
            self.engine.listed.discard(name)
            self.watched.discard(name)

    def logs(self, name: str, *, stream: str = "out", offset: int = 0, limit: int = 65536) -> Log:
        text = "".join(f"{line.text}\n" for line in self.engine.said.get(name, ()))
        return Log(text, len(text), complete=name not in self.engine.alive)

    def close(self) -> None:
        self.closed = True
        self.pushes.put(None)
