"""Docker's Engine over its SDK: the calls that container orchestrators need, with Beagle's errors.

A call that was not answered raises `Unavailable`; whether it did anything is unknown then. Safe from any thread.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound
from docker.utils import kwargs_from_env
from docker.utils.ports import split_port

from beagle.errors import BeagleError, Unavailable

Facts = dict[str, Any]
DEFAULT = "unix:///var/run/docker.sock"
# Streams of logs, one for each container that runs, hold their connections; others come back to be used again.
_CONNECTIONS = 64


class Answered(BeagleError):
    """The engine answered with an error: its status and its own words."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


class Engine:
    """One address of an engine. `timeout` is for each answer; nothing is asked before the first call."""

    def __init__(self, url: str = "", *, timeout: float = 60.0) -> None:
        self.url = url or os.environ.get("DOCKER_HOST") or DEFAULT
        self._timeout = timeout
        self._known: docker.APIClient | None = None
        self._connecting = Lock()
        self._users: dict[str, str] = {}

    def close(self) -> None:
        if self._known is not None:
            self._known.close()

    def version(self) -> Facts:
        with self._calling() as api:
            return api.version()

    def info(self) -> Facts:
        with self._calling() as api:
            return api.info()

    # Containers

    def create(self, name: str, config: Facts, platform: str | None = None) -> str:
        """The id of a new container. 409 when the name is taken, 404 when there is no such image."""
        with self._calling() as api:
            made: Facts = api.create_container_from_config(config, name, platform)  # type: ignore[no-untyped-call]
            return str(made["Id"])

    def start(self, id: str) -> None:
        with self._calling() as api:
            api.start(id)

    def kill(self, id: str, signal: str) -> None:
        """Fine too when it does not run any more."""
        with self._calling() as api, _but(404, 409):
            api.kill(id, signal)

    def remove(self, id: str, *, force: bool = False) -> bool:
        """With the volumes that have no name. False when it runs, and is not to be removed by force."""
        with self._calling() as api:
            try:
                api.remove_container(id, v=True, force=force)
            except APIError as error:
                if error.status_code not in (404, 409):
                    raise
                return error.status_code == 404 or "already in progress" in str(error.explanation)
            return True

    def rename(self, id: str, name: str) -> None:
        with self._calling() as api:
            api.rename(id, name)

    def inspect(self, name: str) -> Facts | None:
        with self._calling() as api, _but(404):
            found: Facts = api.inspect_container(name)
            return found
        return None

    def containers(self, labels: Mapping[str, str]) -> list[Facts]:
        """All that bear these labels, whatever their state."""
        with self._calling() as api:
            found: list[Facts] = api.containers(all=True, filters={"label": _pairs(labels)})
            return found

    @contextmanager
    def output(self, id: str, *, stream: str = "out", follow: bool = False) -> Iterator[Iterator[bytes]]:
        """What it wrote, from the beginning, in pieces; followed, until it ends, or `hang_up` of what this gives."""
        with self._calling() as api:
            pieces = api.logs(id, stdout=stream == "out", stderr=stream == "err", stream=True, follow=follow)
        try:
            yield pieces
        finally:
            hang_up(pieces)

    # Images

    def has_image(self, image: str) -> bool:
        with self._calling() as api:
            try:
                api.inspect_image(image)  # type: ignore[no-untyped-call]
            except ImageNotFound:
                return False
            return True

    def user_of(self, image: str) -> str:
        """Whom its programs run as by themselves; asked once for each image."""
        if image not in self._users:
            with self._calling() as api:
                found: Facts = api.inspect_image(image)  # type: ignore[no-untyped-call]
            self._users[image] = str((found.get("Config") or {}).get("User") or "")
        return self._users[image]

    def put(self, id: str, folder: str, archive: bytes) -> None:
        """Unpack a tar archive into a folder of a container, which need not run."""
        with self._calling() as api:
            api.put_archive(id, folder, archive)

    def pull(self, image: str, platform: str | None = None) -> None:
        """Returns when it is here. Raises `Answered` with the registry's words."""
        repository, tag = docker.utils.parse_repository_tag(image)
        with self._calling() as api:
            for told in api.pull(repository, tag=tag or "latest", stream=True, decode=True, platform=platform):
                if "error" in told:
                    raise Answered(404, str(told["error"]))

    def make_image(self, image: str) -> None:
        """One with nothing in it, for containers that are never started."""
        repository, _, tag = image.partition(":")
        with self._calling() as api:
            api.import_image_from_data(bytes(1024), repository=repository, tag=tag)

    # Volumes and networks

    def create_volume(self, name: str, labels: Mapping[str, str], **more: object) -> None:
        """One that exists is left as it is."""
        with self._calling() as api:
            api.create_volume(name, labels=dict(labels), **more)  # type: ignore[arg-type]

    def has_volume(self, name: str) -> bool:
        with self._calling() as api, _but(404):
            api.inspect_volume(name)
            return True
        return False

    def volumes(self, labels: Mapping[str, str]) -> list[Facts]:
        with self._calling() as api:
            found: Facts = api.volumes(filters={"label": _pairs(labels)})
            return list(found.get("Volumes") or [])

    def remove_volume(self, name: str) -> None:
        """One that is in use stays."""
        with self._calling() as api, _but(404, 409):
            api.remove_volume(name)

    def networks(self, labels: Mapping[str, str] | None = None) -> list[Facts]:
        with self._calling() as api:
            found: list[Facts] = api.networks(filters={"label": _pairs(labels or {})})
            return found

    def create_network(self, name: str, labels: Mapping[str, str], *, internal: bool = False) -> None:
        """One that exists is left as it is."""
        with self._calling() as api, _but(409):
            api.create_network(name, driver="bridge", labels=dict(labels), internal=internal, check_duplicate=True)

    def connect(self, network: str, container: str) -> None:
        with self._calling() as api:
            api.connect_container_to_network(container, network)

    def remove_network(self, id: str) -> None:
        """One that is in use stays."""
        with self._calling() as api, _but(403, 404, 409):
            api.remove_network(id)

    # How it is asked

    def _api(self) -> docker.APIClient:
        with self._connecting:
            if self._known is None:
                found: Facts = dict(kwargs_from_env())
                found["base_url"] = self.url
                found |= {"timeout": self._timeout, "max_pool_size": _CONNECTIONS}
                self._known = docker.APIClient(version="auto", **found)
            return self._known

    @contextmanager
    def _calling(self) -> Iterator[docker.APIClient]:
        try:
            yield self._api()
        except APIError as error:
            raise Answered(error.status_code or 0, str(error.explanation or error)) from error
        except (DockerException, OSError) as error:  # what the SDK's HTTP library raises is an OSError
            raise Unavailable(self._sentence(error)) from error

    def _sentence(self, error: Exception) -> str:
        where = "BEAGLE_ORCHESTRATOR_URL or DOCKER_HOST says where it is"
        text = str(error)
        if "Permission denied" in text:
            return f"Docker at {self.url} may not be used by this user: add it to the group of that socket"
        if "imed out" in text:
            return f"Docker at {self.url} did not answer in {self._timeout:g} s: see what its log says"
        if "No such file" in text or "refused" in text:
            return f"Docker at {self.url} is not there: start it; {where}"
        if "reset by peer" in text or "closed connection" in text:
            return f"Docker at {self.url} went away while it was asked: see whether it is up again; {where}"
        return f"Docker at {self.url} cannot be asked: {text}; {where}"


def published(port: str) -> list[tuple[str, list[Facts]]]:
    """What `HOST:PORT:PORT/PROTOCOL`, with ranges or without, means to the engine. Raises `ValueError`."""
    inside, outside = split_port(port)
    found = []
    for index, each in enumerate(inside):
        bound = outside[index] if outside is not None else None
        address, at = bound if isinstance(bound, tuple) else ("", bound)
        bindings = [{"HostIp": address or "", "HostPort": str(at or "")}]
        found.append((each if "/" in each else f"{each}/tcp", bindings))
    return found


def hang_up(pieces: Iterator[bytes]) -> None:
    """End a stream of output, from any thread."""
    with suppress(OSError, AttributeError, DockerException):
        pieces.close()  # type: ignore[attr-defined]


@contextmanager
def _but(*statuses: int) -> Iterator[None]:
    """These statuses are fine."""
    try:
        yield
    except APIError as error:
        if error.status_code not in statuses:
            raise


def _pairs(labels: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in labels.items()]
