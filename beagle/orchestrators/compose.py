"""Runs experiments as projects of Docker Compose: the user's file as it is, one project for each attempt."""

from __future__ import annotations

import builtins
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from beagle.errors import InvalidInput, LaunchFailed, Unavailable
from beagle.orchestrators import compose_checks, permits
from beagle.orchestrators.compose_claims import WITHIN, Claim, Claims
from beagle.orchestrators.compose_command import MISSING, ComposeCommand, Halt, found
from beagle.orchestrators.compose_file import Additions, written
from beagle.orchestrators.containers import labels, marks
from beagle.orchestrators.containers.engine import Facts
from beagle.orchestrators.containers.makers import Maker
from beagle.orchestrators.containers.orchestrator import ContainerOrchestrator
from beagle.orchestrators.containers.services import CHECKPOINT, LOG_DRIVER, LOG_OPTIONS, OUTPUT, folders, main_of
from beagle.orchestrators.containers.watch import Watch
from beagle.ports import Ended
from beagle.settings import Settings
from beagle.template import Template, Workload

# Another launcher is waited for so long; then it is looked at again with the next tick.
_PATIENCE = 20.0
_AGAIN = 0.1
# What a launcher asked for just before it died is done by then.
_SETTLED = 0.5
# So long may what a command asked for still happen when the engine did not answer it.
_UNANSWERED = 10.0


