"""What a template mounts, judged by its text alone: links and missing folders are those of another machine.

A folder that containers may write to can get a link that leads out of it. So what is permitted for writing (`:rw`)
may be bound as a whole only, never something in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from posixpath import normpath

from pydantic import JsonValue

Place = tuple[str | int, ...]
Danger = tuple[Place, str, str]

WRITABLE = ":rw"
# Two letters at least: one and a colon is a drive.
_VOLUME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]+")
_TMPFS = re.compile(r"(size|mode|uid|gid|nr_inodes|nr_blocks)=[0-9]+[kKmMgG%]?|noexec|nosuid|nodev|ro|rw")
_LONG = {"type", "source", "target", "read_only", "consistency", "bind", "volume", "tmpfs", "image"}
_BIND = {"bind", "rbind", "ro", "rw"}


def mounts(document: dict[str, JsonValue], folders: Sequence[str]) -> Iterator[Danger]:
    """Place, word of `permit`, and what the sentence begins with, of each mount that is not known to be harmless."""
    volumes = document.get("volumes")
    declared = volumes if isinstance(volumes, dict) else {}
    for name, volume in declared.items():
        if isinstance(volume, dict):
            yield from _volume(("volumes", name), volume, folders)
    services = document.get("services")
    for name, service in services.items() if isinstance(services, dict) else ():
        listed = service.get("volumes") if isinstance(service, dict) else None
        for place, mount in _items(("services", name, "volumes"), listed):
            yield from _mount(place, mount, set(declared), folders)


def _items(place: Place, listed: JsonValue) -> Iterator[tuple[Place, JsonValue]]:
    match listed:
        case None:
            pass
        case list():
            yield from (((*place, index), item) for index, item in enumerate(listed))
        case dict():
            yield from (((*place, key), item) for key, item in listed.items())
        case _:
            yield place, listed


def _mount(place: Place, mount: JsonValue, declared: set[str], folders: Sequence[str]) -> Iterator[Danger]:
    if isinstance(mount, dict):
        yield from _long(place, mount, declared, folders)
    elif not isinstance(mount, str):
        yield place, "binds", ""
    elif ":" in mount or "$" in mount:
        source, *rest = mount.split(":")
        fits = len(rest) in (1, 2) and "$" not in mount
        read_only = len(rest) == 2 and "ro" in rest[1].split(",")
        yield from _source(place, source if fits else mount, declared, folders, read_only=read_only)


def _long(place: Place, mount: dict[str, JsonValue], declared: set[str], folders: Sequence[str]) -> Iterator[Danger]:
    kind, source = mount.get("type"), mount.get("source")
    if kind == "npipe":
        yield place, "docker-socket", ""
    elif kind == "cluster":
        yield place, "external", ""
    elif kind not in (None, "bind", "volume", "tmpfs", "image") or any(key not in _LONG for key in mount):
        yield place, "binds", ""
    elif kind != "image" and (source is not None or kind in (None, "bind")):
        known = set() if kind == "bind" else declared
        yield from _source(place, source, known, folders, read_only=mount.get("read_only") is True)


def _source(
    place: Place, source: JsonValue, declared: set[str], folders: Sequence[str], *, read_only: bool
) -> Iterator[Danger]:
    """Whatever the kind of the mount says: the engine takes a path for one."""
    text = source if isinstance(source, str) else ""
    if text in declared and _VOLUME.fullmatch(text):
        return
    if _VOLUME.fullmatch(text):
        yield place, "external", f"{text} is no volume of this file; one of that name "
    elif normpath(text).lower().endswith((".sock", ".socket")):
        yield place, "docker-socket", ""
    elif not is_permitted(text, folders, read_only=read_only):
        yield place, "binds", ""


def is_permitted(path: str, folders: Sequence[str], *, read_only: bool) -> bool:
    """Whether it is in one of the folders. A relative path, `..`, `~` and variables are not, wherever they lead."""
    if not path.startswith("/") or "$" in path or "\\" in path or ".." in path.split("/"):
        return False
    wanted = _plain(path)
    writable = {_plain(folder.removesuffix(WRITABLE)) for folder in folders if folder.endswith(WRITABLE)}
    if wanted in writable:
        return True
    if any(_within(wanted, folder) for folder in writable):
        return False
    return read_only and any(_within(wanted, _plain(folder)) for folder in folders if not folder.endswith(WRITABLE))


def _plain(path: str) -> str:
    return normpath("/" + path.strip("/"))


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _volume(place: Place, volume: dict[str, JsonValue], folders: Sequence[str]) -> Iterator[Danger]:
    """The options of the local driver are those of mount(8)."""
    options = volume.get("driver_opts")
    if volume.get("driver") not in (None, "", "local"):
        yield (*place, "driver"), "volume-drivers", ""
    elif options not in (None, {}):
        yield from _options((*place, "driver_opts"), options, folders)


def _options(place: Place, options: JsonValue, folders: Sequence[str]) -> Iterator[Danger]:
    if not isinstance(options, dict) or not set(options) <= {"type", "o", "device", "size"}:
        yield place, "volume-drivers", ""
        return
    flags = str(options.get("o") or "").split(",") if options.get("o") else []
    kind, device = options.get("type"), options.get("device")
    if {"bind", "rbind"} & set(flags) and set(flags) <= _BIND and kind in (None, "", "none", "bind"):
        text = device if isinstance(device, str) else ""
        # As one that may be written: not every engine makes it read-only.
        yield from _source((*place, "device"), text if "/" in text else "", set(), folders, read_only=False)
    elif kind == "tmpfs":
        if not all(_TMPFS.fullmatch(flag) for flag in flags):
            yield place, "volume-drivers", ""
    elif set(options) - {"size"}:
        yield place, "volume-drivers", ""
