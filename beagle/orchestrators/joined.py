"""Which networks a template joins, and as whom: in one that others are in too, a name or an address may be theirs."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import JsonValue

Place = tuple[str | int, ...]
Danger = tuple[Place, str, str]

# In a common network each of these could be that of the broker.
_IDENTITIES = ("aliases", "ipv4_address", "ipv6_address", "link_local_ips", "mac_address")
# Words of the setting `network` that name none.
_FOUND = {"auto", "none"}


def joined(document: dict[str, JsonValue], ours: str) -> Iterator[Danger]:
    """Place, word of `permit`, and what the sentence begins with.

    The network that experiments join anyway, `ours`, may be named; `default` is that one too.
    """
    networks, common = _mapping(document.get("networks")), {"default"}
    for key, network in networks.items():
        external, name = _mapping(network).get("external"), _mapping(network).get("name")
        if external in (None, False) and name is None:
            continue
        common.add(key)
        if ours in _FOUND or (name or _mapping(external).get("name") or key) != ours:
            at = "name" if external in (None, False) else "external"
            yield ("networks", key, at), "external", "experiments join the network of the setting network; this "
    for service, written in _mapping(document.get("services")).items():
        listed = _mapping(written).get("networks")
        yield from _service(("services", service, "networks"), listed, {*networks, "default"}, common)


def _service(place: Place, listed: JsonValue, known: set[str], common: set[str]) -> Iterator[Danger]:
    named: list[JsonValue] = [*listed] if isinstance(listed, list | dict) else [] if listed is None else [listed]
    for name in named:
        if not isinstance(name, str) or name not in known:
            yield place, "external", f"{name} is no network of this file; one of that name "
    for name, given in _mapping(listed).items():
        if name in common:
            taken = [field for field in _IDENTITIES if _mapping(given).get(field) not in (None, [], "")]
            yield from (((*place, name, field), "networks", "") for field in taken)


def _mapping(value: JsonValue) -> dict[str, JsonValue]:
    return value if isinstance(value, dict) else {}
