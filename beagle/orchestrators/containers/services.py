"""The containers that the services of a template become where each needs no more than Docker's engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from beagle.orchestrators.containers import labels, values
from beagle.orchestrators.containers.interpolation import filled, filled_all, problems
from beagle.orchestrators.containers.options import Options, read
from beagle.orchestrators.containers.values import COMPOSE, Data
from beagle.sentences import shown
from beagle.settings import Settings
from beagle.template import Service, Template, Workload

# Without rotation, so that places in the log stay what they are: an engine may rotate where nothing else is said.
LOG_DRIVER, LOG_OPTIONS = "json-file", {"max-size": "1p"}
OUTPUT, CHECKPOINT = "/beagle/output", "/beagle/checkpoint"
# What the scheduler fills in by these names is a value, as parameters are.
_FILLED = {"NAME", "ROOT_TOPIC", "METRICS_TOPIC"}
_OWN_NETWORKS = {"bridge", "default", "host", "none"}
_PULLS = {"always", "missing", "if_not_present", "never"}
_BESIDE = {"services", "version", "name", "volumes"}
Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Container:
    """One to make. `before` are services that are started earlier; one that `joins` has no network mode of its own."""

    service: str
    config: dict[str, Any]
    volumes: tuple[str, ...]
    platform: str | None
    pull: str
    before: tuple[str, ...]
    alias: str
    joins: bool

    @property
    def image(self) -> str:
        return str(self.config["Image"])


def main_of(services: tuple[Service, ...], settings: Settings) -> str | None:
    """The service whose end ends all: as a label or the setting says, else the only one; None when none is named."""
    named = [service.name for service in services if service.main]
    if not named:
        named = [service.name for service in services if service.name == settings.main_service]
    if not named and len(services) == 1:
        named = [services[0].name]
    return named[0] if named else None


def refusals(template: Template) -> Iterator[str]:
    """A sentence for each thing in it that takes more than the engine."""
    found: list[tuple[Place, str]] = []
    for name, value in template.document.items():
        if name not in _BESIDE and not name.startswith("x-") and not _is_plain(name, value):
            found.append(((name,), f"needs more than Docker's engine; {COMPOSE}"))
    found += [(("volumes", *place), what) for place, what in problems(template.document.get("volumes"))]
    found += list(_volume_problems(template.document.get("volumes")))
    services = _mapping(template.document.get("services"))
    for name in services:
        found += [(("services", name, *place), what) for place, what in _problems(services, name)]
    for place, what in found:
        yield template.sentence(place, what)


def containers(workload: Workload, settings: Settings, borne: dict[str, str]) -> list[Container]:
    """The main one, or else the first, comes first. Raises `ValueError` for what `refusals` would have named."""
    main = main_of(workload.services, settings)
    made = [_container(workload, service, borne, main) for service in workload.services]
    return sorted(made, key=lambda each: each.service != main)


def in_order(made: list[Container]) -> list[Container]:
    """Each after those that it depends on; the first of them as late as that allows: its start is the workload's."""
    waiting, found = [*made[1:], made[0]], list[Container]()
    while waiting:
        names = {each.service for each in waiting}
        ready = next((each for each in waiting if not names & set(each.before)), waiting[0])
        waiting.remove(ready)
        found.append(ready)
    return found


def declared_names(workload: Workload) -> list[str]:
    return list(_mapping(workload.document.get("volumes")))


def declared(workload: Workload, name: str) -> dict[str, Any]:
    """How the file declares a volume: its name at the engine, and what it is made with, or None for one of others."""
    told = _mapping(_mapping(filled_all(workload.document.get("volumes"))).get(name))
    external = told.get("external")
    own = told.get("name") or (external.get("name") if isinstance(external, dict) else None)
    made = None
    if not external:
        made = {"driver": told.get("driver"), "driver_opts": told.get("driver_opts")}
    return {"name": own or (name if external else f"{workload.name}_{name}"), "made": made}


def _container(workload: Workload, service: Service, borne: dict[str, str], main: str | None) -> Container:
    written = _service(_mapping(workload.document.get("services")), service.name)
    told = cast("dict[str, Data]", filled_all(written | {"environment": None}))
    options = Options(volume=lambda name: str(declared(workload, name)["name"]))
    for field, what in read(told, options):
        raise ValueError(f"{service.name}.{field} {what}")
    entrypoint = len(values.command(written["entrypoint"])) if written.get("entrypoint") is not None else 0
    words = [filled(word) for word in service.command]
    mode = told.get("network_mode")
    options.host["LogConfig"] = {"Type": LOG_DRIVER, "Config": dict(LOG_OPTIONS)}
    options.host.setdefault("Mounts", []).extend(mounts(workload))
    if mode is not None:
        options.host["NetworkMode"] = "bridge" if mode == "default" else mode
    own = values.pairs(told["labels"]) if told.get("labels") is not None else {}
    config = {
        **options.body,
        "Image": told["image"],
        "Entrypoint": words[:entrypoint] or None,
        "Cmd": words[entrypoint:] or None,
        "Env": [f"{name}={value}" for name, value in _environment(workload, service, written).items()],
        "Labels": {**own, **borne, **labels.of_service(service, main=service.name == main)},
        "HostConfig": options.host,
    }
    return Container(
        service=service.name,
        config=config,
        volumes=tuple(options.volumes),
        platform=cast("str | None", told.get("platform")),
        pull=str(told.get("pull_policy") or "missing"),
        before=tuple(_before(told)),
        alias=str(told.get("container_name") or ""),
        joins=mode is None,
    )


