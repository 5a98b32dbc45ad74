"""The volumes of a service, short and long, as the engine mounts them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from beagle.orchestrators.containers import values
from beagle.orchestrators.containers.values import Data

_VOLUME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
# Docker for other systems had them.
_FOR_OTHERS = {"cached", "delegated", "consistent"}


def short(text: str, name: Callable[[str], str]) -> tuple[str, str | None]:
    """SOURCE:TARGET:MODES as the engine takes it, and the volume that it names; `name` says what that is called there.

    Raises `ValueError`.
    """
    source, *rest = text.split(":")
    if not rest:
        return f":{_inside(source)}", None
    target, *modes = rest
    _inside(target)
    if len(modes) > 1:
        raise ValueError(f"has {text!r}; give SOURCE:TARGET or SOURCE:TARGET:ro")
    known = [mode for mode in ",".join(modes).split(",") if mode not in _FOR_OTHERS]
    if source.startswith("/"):
        return ":".join([source, target, ",".join(known)]).rstrip(":"), None
    named = name(_named(source))
    return ":".join([named, target, ",".join(known)]).rstrip(":"), named


def long(value: dict[str, Data], name: Callable[[str], str]) -> tuple[dict[str, Any], str | None]:
    """The same of the long form. A volume without a source has no name, and goes with its container."""
    made = _long(value)
    _inside(made["Target"])
    source = made.get("Source", "")
    if made["Type"] == "volume" and source:
        made["Source"] = name(_named(source))
        return made, made["Source"]
    if made["Type"] == "bind" and not source.startswith("/"):
        raise ValueError(_relative(source))
    return made, None


def _named(source: str) -> str:
    if source[:1] in ".~":
        raise ValueError(_relative(source))
    if not _VOLUME.fullmatch(source):
        raise ValueError(f"has {source!r}, which is no name of a volume")
    return source


def _relative(source: str) -> str:
    return (
        f"binds {source!r}, which is relative to this file, and that is not where the container runs;"
        " give an absolute path, or the name of a volume"
    )


def _inside(target: str) -> str:
    if not target.startswith("/"):
        raise ValueError(f"mounts to {target!r}; give an absolute path in the container")
    return target


def _long(value: dict[str, Data]) -> dict[str, Any]:
    read: dict[str, Any] = values.mapping(
        value,
        type=values.text,
        source=values.text,
        target=values.text,
        read_only=values.switch,
        consistency=values.text,
        bind=lambda each: values.mapping(each, propagation=values.text, create_host_path=values.switch),
        volume=lambda each: values.mapping(each, nocopy=values.switch),
        tmpfs=lambda each: values.mapping(each, size=values.size, mode=values.whole),
    )
    if read.get("type") not in ("bind", "volume", "tmpfs") or "target" not in read:
        raise ValueError("has a mount that cannot be read; give type: volume, bind or tmpfs, and a target")
    made = {"Type": read["type"], "Target": read["target"], "ReadOnly": read.get("read_only", False)}
    if "source" in read:
        made["Source"] = read["source"]
    bind, tmpfs = read.get("bind", {}), read.get("tmpfs", {})
    if "propagation" in bind:
        made["BindOptions"] = {"Propagation": bind["propagation"]}
    if read.get("volume", {}).get("nocopy"):
        made["VolumeOptions"] = {"NoCopy": True}
    if tmpfs:
        made["TmpfsOptions"] = {{"size": "SizeBytes", "mode": "Mode"}[name]: each for name, each in tmpfs.items()}
    return made
