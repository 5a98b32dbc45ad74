"""Which Docker network containers join, so that they see the bus: the one that is named, else that of this process."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from beagle.errors import InvalidInput
from beagle.orchestrators.containers.engine import Engine
from beagle.settings import Settings

AUTO, NONE = "auto", "none"
# The original's networks were called so.
_OURS = "beagleml"
_OWN = re.compile("/containers/([0-9a-f]{64})/")
_DOCKERS = {"bridge", "host", "none"}


def found(engine: Engine, settings: Settings) -> str:
    """Its name; `bridge` is Docker's own, `none` is no network. Raises `InvalidInput` when it cannot be told."""
    if settings.network == NONE:
        return NONE
    names = sorted({str(network["Name"]) for network in engine.networks()})
    if settings.network != AUTO:
        if settings.network not in names:
            there = ", ".join(names)
            raise InvalidInput([f'Docker has no network "{settings.network}": BEAGLE_NETWORK may be auto, {there}'])
        return settings.network
    for candidates in (_own(engine), [name for name in names if _OURS in name]):
        if len(candidates) > 1:
            several = ", ".join(candidates)
            raise InvalidInput([f"containers could join the Docker networks {several}: name one in BEAGLE_NETWORK"])
        if candidates:
            return candidates[0]
    return "bridge"


def _own(engine: Engine) -> list[str]:
    """The networks of the container that this process is in, if it is in one."""
    own = own_container()
    there = engine.inspect(own) if own else None
    networks = set((there or {}).get("NetworkSettings", {}).get("Networks") or {}) - _DOCKERS
    return sorted(name for name in networks if _OURS in name) or sorted(networks)


def own_container() -> str | None:
    """Its id: Docker binds files from a folder of that name over those of the container."""
    with suppress(OSError):
        known = _OWN.search(Path("/proc/self/mountinfo").read_text())
        return known[1] if known else None
    return None