def folders(workload: Workload) -> dict[str, str]:
    """Volumes of the attempt's and of the experiment's own: engines elsewhere have them too, as they have no folder."""
    return {OUTPUT: f"{workload.name}.output", CHECKPOINT: f"beagle-{workload.experiment}.checkpoint"}


def mounts(workload: Workload) -> list[dict[str, Any]]:
    return [{"Type": "volume", "Source": name, "Target": target} for target, name in folders(workload).items()]


def written_in_file(service: Service, listed: Data) -> set[str]:
    """The variables whose text is that of the file, where `$` has a meaning; values of the experiment have none."""
    given = _FILLED | set(json.loads(service.environment.get("BEAGLE_PARAMETERS", "{}")))
    own = set(values.pairs(listed)) if listed is not None else set()
    return {name for name in own - given if not name.startswith("BEAGLE_")}


def _environment(workload: Workload, service: Service, written: dict[str, Data]) -> dict[str, str]:
    """In the file's own text `$$` is `$`; values of the experiment are what they are."""
    own = written_in_file(service, written.get("environment"))
    found = {name: filled(value) if name in own else value for name, value in service.environment.items()}
    return {**found, "BEAGLE_WORKLOAD": workload.name, "BEAGLE_OUTPUT_DIR": OUTPUT, "BEAGLE_CHECKPOINT_DIR": CHECKPOINT}


def _problems(services: dict[str, Data], name: str) -> Iterator[tuple[Place, str]]:
    service = _service(services, name)
    wrong = dict(problems(service))
    yield from wrong.items()
    broken = {place[0] for place in wrong}
    sound = {field: filled_all(value) for field, value in service.items() if field not in broken}
    for field, what in read(sound, Options()):
        yield (field,), what
    if not isinstance(service.get("image"), str) or not service["image"]:
        build = " (`build` needs docker-compose)" if "build" in service else ""
        yield ("image",), f"is missing; give the name of an image{build}"
    mode, pull = sound.get("network_mode"), sound.get("pull_policy")
    if mode is not None and str(mode).startswith("service:"):
        yield ("network_mode",), f"is {shown(mode)}; {COMPOSE}"
    if pull is not None and pull not in _PULLS:
        yield ("pull_policy",), f"is {shown(pull)}; give one of {', '.join(sorted(_PULLS))}"
    if not _is_plain("networks", sound.get("networks")):
        yield ("networks",), f"needs more than Docker's engine; {COMPOSE}"
    for shared in ("ipc", "pid"):
        if str(sound.get(shared)).startswith("service:"):
            yield (shared,), f"is {shown(sound[shared])}; {COMPOSE}"
    yield from _dependencies(services, name, sound)


def _dependencies(services: dict[str, Data], name: str, service: dict[str, Data]) -> Iterator[tuple[Place, str]]:
    depends = service.get("depends_on")
    for other in _before(service):
        told = _mapping(depends.get(other)) if isinstance(depends, dict) else {}
        condition = told.get("condition", "service_started")
        if condition != "service_started":
            yield ("depends_on", other), f"waits until {shown(condition)}; {COMPOSE}"
        if other not in services:
            yield ("depends_on",), f"names {other}, and there is no such service"
        elif name in _closure(services, other):
            yield ("depends_on",), f"goes in a circle from {name} to {other} and back; remove one of them"


def _closure(services: dict[str, Data], name: str) -> set[str]:
    """All that it waits for, itself too when it waits for itself."""
    found: set[str] = set()
    waiting = _before(_mapping(services.get(name)))
    while waiting:
        other = waiting.pop()
        if other not in found:
            found.add(other)
            waiting += _before(_mapping(services.get(other)))
    return found


def _before(service: dict[str, Data]) -> list[str]:
    depends = service.get("depends_on")
    return [str(name) for name in depends] if isinstance(depends, list | dict) else []


def _volume_problems(volumes: Data) -> Iterator[tuple[Place, str]]:
    known = {"driver", "driver_opts", "external", "labels", "name"}
    for name, told in _mapping(volumes).items():
        for field in set(_mapping(told)) - known:
            yield ("volumes", name, field), f"needs more than Docker's engine; {COMPOSE}"


def _is_plain(field: str, value: Data) -> bool:
    """Whether it says no more than is so anyway."""
    if value in (None, {}, []):
        return True
    if field != "networks":
        return False
    if isinstance(value, list):
        return value == ["default"]
    return isinstance(value, dict) and value in ({"default": None}, {"default": {}})


def _service(services: dict[str, Data], name: str) -> dict[str, Data]:
    """Without what is only noted beside it."""
    return {field: value for field, value in _mapping(services.get(name)).items() if not field.startswith("x-")}


def _mapping(value: Data) -> dict[str, Data]:
    return value if isinstance(value, dict) else {}
