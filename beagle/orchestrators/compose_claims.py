"""Who brings up a workload with Compose, which itself would start again what has ended: whoever made its claim.

A claim is a container that is never started: the engine gives a name to one only. It is called `<workload>.claim`, and
`<workload>.up` from when all services were started on. As the mark of what ran it stays until all of it is removed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from beagle.errors import BeagleError, Unavailable
from beagle.orchestrators.containers import labels, makers
from beagle.orchestrators.containers.engine import Answered, Engine, Facts
from beagle.orchestrators.containers.launch import open_folders
from beagle.orchestrators.containers.makers import Maker
from beagle.orchestrators.containers.services import folders, mounts
from beagle.template import Workload

# An image of nothing, made where it is missing: a claim must not wait for a registry.
IMAGE = "beagle/claim:1"
# So long may Compose be at it. It pulls images too; a launch that takes longer is given up anyway.
WITHIN = 280.0
_CLAIM, _UP = ".claim", ".up"


@dataclass(frozen=True, slots=True)
class Claim:
    """`is_open`: its maker may be about to start services, or is at it."""

    id: str
    is_up: bool
    is_open: bool


class Claims:
    """All claims of one engine. Safe from any thread."""

    def __init__(self, engine: Engine, system: str) -> None:
        self._engine, self._system = engine, system

    def make(self, workload: Workload, maker: Maker) -> str | None:
        """The id of this maker's claim; None when another one is there, or it is up already."""
        borne = labels.of_workload(self._system, workload)
        config: Facts = {
            "Image": IMAGE,
            "Cmd": ["claim"],
            "Labels": {**borne, labels.MAKER: maker.mark},
            "HostConfig": {"NetworkMode": "none", "Mounts": mounts(workload)},
        }
        for volume in folders(workload).values():
            self._engine.create_volume(volume, {name: each for name, each in borne.items() if name != labels.WORKLOAD})
        own = self._create(workload.name + _CLAIM, config, maker)
        # Looked at after the creation: whoever was faster has renamed its own before.
        if own is not None and self._engine.inspect(workload.name + _UP) is not None:
            self._engine.remove(own)
            return None
        if own is not None:
            # New volumes are root's, and nobody knows as whom its programs will run.
            self._engine.put(own, "/beagle", open_folders())
        return own

    def up(self, id: str, name: str) -> None:
        """All services were started, or nothing more of it may be."""
        with suppress(Answered):  # someone else did it
            self._engine.rename(id, name + _UP)

    def remove(self, id: str) -> None:
        self._engine.remove(id)

    @staticmethod
    def among(containers: Sequence[Facts]) -> Claim | None:
        """The claim among the listed containers of a workload."""
        for each in containers:
            if labels.MAKER in labels.of(each) and labels.SERVICE not in labels.of(each):
                is_up = any(str(name).endswith(_UP) for name in each["Names"])
                # What is under way for so long on another machine is under way no more.
                age = time.time() - float(each["Created"]) - WITHIN
                gone = makers.is_gone(labels.of(each)[labels.MAKER], age)
                return Claim(str(each["Id"]), is_up, not is_up and not gone)
        return None

    def _create(self, name: str, config: Facts, maker: Maker) -> str | None:
        try:
            return self._engine.create(name, config)
        except Answered as error:
            if error.status == 409:
                return None
            if error.status == 404:
                self._engine.make_image(IMAGE)
                return self._create(name, config, maker)
            return self._made(name, maker, error)
        except Unavailable as error:
            return self._made(name, maker, error)

    def _made(self, name: str, maker: Maker, error: BeagleError) -> str:
        """It may have been made all the same: an answer is lost, or is an error after success."""
        there = self._engine.inspect(name)
        if there is None or labels.of(there).get(labels.MAKER) != maker.mark:
            raise error
        return str(there["Id"])
