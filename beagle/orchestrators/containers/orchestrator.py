"""What orchestrators of containers share: all but how the containers of a workload are made and started."""

from __future__ import annotations

import builtins
import codecs
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from beagle.errors import InvalidInput, LaunchFailed, NotFound, Refused, Unavailable
from beagle.orchestrators import permits
from beagle.orchestrators.containers import labels, makers, marks, network
from beagle.orchestrators.containers.engine import Answered, Engine, Facts
from beagle.orchestrators.containers.garbage import Garbage
from beagle.orchestrators.containers.kept import Kept
from beagle.orchestrators.containers.later import Later
from beagle.orchestrators.containers.watch import Watch
from beagle.orchestrators.containers.watched import parted
from beagle.ports import Ended, Log, Observed
from beagle.settings import Settings
from beagle.template import Template, Workload, attempt_of

# The launcher's own thread waits no longer than this for an engine that hangs: it would be taken for dead.
_QUICK = 1.8
_PATIENT = 60.0
_STOPPING = 8
_AGAIN = 0.1


class ContainerOrchestrator(ABC):
    """See `Orchestrator`. `folder` keeps logs; `system` is the identity of the deployment, which is on all labels.

    Each container of a workload bears `labels`. One of them is the claim: its name is unique, it is made first, and
    a workload whose claim was started is not started again. The listener is called from several threads, in order for
    each workload.
    """

    kind = ""
    starts = 16

    def __init__(
        self, folder: Path, site: str = "", url: str = "", settings: Settings | None = None, system: str = ""
    ) -> None:
        self.site = site or self.kind
        self.settings = settings or Settings()
        self.system = system or "beagle"
        self.engine = Engine(url, timeout=_PATIENT)
        self._quick = Engine(url, timeout=_QUICK)
        self.kept = Kept(folder)
        self.later = Later(_STOPPING, f"beagle-{self.kind}")
        self._network: str | None = None
        self._watch: Watch | None = None

    # What a kind adds

    @abstractmethod
    def claim(self, name: str) -> str:
        """What the claim of a workload is called."""

    @abstractmethod
    def launch(self, workload: Workload) -> float:
        """Start it, or `adopt` it, or say that it never will run."""

    # What they share

    def check(self, template: Template) -> builtins.list[str]:  # noqa: ARG002 - an image may come by the time it is needed
        try:
            self.network()
        except InvalidInput as error:
            return [*error.problems]
        except (Unavailable, Answered):
            return []  # the launch says so, and is tried again
        return []

    def watch(self, listener: Callable[[Sequence[Observed]], None]) -> None:
        self._watch = Watch(self.engine, self.kept, self.later, self.system, listener, self._is_over)
        Garbage(self.engine, self.later, self.system, self.settings.keep_ended).begin()

    def start(self, workload: Workload) -> float:
        self.watching()
        try:
            if self._tell_again(workload.name):
                ending = self.kept.ending(workload.name)
                return time.time() if ending is None else ending.started_at
            return self.launch(workload)
        except Answered as error:
            raise Unavailable(f"{workload.name} could not be started: {error}") from error

    def must_be_permitted(self, workload: Workload) -> None:
        """Asked where containers are about to be made: a gateway may have other settings, or have had them."""
        template = Template(filename="its template", folder="/", services=workload.services, document=workload.document)
        if problems := permits.refused(template, self.settings):
            raise LaunchFailed(f"{workload.name} may not be started: {'; '.join(problems)}")

    def stop(self, name: str) -> None:
        attempt_of(name)
        watch = self.watching()
        try:
            marks.forbid(self._quick, self.system, name)
        except Answered as error:
            raise Unavailable(f"{name} cannot be stopped: {error}") from error
        self.later.do(partial(self._stop, watch, name))

    def list(self) -> builtins.list[str]:
        try:
            there = self._quick.containers({labels.SYSTEM: self.system})
            cleaned = marks.cleaned(self._quick, self.system) if there else {}
        except Answered as error:
            raise Unavailable(f"what was started cannot be listed: {error}") from error
        return sorted({labels.of(container).get(labels.WORKLOAD, "") for container in there} - set(cleaned) - {""})

    def clean(self, name: str) -> None:
        """Its containers stay for a while, as what keeps it from running again. Raises `Refused` while it runs."""
        if self._watch is not None and self._watch.get(name) is not None:
            raise Refused(f"{name} has not ended yet")
        try:
            marks.clean(self._quick, self.system, name)
        except Answered as error:
            raise Unavailable(f"{name} cannot be cleaned: {error}") from error

    def logs(self, name: str, *, stream: str = "out", offset: int = 0, limit: int = 65536) -> Log:
        """With several services `out` and `err` are those of the main one, else of the first;
        `<service>/out` and `<service>/err` are those of any."""
        attempt_of(name)
        service, _, kind = stream.rpartition("/")
        if kind not in ("out", "err") or "/" in service:
            raise NotFound(f'there is no stream "{stream}"; there are out, err, <service>/out and <service>/err')
        ending = self.kept.ending(name)
        if ending is not None:
            named = service or next(iter(ending.services), "")
            return self.kept.log(name, named, kind, offset, limit, ended=True)
        container = self._of_service(name, service)
        if container["State"] == "created":
            raise NotFound(f'{name} has not written to "{stream}"')
        if kind == "out" and self._watch is not None and self._watch.get(name) is not None:
            with suppress(NotFound):
                named = labels.of(container)[labels.SERVICE]
                return self.kept.log(name, named, kind, offset, limit, ended=False)
        return self._asked(container, kind, offset, limit)

    def close(self) -> None:
        self.later.close()
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        self.engine.close()
        self._quick.close()

    def about(self) -> str:
        """What it speaks to, for `beagle doctor`. Raises `Unavailable`, and `InvalidInput` without a network."""
        try:
            version = self._quick.version()
            joined = network.found(self._quick, self.settings)
        except Answered as error:
            raise Unavailable(f"Docker at {self._quick.url} cannot be used: {error}") from error
        return f"Docker {version['Version']} at {self._quick.url}; containers join the network {joined}"

    # What kinds use

    def watching(self) -> Watch:
        if self._watch is None:
            raise Refused("watch comes before start and stop, and nothing after close")
        return self._watch

    def network(self) -> str:
        """The one that containers join, found once. Raises `InvalidInput` when it cannot be told."""
        if self._network is None:
            self._network = network.found(self._quick, self.settings)
        return self._network

    def containers(self, name: str) -> builtins.list[Facts]:
        """All of a workload, inspected; the claim, if it is there, first."""
        listed = self.engine.containers({labels.SYSTEM: self.system, labels.WORKLOAD: name})
        found = [there for each in listed if (there := self.engine.inspect(str(each["Id"]))) is not None]
        return sorted(found, key=lambda each: each["Name"] != f"/{self.claim(name)}")

    def adopt(self, containers: Sequence[Facts]) -> float:
        """Those of one workload, of which some were started; when the first was."""
        return self.watching().follow(containers, adopted=True).started_at

    def never(self, name: str) -> float:
        now = time.time()
        self.watching().tell(name, Ended(workload=name, status=None, ended_at=now, never=True))
        return now

    def is_abandoned(self, container: Facts) -> bool:
        """Of one that was created and not started: whether nobody will start it any more."""
        age = time.time() - labels.moment(container["Created"])
        return makers.is_gone(labels.of(container).get(labels.MAKER, ""), age)

    # The thread of `Later`

    def _stop(self, watch: Watch, name: str) -> None:
        """After the mark: whoever is starting it either finds that, or has started what is found here."""
        there = self.containers(name)
        if not there:
            if not self._tell_again(name):
                self.never(name)
            return
        created = [each for each in there if not labels.was_started(each)]
        several = int(labels.of(there[0]).get(labels.SERVICES, "1")) > 1
        if created and several and not all(self.is_abandoned(each) for each in created):
            # Its maker finds the mark, or has soon started the last of it.
            self.later.do(partial(self._stop, watch, name), after=_AGAIN)
            return
        removed = [self.engine.remove(str(each["Id"])) for each in created]
        if not all(removed) or len(removed) == len(there):
            self._stop(watch, name)
            return
        watched = watch.get(name)
        if watched is None:
            watched = watch.follow([each for each in there if each not in created], adopted=True)
        watch.end(watched)

    def _tell_again(self, name: str) -> bool:
        """Whether it has ended, as is known here; then its story is told from what is kept."""
        ending = self.kept.ending(name)
        if ending is None:
            return False
        self.watching().tell(name, ending.ended, ending.services)
        return True

    def _is_over(self, name: str) -> None:
        self.later.do(partial(self._remove_networks, name))

    def _remove_networks(self, name: str) -> None:
        for each in self.engine.networks({labels.SYSTEM: self.system, labels.WORKLOAD: name}):
            self.engine.remove_network(str(each["Id"]))

    # Logs

    def _of_service(self, name: str, service: str) -> Facts:
        """The container, as it is listed, of that service, or of the one whose log is the workload's."""
        try:
            there = self._quick.containers({labels.SYSTEM: self.system, labels.WORKLOAD: name})
        except Answered as error:
            raise Unavailable(f"the log of {name} cannot be read: {error}") from error
        found = parted(there).get(name, [])
        found.sort(key=lambda each: labels.of(each).get(labels.MAIN) != "true")
        for container in found:
            if service in ("", labels.of(container)[labels.SERVICE]):
                return container
        raise NotFound(f"{name} has not written anything" if not found else f'{name} has no service "{service}"')

    def _asked(self, container: Facts, stream: str, offset: int, limit: int) -> Log:
        """From the engine, which always begins at the beginning."""
        content, runs = b"", container["State"] == "running"
        try:
            with self._quick.output(str(container["Id"]), stream=stream) as pieces:
                for piece in pieces:
                    content += piece
        except Answered as error:
            raise NotFound(f"the log cannot be read: {error}") from error
        begin = max(0, len(content) + offset) if offset < 0 else offset
        part = content[begin : begin + limit]
        last = not runs and begin + len(part) >= len(content)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text = decoder.decode(part, final=last or len(part) < 4)
        return Log(text, begin + len(part) - len(decoder.getstate()[0]), last)
