"""Finds heuristics and orchestrators by name: our own, and those of installed packages by their entry points.

Only what is asked for is imported; a broken plug-in harms nobody who does not use it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from beagle.errors import InvalidInput
from beagle.ports import Heuristic, Orchestrator
from beagle.sentences import meant
from beagle.settings import Settings
from beagle.template import Template

_HEURISTICS = "beagle.heuristics"
_ORCHESTRATORS = "beagle.orchestrators"

# A plain checkout has no entry points; and no plug-in takes one of these names.
BUILT_IN = {
    _HEURISTICS: {
        "grid": "beagle.heuristics.grid:Grid",
        "random": "beagle.heuristics.random:Random",
    },
    _ORCHESTRATORS: {
        "docker": "beagle.orchestrators.docker:DockerOrchestrator",
        "docker-compose": "beagle.orchestrators.compose:ComposeOrchestrator",
        "process": "beagle.orchestrators.process:ProcessOrchestrator",
    },
}


def heuristics() -> list[str]:
    """The names there are; nothing is imported."""
    return sorted(_found(_HEURISTICS))


def orchestrators() -> list[str]:
    """The names there are; nothing is imported."""
    return sorted(_found(_ORCHESTRATORS))


def is_built_in(heuristic: str) -> bool:
    return heuristic in BUILT_IN[_HEURISTICS]


def heuristic(name: str) -> type[Heuristic]:
    """Raises `InvalidInput` for an unknown name, and for a plug-in that cannot be imported."""
    found: type[Heuristic] = _loaded(_found(_HEURISTICS), "heuristic", name)
    return found


def orchestrator(name: str) -> type[Orchestrator]:
    """Its class. Raises `InvalidInput` for an unknown name, and for a plug-in that cannot be imported.

    The operator, who alone names one, may also say `module:Class`: to try a plug-in, no package is needed.
    """
    direct = EntryPoint(name, name, _ORCHESTRATORS)
    given = {name: direct} if ":" in name and direct.pattern.match(name) else {}
    found: type[Orchestrator] = _loaded(_found(_ORCHESTRATORS) | given, "orchestrator", name)
    return found


def made(folder: Path, settings: Settings, system: str = "") -> Orchestrator:
    """One that is ready to `check`. Its class takes the folder, and whichever of these words it names.

    `system` is the identity of the deployment, for what is labelled with it.
    """
    make: Callable[..., Orchestrator] = orchestrator(settings.orchestrator)
    offered: dict[str, object] = {
        "site": settings.site,
        "url": settings.orchestrator_url,
        "token": settings.orchestrator_token,
        "settings": settings,
        "system": system,
    }
    taken = inspect.signature(make).parameters
    return make(folder, **{word: value for word, value in offered.items() if word in taken})


def refusals(template: Template, settings: Settings) -> list[str]:
    """Why the orchestrator of these settings runs it nowhere, one sentence for each reason."""
    return orchestrator(settings.orchestrator).refusals(template, settings)


def _found(group: str) -> dict[str, EntryPoint]:
    ours = {name: EntryPoint(name, value, group) for name, value in BUILT_IN[group].items()}
    return {point.name: point for point in entry_points(group=group)} | ours


def _loaded(found: dict[str, EntryPoint], what: str, name: str) -> type:
    if name not in found:
        raise InvalidInput([f"there is no {what} {name!r}; {meant(name, found)}"])
    try:
        loaded: type = found[name].load()
    except (ImportError, AttributeError) as error:
        raise InvalidInput([f"{what} {name!r} ({found[name].value}) cannot be imported: {error}"]) from error
    return loaded
