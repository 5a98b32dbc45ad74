"""What a template may do to the machine and to others. Who may hand one in need not be trusted with either.

Only what is known to be harmless passes: a value that Compose puts together from variables (`$`) is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pydantic import JsonValue

from beagle.dangers import DANGERS
from beagle.orchestrators.joined import joined
from beagle.orchestrators.mounts import WRITABLE, mounts
from beagle.setting_checks import split
from beagle.settings import Settings
from beagle.template import Template

Place = tuple[str | int, ...]
_NAME = "[A-Za-z0-9][A-Za-z0-9_.-]*"


def _empty(value: JsonValue) -> bool:
    return value in (None, "", [], {})


def _off(value: JsonValue) -> bool:
    return value is None or value is False


def _word(pattern: str) -> Callable[[JsonValue], bool]:
    """Nothing, or a text that fits."""
    form = re.compile(pattern)
    return lambda value: value is None or (isinstance(value, str) and form.fullmatch(value) is not None)


def _fields(*known: str) -> Callable[[JsonValue], bool]:
    return lambda value: value is None or (isinstance(value, dict) and value.keys() <= set(known))


def _number(value: JsonValue) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0)


@dataclass(frozen=True, slots=True)
class Rule:
    """`place` is dotted; `*` stands for each field of a mapping or item of a list. What is `harmless` passes."""

    word: str
    place: str
    harmless: Callable[[JsonValue], bool] = _empty


RULES = (
    Rule("privileged", "services.*.privileged", _off),
    Rule("privileged", "services.*.post_start.*.privileged", _off),
    Rule("privileged", "services.*.pre_stop.*.privileged", _off),
    Rule("host-namespaces", "services.*.network_mode", _word(f"|none|bridge|default|service:{_NAME}")),
    Rule("host-namespaces", "services.*.pid", _word(f"|service:{_NAME}")),
    Rule("host-namespaces", "services.*.ipc", _word(f"|none|private|shareable|service:{_NAME}")),
    Rule("host-namespaces", "services.*.uts"),
    Rule("host-namespaces", "services.*.userns_mode"),
    Rule("host-namespaces", "services.*.cgroup", _word("|private")),
    Rule("docker-socket", "services.*.use_api_socket", _off),
    Rule("volume-drivers", "services.*.volume_driver", _word("|local")),
    Rule("external", "services.*.volumes_from.*", _word(f"(?!container:){_NAME}(:r[ow])?")),
    Rule("external", "services.*.external_links"),
    Rule("external", "volumes.*.external", _off),
    Rule("external", "volumes.*.name"),
    Rule("external", "secrets.*.external", _off),
    Rule("external", "configs.*.external", _off),
    Rule("capabilities", "services.*.cap_add"),
    Rule("devices", "services.*.devices"),
    Rule("devices", "services.*.device_cgroup_rules"),
    Rule("devices", "services.*.gpus.*.driver", _word("|nvidia")),
    Rule("devices", "services.*.deploy.resources.reservations.devices.*.driver", _word("|nvidia")),
    Rule("security-options", "services.*.security_opt.*", _word("no-new-privileges([:=]true)?")),
    Rule("sysctls", "services.*.sysctls"),
    Rule("server-files", "include"),
    Rule("server-files", "services.*.extends.file"),
    Rule("server-files", "services.*.env_file"),
    Rule("server-files", "services.*.label_file"),
    Rule("server-files", "services.*.credential_spec"),
    Rule("server-files", "services.*.develop"),
    Rule("server-files", "secrets.*.file"),
    Rule("server-files", "secrets.*.environment"),
    Rule("server-files", "configs.*.file"),
    Rule("server-files", "configs.*.environment"),
    Rule("build", "services.*.build"),
    Rule("runtime", "services.*.runtime"),
    Rule("runtime", "services.*.isolation"),
    Rule("runtime", "services.*.annotations"),
    # Compose files of version 2 may name a program of the machine here.
    Rule("runtime", "services.*.init", lambda value: value in (None, True, False)),
    Rule("runtime", "secrets.*.driver"),
    Rule("runtime", "secrets.*.template_driver"),
    Rule("runtime", "configs.*.template_driver"),
    Rule("resources", "services.*.cgroup_parent"),
    Rule("resources", "services.*.oom_kill_disable", _off),
    Rule("resources", "services.*.oom_score_adj", _number),
    Rule("resources", "services.*.cpu_rt_period"),
    Rule("resources", "services.*.cpu_rt_runtime"),
    Rule("networks", "networks.*.driver", _word("|bridge")),
    Rule("networks", "networks.*.driver_opts"),
    Rule("networks", "networks.*.ipam"),
    Rule("networks", "services.*.networks.*.driver_opts"),
    Rule("logging", "services.*.logging.driver", _word("|none|local|json-file")),
    # Without a driver they are for that of the engine, whatever it is.
    Rule("logging", "services.*.logging.options", _fields("max-size", "max-file", "compress", "mode", "tag")),
    Rule("provider", "services.*.provider"),
    Rule("provider", "models"),
)


def refused(template: Template, settings: Settings) -> list[str]:
    """One sentence for each field that gives away more than the settings permit, in the order of the file."""
    if settings.trusted == "yes":
        return []
    permitted = set(split(settings.permit))
    found = [
        (place, word, what) for place, word, what in _dangers(template.document, settings) if word not in permitted
    ]
    told = dict.fromkeys(template.sentence(place, _said(word, what)) for place, word, what in found)
    return sorted(told, key=_line)


def _said(word: str, what: str) -> str:
    needed = f"the word {word} in the setting permit"
    if word == "binds":
        needed = (
            f"its folder in the setting permit_folders, with {WRITABLE} behind it if it may be written, or {needed}"
        )
    return f"{what}would give an experiment {DANGERS[word]}; needs {needed}"


def _line(sentence: str) -> int:
    found = re.search(r":(\d+): ", sentence)
    return int(found[1]) if found else 0


def _dangers(document: dict[str, JsonValue], settings: Settings) -> Iterator[tuple[Place, str, str]]:
    """Place, word, and what the sentence begins with."""
    for rule in RULES:
        for place, value in _found(document, rule.place.split("."), ()):
            if not rule.harmless(value):
                yield place, rule.word, ""
    yield from joined(document, settings.network)
    yield from mounts(document, split(settings.permit_folders))


def _found(value: JsonValue, parts: list[str], place: Place) -> Iterator[tuple[Place, JsonValue]]:
    """What stands at a place. One value where a list belongs counts as a list of it: a reader may be lenient."""
    if not parts:
        yield place, value
    elif parts[0] == "*":
        match value:
            case dict():
                for key, inner in value.items():
                    yield from _found(inner, parts[1:], (*place, key))
            case list():
                for index, inner in enumerate(value):
                    yield from _found(inner, parts[1:], (*place, index))
            case None:
                pass
            case _:
                yield from _found(value, parts[1:], place)
    elif isinstance(value, dict) and parts[0] in value:
        yield from _found(value[parts[0]], parts[1:], (*place, parts[0]))
