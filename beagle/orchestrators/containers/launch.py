"""One try to be the one that starts a workload as containers of the engine.

First its claim is made, whose name only one can have; then the mark of a stop is looked for, which a stop leaves before
it looks for containers; only then, and only for a while, each is started, by its id.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from contextlib import suppress

from beagle.errors import LaunchFailed, Unavailable
from beagle.orchestrators.containers import labels, marks
from beagle.orchestrators.containers.engine import Answered, Engine, Facts
from beagle.orchestrators.containers.makers import Maker
from beagle.orchestrators.containers.network import NONE
from beagle.orchestrators.containers.services import CHECKPOINT, OUTPUT, Container, declared, declared_names, in_order
from beagle.template import Workload

_ROOT = {"", "0", "root", "0:0", "root:root"}


class Withdrawn(Exception):
    """A stop came first, or someone removed what was made: nothing of it was left running."""


class Launch:
    """`containers`: the claim first. `common` are the labels of all that is made for it."""

    def __init__(
        self,
        engine: Engine,
        workload: Workload,
        containers: Sequence[Container],
        common: dict[str, str],
        maker: Maker,
        network: str,
    ) -> None:
        self._engine, self._workload, self._maker, self._network = engine, workload, maker, network
        self._containers, self._common = list(containers), common
        self._ids: dict[str, str] = {}

    def run(self) -> list[Facts | None] | None:
        """Its containers, as they are right after their start; None when it is someone else's."""
        name, claim = self._workload.name, self._containers[0]
        self._make_volumes()
        if len(self._containers) > 1:
            # They find each other by their services' names; without any other network they find nobody else.
            self._engine.create_network(name, self._common, internal=self._network == NONE)
        if not self._make(claim, name):
            return None
        try:
            self._start_all(name)
        except (Withdrawn, LaunchFailed, Answered):
            # Not so when it is unavailable: it may have started what must not be removed, and so run twice.
            with suppress(Unavailable, Answered):
                self._take_back()
            raise
        return [self._engine.inspect(made) for made in self._ids.values()]

    def _start_all(self, name: str) -> None:
        if marks.is_forbidden(self._engine, name):
            raise Withdrawn
        for each in self._containers[1:]:
            if not self._make(each, f"{name}.{each.service}"):
                raise LaunchFailed(f"there is a container called {name}.{each.service} already: remove it")
        for each in in_order(self._containers):
            self._start(each)

    def _make_volumes(self) -> None:
        used = {name for each in self._containers for name in each.volumes}
        for name in declared_names(self._workload):
            told = declared(self._workload, name)
            if told["name"] in used and told["made"] is not None:
                self._engine.create_volume(told["name"], self._common, **told["made"])
        borne = {name: value for name, value in self._common.items() if name != labels.WORKLOAD}
        for mount in self._containers[0].config["HostConfig"]["Mounts"]:
            if mount["Target"] in (OUTPUT, CHECKPOINT):
                self._engine.create_volume(mount["Source"], borne)

    def _make(self, container: Container, name: str) -> bool:
        """Whether it is ours now."""
        if container.pull == "always":
            self._pull(container)
        together = container.joins and len(self._containers) > 1
        if together:
            aliases = [alias for alias in (container.service, container.alias) if alias]
            container.config["HostConfig"]["NetworkMode"] = self._workload.name
            container.config["NetworkingConfig"] = {"EndpointsConfig": {self._workload.name: {"Aliases": aliases}}}
        elif container.joins:
            container.config["HostConfig"]["NetworkMode"] = self._network
        try:
            made = self._create(container, name)
        except Answered as error:
            # It may have been made all the same; and a name is taken a moment before there is anything of that name.
            there = self._engine.inspect(name)
            if there is None or labels.of(there).get(labels.MAKER) != self._maker.mark:
                if error.status == 409:
                    return False
                raise self._failure(container, error) from error
            made = str(there["Id"])
        self._ids[container.service] = made
        self._open_folders(container, made)
        if together and self._network != NONE:
            self._engine.connect(self._network, made)
        return True

    def _create(self, container: Container, name: str) -> str:
        try:
            return self._engine.create(name, container.config, container.platform)
        except Answered as error:
            if error.status != 404 or container.pull == "never" or self._engine.has_image(container.image):
                raise
        self._pull(container)
        return self._engine.create(name, container.config, container.platform)

    def _pull(self, container: Container) -> None:
        try:
            self._engine.pull(container.image, container.platform)
        except Answered as error:
            raise LaunchFailed(f'the image "{container.image}" is not here, and pulling it failed: {error}') from error

    def _open_folders(self, container: Container, id: str) -> None:
        """A new volume is root's; whoever else the programs run as must be able to write to it."""
        user = container.config.get("User") or self._engine.user_of(container.image)
        if user not in _ROOT:
            self._engine.put(id, "/beagle", _FOLDERS)

    def _start(self, container: Container) -> None:
        if self._maker.is_late():
            raise Unavailable(f"{self._workload.name} is not started: making it took too long")
        made = self._ids[container.service]
        try:
            self._engine.start(made)
        except Answered as error:
            there = self._engine.inspect(made)
            if there is None:
                raise Withdrawn from error
            if not labels.was_started(there):
                raise self._failure(container, error, there) from error

    def _failure(self, container: Container, error: Answered, there: Facts | None = None) -> LaunchFailed | Unavailable:
        """What the engine knows of the container is its fault; without a word on that it may pass by itself."""
        known = str(there["State"]["Error"]) if there is not None else ""
        what = f'{container.service} (image "{container.image}") could not be started: {known or error}'
        if known or error.status < 500:
            return LaunchFailed(what)
        return Unavailable(what)

    def _take_back(self) -> None:
        """The claim last, and all by force but that: as long as it is there, nobody begins anew."""
        for service, made in reversed(self._ids.items()):
            self._engine.remove(made, force=service != self._containers[0].service)
        if len(self._containers) > 1:
            self._engine.remove_network(self._workload.name)


def open_folders() -> bytes:
    """An archive for /beagle, in which everybody may write to both."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for path in (OUTPUT, CHECKPOINT):
            entry = tarfile.TarInfo(path.removeprefix("/beagle/"))
            entry.type, entry.mode = tarfile.DIRTYPE, 0o777
            archive.addfile(entry)
    return content.getvalue()


_FOLDERS = open_folders()
