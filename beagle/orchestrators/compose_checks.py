"""What a template may not have under docker-compose, whoever hands it in: it would run twice, clash or not be found."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from pydantic import JsonValue

from beagle.orchestrators.compose_file import OURS, Tree
from beagle.settings import Settings
from beagle.template import Template

Place = tuple[str | int, ...]
Mistake = tuple[Place, str]

_SUFFIXES = (".yml", ".yaml")
_AGAIN = "what Docker starts again by itself would run twice; remove it: a project's `retries` try an experiment again"
_ONE = "give 1: it is experiments that there are many of"


def refused(template: Template, settings: Settings) -> list[str]:
    """One sentence for each reason."""
    wrong = [f"{template.filename}: is no file for docker-compose; call it .yml or .yaml"]
    problems = [] if template.filename.lower().endswith(_SUFFIXES) else wrong
    return problems + [template.sentence(place, what) for place, what in _mistakes(template.document, settings)]


def _mistakes(document: Tree, settings: Settings) -> Iterator[Mistake]:
    for kind in ("networks", "volumes"):
        for name in _tree(document.get(kind)):
            if name.startswith(OURS):
                yield (kind, name), f"begins with {OURS}, which is Beagle's own; give it another name"
    services = _tree(document.get("services"))
    hosts = _hosts(settings)
    for name, service in services.items():
        place, written = ("services", name), _tree(service)
        if name in hosts:
            yield place, f"has the name of a server ({hosts[name]}), and would take its place there; rename it"
        if "image" not in written and "build" not in written:
            yield (*place, "image"), "is missing; name the image that it runs"
        if "container_name" in written and "networks" in written:
            what = "would be taken when the next attempt starts; give it as one of `aliases` to a network of this file"
            yield (*place, "container_name"), what
        if written.get("profiles"):
            yield (*place, "profiles"), "keep the service from being started; remove them, or the service"
        yield from _repeated(place, written)
        yield from _volumes(place, written.get("volumes"))


def _repeated(place: Place, written: Tree) -> Iterator[Mistake]:
    deploy = _tree(written.get("deploy"))
    if written.get("restart") not in (None, "no", False):
        yield (*place, "restart"), _AGAIN
    if deploy.get("restart_policy") and _tree(deploy["restart_policy"]).get("condition") != "none":
        yield (*place, "deploy", "restart_policy"), _AGAIN
    if written.get("scale") not in (None, 1):
        yield (*place, "scale"), f"is {written['scale']}; {_ONE}"
    if deploy.get("replicas") not in (None, 1):
        yield (*place, "deploy", "replicas"), f"is {deploy['replicas']}; {_ONE}"
    if deploy.get("mode") not in (None, "replicated"):
        yield (*place, "deploy", "mode"), f"is {deploy['mode']}; remove it: experiments run in one container a service"


def _volumes(place: Place, volumes: JsonValue) -> Iterator[Mistake]:
    """A template that was handed in has no folder; its home is that of the launcher."""
    for index, volume in enumerate(volumes if isinstance(volumes, list) else []):
        long = volume if isinstance(volume, dict) else {}
        source = volume.partition(":")[0] if isinstance(volume, str) and ":" in volume else long.get("source")
        if isinstance(source, str) and source.startswith((".", "~")):
            yield (*place, "volumes", index), f'"{source}" is relative to no folder; give a path that begins with /'


def _hosts(settings: Settings) -> dict[str, str]:
    """The names of our own servers in the network that containers join, and the setting that says so."""
    named = ("bus", "metrics_bus", "experiment_bus", "store", "experiment_server", "management", "server")
    urls = {name: str(getattr(settings, name)) for name in named}
    return {host: name for name, url in urls.items() if "://" in url and (host := urlsplit(url).hostname)}


def _tree(value: JsonValue) -> Tree:
    return value if isinstance(value, dict) else {}
