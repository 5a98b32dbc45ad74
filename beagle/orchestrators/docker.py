"""Runs experiments as containers of a Docker engine, one for each service of the template, through Docker's SDK."""

from __future__ import annotations

import builtins
import time

from beagle.errors import InvalidInput, LaunchFailed, Unavailable
from beagle.orchestrators.containers import labels, marks
from beagle.orchestrators.containers.engine import Facts
from beagle.orchestrators.containers.launch import Launch, Withdrawn
from beagle.orchestrators.containers.makers import BOUND, Maker
from beagle.orchestrators.containers.orchestrator import ContainerOrchestrator
from beagle.orchestrators.containers.services import containers, refusals
from beagle.orchestrators.permits import refused
from beagle.ports import Ended
from beagle.settings import Settings
from beagle.template import Template, Workload

# While another one is starting it.
_LOOK_AGAIN = 0.05
# After so many seconds a call that was not answered has done what it does, or never will.
_UNANSWERED = 30.0


class DockerOrchestrator(ContainerOrchestrator):
    """See `Orchestrator`. The claim is the container of the main service, else of the first; it has the workload's
    name, the others `<workload>.<service>`. Only who made the claim starts anything, within a bound after that."""

    kind = "docker"

    @staticmethod
    def refusals(template: Template, settings: Settings) -> builtins.list[str]:
        return [*refusals(template), *refused(template, settings)]

    def claim(self, name: str) -> str:
        return name

    def launch(self, workload: Workload) -> float:
        deadline = time.monotonic() + 2 * BOUND
        while time.monotonic() < deadline:
            maker = Maker.new()
            try:
                found = self._try(workload, maker)
            except Unavailable:
                maker.done(after=_UNANSWERED)
                raise
            except BaseException:
                maker.done()
                raise
            maker.done()
            if found is not None:
                return found
            started = self._of_another(workload.name)
            if started is not None:
                return started
        raise Unavailable(f"{workload.name} is being started by someone else, who does not get on with it")

    def _try(self, workload: Workload, maker: Maker) -> float | None:
        """When it was started; None when it is someone else's."""
        self.must_be_permitted(workload)
        common = labels.of_workload(self.system, workload)
        borne = {labels.MAKER: maker.mark, labels.SERVICES: str(len(workload.services))}
        try:
            made = containers(workload, self.settings, common | borne)
            launch = Launch(self.engine, workload, made, common, maker, self.network())
        except (ValueError, InvalidInput) as error:
            raise LaunchFailed(f"{workload.name} could not be started: {error}") from error
        try:
            started = launch.run()
        except Withdrawn:
            return self.never(workload.name) if marks.is_forbidden(self.engine, workload.name) else None
        if started is None:
            return None
        if all(started):
            return self.watching().follow([each for each in started if each], adopted=False).started_at
        # It ran, and someone has removed it since: it must not run again.
        marks.forbid(self.engine, self.system, workload.name)
        now = time.time()
        gone = Ended(workload=workload.name, status=None, ended_at=now, lost=True, error="its container was removed")
        self.watching().tell(workload.name, gone)
        return now

    def _of_another(self, name: str) -> float | None:
        """Adopt it once it was started; None when it is to be made anew, or looked at again."""
        there = self.containers(name)
        if not there or there[0]["Name"] != f"/{name}":
            other = self.engine.inspect(name)
            if other is not None and labels.of(other).get(labels.WORKLOAD) != name:
                raise LaunchFailed(f"there is a container called {name}, and it is none of Beagle's: remove it")
            time.sleep(_LOOK_AGAIN)
            return None
        started = [each for each in there if labels.was_started(each)]
        services = int(labels.of(there[0]).get(labels.SERVICES, "1"))
        if len(started) == services:
            return self.adopt(there)
        # One of several may have others running by now.
        if services == 1 and marks.is_forbidden(self.engine, name):
            return self.never(name)
        if not self._is_settled(there):
            time.sleep(_LOOK_AGAIN)
            return None
        if labels.was_started(there[0]):
            return self.adopt(there)
        # The claim last: as long as it is there, nobody else begins anew.
        for each in reversed(there):
            self.engine.remove(str(each["Id"]), force=each is not there[0])
        return None

    def _is_settled(self, there: builtins.list[Facts]) -> bool:
        """Whether nobody will start any more of it."""
        old = time.time() - labels.moment(there[0]["Created"]) > BOUND
        return self.is_abandoned(there[0]) or (labels.was_started(there[0]) and old)