class ComposeOrchestrator(ContainerOrchestrator):
    """See `Orchestrator`. `up` is run once for each workload, by whoever made its claim; see `compose_claims`."""

    kind = "docker-compose"
    # Each costs Compose up to half a second, most of which it waits.
    starts = 64

    def __init__(
        self, folder: Path, site: str = "", url: str = "", settings: Settings | None = None, system: str = ""
    ) -> None:
        super().__init__(folder, site, url, settings, system)
        self._claims = Claims(self.engine, self.system)
        self._folder = folder / "compose"
        # The starts that are under way here, and what each is of.
        self._starting: dict[Halt, str] = {}

    @staticmethod
    def refusals(template: Template, settings: Settings) -> builtins.list[str]:
        return [*compose_checks.refused(template, settings), *permits.refused(template, settings)]

    def check(self, template: Template) -> builtins.list[str]:
        missing = [] if self.program() else [MISSING]
        return [*missing, *super().check(template)]

    def about(self) -> str:
        path = self.program()
        if path is None:
            raise InvalidInput([MISSING])
        return f"{super().about()}; Docker Compose is {path}"

    def program(self) -> str | None:
        """The path of Docker Compose."""
        return found()

    def claim(self, name: str) -> str:
        return f"{name}.claim"

    def launch(self, workload: Workload) -> float:
        name, deadline = workload.name, time.monotonic() + _PATIENCE
        with self._halting(name) as halt:
            while time.monotonic() < deadline:
                claim, services = self._look(name)
                if claim is None and not services:
                    at = self._claimed(workload, halt)
                    if at is not None:
                        return at
                elif claim is None or claim.is_up:
                    # Without a claim too: `docker container prune` takes it for refuse.
                    return self._take(name, services)
                elif not claim.is_open:
                    self._settle(name, claim)
                else:
                    time.sleep(_AGAIN)
        raise Unavailable(f"{name} is being started by another launcher")

    # Starting

    def _claimed(self, workload: Workload, halt: Halt) -> float | None:
        """When it was started; None when someone else has claimed it."""
        self.must_be_permitted(workload)
        maker, after = Maker.new(), 0.0
        try:
            own = self._claims.make(workload, maker)
            return None if own is None else self._bring_up(workload, own, maker, halt)
        except Unavailable:
            after = _UNANSWERED
            raise
        finally:
            maker.done(after)

    def _bring_up(self, workload: Workload, own: str, maker: Maker, halt: Halt) -> float:
        name = workload.name
        if marks.is_forbidden(self.engine, name):
            self._claims.remove(own)
            return self.never(name)
        try:
            command, file = self._command(), written(workload, self._additions(workload))
            if maker.is_late():
                raise Unavailable(f"{name} could not be started: the engine was too slow")
            command.up(name, file, within=WITHIN, halt=halt)
        except (LaunchFailed, InvalidInput):
            if halt.is_set or marks.is_forbidden(self.engine, name):
                # What was started of it is ended by whoever stops it, who waits for this.
                self._claims.up(own, name)
                return time.time()
            if self._take_down(name):
                # It must not run again, and the claim keeps it from that.
                marks.forbid(self.engine, self.system, name)
                self._claims.up(own, name)
            else:
                self._claims.remove(own)
            raise
        self._claims.up(own, name)
        return self.watching().follow(self._look(name)[1], adopted=False).started_at

    def _take(self, name: str, services: builtins.list[Facts]) -> float:
        """One that was started on, whoever did it. Of what has none left nobody can say how it ended."""
        if any(labels.was_started(each) for each in services):
            return self.adopt(services)
        if marks.is_forbidden(self.engine, name):
            return self.never(name)
        now = time.time()
        gone = Ended(workload=name, status=None, ended_at=now, lost=True, error="its containers were removed")
        self.watching().tell(name, gone)
        return now

    def _settle(self, name: str, claim: Claim) -> None:
        """Of a launcher that is gone: what it brought up is taken over, what it did not is begun anew.

        With services missing it is told as lost, by whoever follows it: a new attempt is better than a half one.
        """
        time.sleep(_SETTLED)
        services = self._look(name)[1]
        if _has_run(services):
            self._claims.up(claim.id, name)
            return
        started = [each for each in services if labels.was_started(each)]
        # One that was created and runs by now is not removed; then all is looked at again.
        if all(self.engine.remove(str(each["Id"]), force=each in started) for each in services):
            self._claims.remove(claim.id)

    def _take_down(self, name: str) -> bool:
        """Whether it had run: its main service, or any where there is none."""
        services = self._look(name)[1]
        for each in services:
            self.engine.remove(str(each["Id"]), force=True)
        self._remove_networks(name)
        return _has_run(services)

    def _command(self) -> ComposeCommand:
        path = self.program()
        if path is None:
            raise InvalidInput([MISSING])
        return ComposeCommand(path, self._folder, self.engine.url, os.environ)

    def _additions(self, workload: Workload) -> Additions:
        network, main = self.network(), main_of(workload.services, self.settings)
        count = {labels.SERVICES: str(len(workload.services))}
        return Additions(
            labels=labels.of_workload(self.system, workload),
            service_labels={
                service.name: count | labels.of_service(service, main=service.name == main)
                for service in workload.services
            },
            network="" if network in ("none", "bridge") else network,
            network_mode=network,
            volumes=folders(workload),
            logging={"driver": LOG_DRIVER, "options": {**LOG_OPTIONS}},
            environment={
                "BEAGLE_WORKLOAD": workload.name,
                "BEAGLE_OUTPUT_DIR": OUTPUT,
                "BEAGLE_CHECKPOINT_DIR": CHECKPOINT,
            },
        )

    # Stopping

    def _stop(self, watch: Watch, name: str) -> None:
        """After the mark: whoever claims it from now on finds that, and whoever is at it is waited for."""
        for halt in [halt for halt, its in list(self._starting.items()) if its == name]:
            halt.set()
        claim, services = self._look(name)
        if claim is not None and claim.is_open:
            self.later.do(partial(self._stop, watch, name), after=_AGAIN)
            return
        started = [each for each in services if labels.was_started(each)]
        if not all(self.engine.remove(str(each["Id"])) for each in services if each not in started):
            self._stop(watch, name)
        elif started:
            if claim is not None:
                self._claims.up(claim.id, name)
            watched = watch.get(name) or watch.follow(started, adopted=True)
            watch.end(watched)
        else:
            if claim is not None:
                self._claims.remove(claim.id)
            if not self._tell_again(name):
                self.never(name)

    @contextmanager
    def _halting(self, name: str) -> Iterator[Halt]:
        """While it starts a stop tells it so."""
        halt = Halt()
        self._starting[halt] = name
        try:
            yield halt
        finally:
            del self._starting[halt]

    def _look(self, name: str) -> tuple[Claim | None, builtins.list[Facts]]:
        """Its claim, and the containers of its services, inspected."""
        listed = self.engine.containers({labels.SYSTEM: self.system, labels.WORKLOAD: name})
        serving = [each for each in listed if labels.SERVICE in labels.of(each)]
        inspected = [self.engine.inspect(str(each["Id"])) for each in serving]
        return Claims.among(listed), [each for each in inspected if each is not None]


def _has_run(services: Sequence[Facts]) -> bool:
    mains = [each for each in services if labels.of(each).get(labels.MAIN) == "true"]
    return any(labels.was_started(each) for each in mains or services)
