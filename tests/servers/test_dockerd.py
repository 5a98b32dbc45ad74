"""The Docker daemons of the tests are apart from all others, and leave nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import requests
from docker.errors import APIError

from tests.contracts.workloads import eventually
from tests.servers.dockerd import Dockerd


@pytest.mark.parametrize("network", ["host", "bridge"])
def test_its_containers_reach_the_machine(dockerd, network):
    with dockerd.client() as client:
        said = client.containers.run(
            dockerd.busybox(), ["ping", "-c", "1", dockerd.host], network_mode=network, remove=True
        )
    assert b"1 packets received" in said


def test_programs_in_the_python_image_have_beagle(dockerd):
    program = "import beagle.report, pika, ssl; print('ready')"
    with dockerd.client() as client:
        said = client.containers.run(dockerd.python(), ["python", "-c", program], network_mode="none", remove=True)
    assert said == b"ready\n"


def test_it_is_killed_and_comes_again_with_what_it_had(tmp_path):
    own = Dockerd.start_new(tmp_path)
    with own.client() as client:
        kept = client.containers.run(own.busybox(), ["sleep", "600"], network_mode="none", detach=True)
        own.kill_daemon()
        with pytest.raises(requests.ConnectionError):
            kept.reload()
        own.start_daemon()
        kept.reload()
        assert kept.status == "exited"
        with pytest.raises(APIError, match="No such container"):
            client.api.start("another")
    own.kill()
    assert not own.process().is_alive()


def test_nothing_is_left_when_what_it_was_for_has_ended(tmp_path):
    short = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    own = Dockerd.start_new(tmp_path, watched=short.pid)
    with own.client() as client:
        running = client.containers.run(own.busybox(), ["sleep", "600"], detach=True)
        process = client.api.top(running.id)["Processes"][0]
        assert process
    short.communicate()
    eventually(lambda: not own.process().is_alive() and not Path(own.folder).exists())
    assert not [*Path("/sys/fs/cgroup").glob(f"*/{Path(own.folder).name}")]
    # The kernel takes a namespace apart when it has the time.
    eventually(lambda: own.network.encode() not in subprocess.check_output(["ip", "address"]))
