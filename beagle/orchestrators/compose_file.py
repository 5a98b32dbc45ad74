"""The Compose file that an attempt is started from: the user's, with values put in as data. Pure.

A value of an experiment is never text in the file: it is an element of the tree that is written as JSON, which is YAML
too, and each `$` in it is doubled, so that Compose gives it back as it is. In the file's own text `$` is Compose's.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field

from pydantic import JsonValue

from beagle.orchestrators.containers.services import written_in_file
from beagle.template import Service, Workload

Tree = dict[str, JsonValue]

# What we add to the file's own networks and volumes has names that begin so.
OURS = "beagle_"
NETWORK = f"{OURS}network"
# JSON leaves as they are some characters that cannot stand in YAML: these, but not those beyond U+FFFF.
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Additions:
    """What the file does not say: labels of all that belongs to the attempt, and those of each service; a network that
    is there (empty: none; then `network_mode` is that of a service alone); volumes that are there, by where they are
    mounted; how the output is kept; and what each program is told besides its own environment."""

    labels: Mapping[str, str]
    service_labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    network: str = ""
    network_mode: str = "bridge"
    volumes: Mapping[str, str] = field(default_factory=dict)
    logging: Mapping[str, JsonValue] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


def written(workload: Workload, added: Additions) -> str:
    """The text for `docker-compose -f -`."""
    text = json.dumps(composed(workload, added), ensure_ascii=False, allow_nan=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def composed(workload: Workload, added: Additions) -> Tree:
    tree = deepcopy(workload.document)
    # The project's name is the workload's; older commands know no other place for it than their own argument.
    tree.pop("name", None)
    services = _tree(tree["services"])
    for service in workload.services:
        _fill(_tree(services[service.name]), service, added)
    for kind in ("networks", "volumes"):
        _label(tree, kind, added.labels)
    _join(tree, workload.name, added)
    for each in services.values():
        # It would be taken when the next attempt starts; by it services may call each other.
        _tree(each).pop("container_name", None)
    for target, volume in added.volumes.items():
        name = OURS + target.rpartition("/")[2]
        _at(tree, "volumes")[name] = {"external": True, "name": _plain(volume)}
        for service in workload.services:
            _list(_tree(services[service.name]), "volumes").append(f"{name}:{target}")
    return tree


def _fill(written: Tree, service: Service, added: Additions) -> None:
    told = {**service.environment, **added.environment}
    own = added.service_labels.get(service.name, {})
    kept = written_in_file(service, written.get("environment"))
    written["environment"] = {name: value if name in kept else _plain(value) for name, value in told.items()}
    written["labels"] = {**_pairs(written.get("labels")), **_plain_pairs({**added.labels, **own})}
    if added.logging:
        written["logging"] = deepcopy(dict(added.logging))
    # The older Compose takes no parts of a second. It is we who stop it.
    written["stop_grace_period"] = f"{math.ceil(service.grace)}s"


def _label(tree: Tree, kind: str, labels: Mapping[str, str]) -> None:
    """What Compose makes for this attempt alone is ours to remove; what has a fixed name outlives it, for others."""
    for name, given in _at(tree, kind).items():
        made = _tree(given) if given is not None else {}
        if not made.get("external") and not made.get("name"):
            made["labels"] = {**_pairs(made.get("labels")), **_plain_pairs(labels)}
            _at(tree, kind)[name] = made


def _join(tree: Tree, name: str, added: Additions) -> None:
    """Put services that name no network into `added.network`, else into Docker's own.

    Several are in a network of their own besides, which comes first where names are looked up: in the common one they
    have the same names in every attempt. Docker looks in the order of the networks' names.
    """
    services, networks = _tree(tree["services"]), _at(tree, "networks")
    own = _tree(networks["default"]) if networks.get("default") is not None else {}
    if own.get("external") or own.get("name"):
        return
    outside: Tree = {"external": True, "name": _plain(added.network)}
    free = [_tree(each) for each in services.values() if not {"networks", "network_mode"} & _tree(each).keys()]
    if len(services) > 1 or "default" in networks:
        networks["default"] = {**own, "name": f"0.{name}", "labels": _plain_pairs(added.labels)}
        if added.network:
            networks[NETWORK] = outside
        for each in free:
            called = each.get("container_name")
            own_names: JsonValue = {"aliases": [called]} if called else None
            each["networks"] = {"default": own_names, **({NETWORK: None} if added.network else {})}
    elif added.network:
        networks["default"] = outside
    else:
        for each in free:
            each["network_mode"] = added.network_mode


def _pairs(given: JsonValue) -> Tree:
    """Labels as a mapping: some files have a list of `key=value`."""
    if isinstance(given, list):
        return {key: value for key, _, value in (str(item).partition("=") for item in given)}
    pairs = given if isinstance(given, dict) else {}
    # Not every Compose takes `beagle.main: true` without quotes.
    return {name: json.dumps(value) if isinstance(value, bool) else value for name, value in pairs.items()}


def _plain(text: str) -> str:
    return text.replace("$", "$$")


def _plain_pairs(pairs: Mapping[str, str]) -> Tree:
    return {name: _plain(value) for name, value in pairs.items()}


def _at(tree: Tree, key: str) -> Tree:
    if tree.get(key) is None:
        tree[key] = {}
    return _tree(tree[key])


def _list(tree: Tree, key: str) -> list[JsonValue]:
    found = tree.get(key)
    if not isinstance(found, list):
        tree[key] = found = []
    return found


def _tree(value: JsonValue) -> Tree:
    """What the template's reader has found to be a mapping."""
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is no mapping")
    return value
