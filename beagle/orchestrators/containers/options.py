"""The fields of a service that Docker's engine understands by itself: one table of what each becomes.

What is not in it is either Beagle's (`BESIDE`) or needs more than an engine (`ELSEWHERE`): nothing is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from beagle.orchestrators.containers import values, volumes
from beagle.orchestrators.containers.engine import published
from beagle.orchestrators.containers.values import Data, wrong

# Read by the template's reader, or by whoever makes the containers.
BESIDE = frozenset(
    """command container_name depends_on entrypoint environment image labels network_mode networks platform pull_policy
    stop_grace_period""".split()  # noqa: SIM905 - a list would be a line for each
)
# Of no meaning to what runs.
_ONLY_FOR_PEOPLE = {"mode", "name", "app_protocol"}
WITHOUT_MEANING = frozenset({"attach"})


@dataclass(slots=True)
class Options:
    """What the engine is told of one container; `volumes` are those that it names, to be made before.

    `volume` says what a volume of the file is called at the engine.
    """

    volume: Callable[[str], str] = str
    body: dict[str, Any] = field(default_factory=dict)
    host: dict[str, Any] = field(default_factory=dict)
    volumes: list[str] = field(default_factory=list)


Take = Callable[[Options, Data], None]


def read(service: dict[str, Data], options: Options) -> Iterator[tuple[str, str]]:
    """Fill `options`; yields each field that cannot be taken, and why."""
    for name, value in service.items():
        if name in BESIDE or name in WITHOUT_MEANING or value is None:
            continue
        take = FIELDS.get(name)
        if take is None:
            yield name, f"needs more than Docker's engine; {values.COMPOSE}"
            continue
        try:
            take(options, value)
        except ValueError as error:
            yield name, str(error)


def _body(key: str, reader: Callable[[Data], object]) -> Take:
    def take(options: Options, value: Data) -> None:
        options.body[key] = reader(value)

    return take


def _host(key: str, reader: Callable[[Data], object]) -> Take:
    def take(options: Options, value: Data) -> None:
        options.host[key] = reader(value)

    return take


def _ports(options: Options, value: Data) -> None:
    if not isinstance(value, list):
        raise wrong(value, "a list of ports")
    for each in value:
        written = each if not isinstance(each, dict) else _short(each)
        for port, bindings in published(values.text(written)):
            options.body.setdefault("ExposedPorts", {})[port] = {}
            options.host.setdefault("PortBindings", {}).setdefault(port, []).extend(bindings)


def _short(port: dict[str, Data]) -> str:
    """The long form of a port, in the short one."""
    known = {"target": values.whole, "published": values.text, "host_ip": values.text, "protocol": values.text}
    kept: dict[str, Data] = {
        name: value for name, value in port.items() if name not in ("mode", "name", "app_protocol")
    }
    read = values.mapping(kept, **known)
    if "target" not in read:
        raise ValueError("has a port without a target; give target: 80")
    parts = [read.get("host_ip", ""), read.get("published", ""), read["target"]]
    return ":".join(str(part) for part in parts if part != "") + f"/{read.get('protocol', 'tcp')}"


def _expose(options: Options, value: Data) -> None:
    for port in values.words(value):
        protocol = "" if "/" in port else "/tcp"
        options.body.setdefault("ExposedPorts", {})[f"{port}{protocol}"] = {}


def _volumes(options: Options, value: Data) -> None:
    if not isinstance(value, list):
        raise wrong(value, "a list of volumes")
    for each in value:
        if isinstance(each, dict):
            made, named = volumes.long(each, options.volume)
            options.host.setdefault("Mounts", []).append(made)
        else:
            bound, named = volumes.short(values.text(each), options.volume)
            if bound.startswith(":"):
                options.body.setdefault("Volumes", {})[bound[1:]] = {}
            else:
                options.host.setdefault("Binds", []).append(bound)
        if named is not None:
            options.volumes.append(named)


def _tmpfs(options: Options, value: Data) -> None:
    for each in values.words(value):
        target, _, how = each.partition(":")
        options.host.setdefault("Tmpfs", {})[target] = how


def _ulimits(options: Options, value: Data) -> None:
    if not isinstance(value, dict):
        raise wrong(value, "a mapping of limits")
    for name, limit in value.items():
        both = values.mapping(limit, soft=values.whole, hard=values.whole) if isinstance(limit, dict) else {}
        soft = both.get("soft", both.get("hard")) if both else values.whole(limit)
        made = {"Name": name, "Soft": soft, "Hard": both.get("hard", soft)}
        options.host.setdefault("Ulimits", []).append(made)


def _hosts(options: Options, value: Data) -> None:
    if isinstance(value, dict):
        read = values.pairs(value)
    else:
        parts = [each.replace("=", ":", 1).partition(":") for each in values.listed(value)]
        read = {name: address for name, _, address in parts}
    options.host["ExtraHosts"] = [f"{name}:{address}" for name, address in read.items()]


def _devices(options: Options, value: Data) -> None:
    for each in values.listed(value):
        at, _, rest = each.partition(":")
        inside, _, rights = rest.partition(":")
        made = {"PathOnHost": at, "PathInContainer": inside or at, "CgroupPermissions": rights or "rwm"}
        options.host.setdefault("Devices", []).append(made)


def _restart(_: Options, value: Data) -> None:
    if value not in (False, "no"):
        raise wrong(value, '"no": what starts again by itself runs twice; Beagle retries by `retries`')


def _once(_: Options, value: Data) -> None:
    if values.whole(value) != 1:
        raise wrong(value, "1: an experiment is one container for each service")


def _health(options: Options, value: Data) -> None:
    read = values.mapping(
        value,
        test=lambda test: values.listed(test) if isinstance(test, list) else ["CMD-SHELL", values.text(test)],
        interval=values.nanoseconds,
        timeout=values.nanoseconds,
        start_period=values.nanoseconds,
        retries=values.whole,
        disable=values.switch,
    )
    if read.pop("disable", False):
        read["test"] = ["NONE"]
    keys = {"start_period": "StartPeriod"}
    options.body["Healthcheck"] = {keys.get(name, name.capitalize()): each for name, each in read.items()}


def _deploy(options: Options, value: Data) -> None:
    read = values.mapping(value, resources=lambda each: each, replicas=values.whole)
    if read.get("replicas", 1) != 1:
        raise wrong(read["replicas"], "1 replica: an experiment is one container for each service")
    parts = values.mapping(read.get("resources") or {}, limits=lambda each: each, reservations=lambda each: each)
    limits = values.mapping(parts.get("limits") or {}, cpus=values.nano_cpus, memory=values.size, pids=values.whole)
    reserved = values.mapping(
        parts.get("reservations") or {}, cpus=values.nano_cpus, memory=values.size, devices=lambda each: each
    )
    keys = {"cpus": "NanoCpus", "memory": "Memory", "pids": "PidsLimit"}
    options.host |= {keys[name]: limit for name, limit in limits.items()}
    if "memory" in reserved:
        options.host["MemoryReservation"] = reserved["memory"]
    if "devices" in reserved:
        _requests(options, reserved["devices"])


def _gpus(options: Options, value: Data) -> None:
    _requests(options, [{"count": "all"}] if value == "all" else value)


def _requests(options: Options, value: Data) -> None:
    if not isinstance(value, list):
        raise wrong(value, "a list of devices")
    for each in value:
        read = values.mapping(
            each,
            driver=values.text,
            count=lambda count: -1 if count == "all" else values.whole(count),
            device_ids=values.listed,
            capabilities=values.listed,
            options=values.pairs,
        )
        made = {
            "Driver": read.get("driver", ""),
            "Count": read.get("count", 0 if "device_ids" in read else -1),
            "DeviceIDs": read.get("device_ids"),
            "Capabilities": [read.get("capabilities") or ["gpu"]],
            "Options": read.get("options", {}),
        }
        options.host.setdefault("DeviceRequests", []).append(made)


FIELDS: dict[str, Take] = {
    "cap_add": _host("CapAdd", values.listed),
    "cap_drop": _host("CapDrop", values.listed),
    "cgroup_parent": _host("CgroupParent", values.text),
    "cpu_period": _host("CpuPeriod", values.whole),
    "cpu_quota": _host("CpuQuota", values.whole),
    "cpu_shares": _host("CpuShares", values.whole),
    "cpus": _host("NanoCpus", values.nano_cpus),
    "cpuset": _host("CpusetCpus", values.text),
    "deploy": _deploy,
    "device_cgroup_rules": _host("DeviceCgroupRules", values.listed),
    "devices": _devices,
    "dns": _host("Dns", values.words),
    "dns_opt": _host("DnsOptions", values.listed),
    "dns_search": _host("DnsSearch", values.words),
    "domainname": _body("Domainname", values.text),
    "expose": _expose,
    "extra_hosts": _hosts,
    "gpus": _gpus,
    "group_add": _host("GroupAdd", values.listed),
    "healthcheck": _health,
    "hostname": _body("Hostname", values.text),
    "init": _host("Init", values.switch),
    "ipc": _host("IpcMode", values.text),
    "mem_limit": _host("Memory", values.size),
    "mem_reservation": _host("MemoryReservation", values.size),
    "mem_swappiness": _host("MemorySwappiness", values.whole),
    "memswap_limit": _host("MemorySwap", lambda value: -1 if value == -1 else values.size(value)),
    "oom_kill_disable": _host("OomKillDisable", values.switch),
    "oom_score_adj": _host("OomScoreAdj", values.whole),
    "pid": _host("PidMode", values.text),
    "pids_limit": _host("PidsLimit", values.whole),
    "ports": _ports,
    "privileged": _host("Privileged", values.switch),
    "read_only": _host("ReadonlyRootfs", values.switch),
    "restart": _restart,
    "runtime": _host("Runtime", values.text),
    "scale": _once,
    "security_opt": _host("SecurityOpt", values.listed),
    "shm_size": _host("ShmSize", values.size),
    "stdin_open": _body("OpenStdin", values.switch),
    "stop_signal": _body("StopSignal", values.text),
    "storage_opt": _host("StorageOpt", values.pairs),
    "sysctls": _host("Sysctls", values.pairs),
    "tmpfs": _tmpfs,
    "tty": _body("Tty", values.switch),
    "ulimits": _ulimits,
    "user": _body("User", values.text),
    "userns_mode": _host("UsernsMode", values.text),
    "uts": _host("UTSMode", values.text),
    "volumes": _volumes,
    "working_dir": _body("WorkingDir", values.text),
}
