"""What a template can reach beyond its own containers: the words of the setting `permit`, and what each gives away."""

from __future__ import annotations

DANGERS: dict[str, str] = {
    "privileged": "all rights of root on this machine",
    "host-namespaces": "the network, the processes or the memory of this machine, of another container or network",
    "docker-socket": "the container engine, and by it this machine and every container on it",
    "binds": "files of this machine",
    "volume-drivers": "whatever the engine can mount: disks and folders of this machine, file servers",
    "external": "what belongs to others at this engine: their volumes, networks, secrets and containers",
    "capabilities": "rights of root beyond those of a container",
    "devices": "hardware of this machine, its disks and its memory too",
    "security-options": "a container without the walls that keep it in",
    "sysctls": "settings of this machine's kernel",
    "server-files": "files and variables of the server that reads the template",
    "build": "files of the server, and commands that the engine runs outside of any limit while it builds",
    "runtime": "another program than the usual one to run the container, or orders to that program",
    "resources": "precedence over whatever else runs on this machine",
    "networks": "addresses and names that other machines, containers and this one's own traffic use",
    "logging": "connections that the engine itself makes, from outside of any container",
    "provider": "programs that run on this machine, in no container",
}
