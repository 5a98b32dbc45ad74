"""Reads model templates from text: the shape of a Compose file, of which a process needs only a few fields."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Annotated, ClassVar, cast

from pydantic import Field, JsonValue

from beagle.documents import MOST_BYTES, read
from beagle.durations import SAY
from beagle.fields import Duration, Fields, Reader
from beagle.plain import Data, Place
from beagle.sentences import shown
from beagle.template import COMMAND, Service, Template

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}")
_MAIN = "beagle.main"

# Compose's other fields: for containers, and of no meaning to a process.
_BESIDE_SERVICES = "version name networks volumes configs secrets include models"
_BESIDE_COMMAND = """
    annotations attach blkio_config build cap_add cap_drop cgroup cgroup_parent configs container_name cpu_count
    cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset credential_spec depends_on
    deploy develop device_cgroup_rules devices dns dns_opt dns_search domainname env_file expose extends external_links
    extra_hosts gpus group_add healthcheck hostname image init ipc isolation label_file links logging mac_address
    mem_limit mem_reservation mem_swappiness memswap_limit models network_mode networks oom_kill_disable oom_score_adj
    pid pids_limit platform ports post_start pre_stop privileged profiles provider pull_policy pull_refresh_after
    read_only restart runtime scale secrets security_opt shm_size stdin_open stop_signal storage_opt sysctls tmpfs tty
    ulimits use_api_socket user userns_mode uts volume_driver volumes volumes_from"""


class _Service(Fields):
    """Command, environment and labels are read by functions of their own: each has several shapes."""

    others: ClassVar[frozenset[str]] = frozenset(_BESIDE_COMMAND.split())
    command: object = None
    entrypoint: object = None
    environment: object = None
    labels: object = None
    working_dir: str | None = Field(default=None, min_length=1, pattern=r"^[^\x00]+$", description="a folder")
    stop_grace_period: Annotated[Duration, Field(le=3600)] | None = Field(
        default=None, description=f"{SAY}, at most 1h"
    )


class _Top(Fields):
    others: ClassVar[frozenset[str]] = frozenset(_BESIDE_SERVICES.split())
    services: dict[str, object] = Field(min_length=1, description="a mapping with at least one service")


def read_template(text: str, filename: str, folder: str) -> Template:
    """`folder` is where relative working directories start. Raises `InvalidInput` with all mistakes."""
    reader = Reader(read(text, filename))
    data = reader.document.data
    reader.take(_Top, (), data)
    listed = data.get("services") if isinstance(data, dict) else None
    named = listed.items() if isinstance(listed, dict) else ()
    services = [_service(reader, name, item, folder) for name, item in named]
    lines = _lines(reader)
    reader.finish()
    return Template(
        filename=filename,
        folder=folder,
        services=tuple(each for each in services if each is not None),
        document=cast("dict[str, JsonValue]", data),
        lines=lines,
    )


def _lines(reader: Reader) -> dict[str, int]:
    """A place has all the names above it: long ones, in many levels, would be more than a store takes."""
    lines, left = dict[str, int](), MOST_BYTES * 8
    for place, line in reader.document.lines.items():
        named = "/".join(map(str, place))
        left -= len(named)
        if left < 0:
            reader.wrong((), "has too many fields with long names, one within the other; make it smaller")
            break
        lines[named] = line
    return lines


def _service(reader: Reader, name: str, data: Data, folder: str) -> Service | None:
    place: Place = ("services", name)
    if not _NAME.fullmatch(name):
        reader.wrong(place, "cannot name a service; use letters, digits, `_`, `.` and `-`, at most 63")
    read = reader.take(_Service, place, data)
    if not isinstance(data, dict):
        return None
    command = _command(reader, place, data)
    environment = _pairs(reader, (*place, "environment"), data.get("environment"))
    labels = _pairs(reader, (*place, "labels"), data.get("labels"))
    main = labels.get(_MAIN, "false")
    if main not in ("true", "false"):
        reader.wrong((*place, "labels"), f'{_MAIN} is {shown(main)}; give "true" or "false"')
    if read is None:
        return None
    return Service(
        name=name,
        command=command,
        environment=environment,
        working_dir=str(Path(folder, read.working_dir or ".")),
        grace=10.0 if read.stop_grace_period is None else read.stop_grace_period,
        main=main == "true",
    )


def _command(reader: Reader, place: Place, data: dict[str, Data]) -> tuple[str, ...]:
    """The entrypoint's words, then the command's, as a container would run them. None: those of its image."""
    words = [*_words(reader, (*place, "entrypoint"), data), *_words(reader, (*place, "command"), data)]
    return tuple(words)


def _words(reader: Reader, place: Place, data: dict[str, Data]) -> list[str]:
    match data.get(str(place[-1])):
        case None:
            return []
        case str() as line:
            words = _split(reader, place, line)
        case list() as items:
            words = [_text(reader, (*place, index), item) for index, item in enumerate(items)]
        case other:
            reader.wrong(place, f"is {shown(other)}; give {COMMAND}")
            return []
    if not words or not words[0]:
        reader.wrong(place, f"has no word; give {COMMAND}")
    return words


def _split(reader: Reader, place: Place, line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:
        reader.wrong(place, f"cannot be split into words: {str(error).lower()}; close it, or give a list of words")
        return [line]


def _pairs(reader: Reader, place: Place, data: Data) -> dict[str, str]:
    """A mapping, or a list of `KEY=value`. A name without a value has an empty one."""
    match data:
        case None:
            return {}
        case dict():
            pairs = [(name, _text(reader, (*place, name), value), (*place, name)) for name, value in data.items()]
        case list():
            texts = [(_text(reader, (*place, index), item), (*place, index)) for index, item in enumerate(data)]
            pairs = [(text.partition("=")[0], text.partition("=")[2], at) for text, at in texts]
        case _:
            reader.wrong(place, f"is {shown(data)}; give a mapping, or a list of KEY=value")
            return {}
    found: dict[str, str] = {}
    for name, value, at in pairs:
        if not name or "=" in name or "\x00" in name:
            reader.wrong(at, f"{name!r} is no name for a variable; give KEY=value")
        elif name in found:
            reader.wrong(at, f"{name} was given before; keep one of them")
        found[name] = value
    return found


def _text(reader: Reader, place: Place, value: Data) -> str:
    """As it is written in the file: 1e-3 stays 1e-3, and `on` stays on."""
    if isinstance(value, dict | list):
        reader.wrong(place, f"is {shown(value)}; give text")
        return ""
    text = reader.document.written[place]
    if "\x00" in text:
        reader.wrong(place, "holds a zero byte, which no program can be given; remove it")
    return "" if value is None else text
