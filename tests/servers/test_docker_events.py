"""What a Docker daemon says is written down once, also what it says before anybody can listen to it again."""

from __future__ import annotations

from tests.servers.docker_events import Recorder
from tests.servers.dockerd import Dockerd


def test_what_happens_around_a_restart_of_the_daemon_is_recorded_once_and_in_order(tmp_path):
    own = Dockerd.start_new(tmp_path)
    waits = ["sh", "-c", "trap 'exit 7' TERM; sleep 600 & wait $!"]
    with Recorder(own) as recorder, own.client() as client:
        client.containers.run(own.busybox(), waits, name="first", labels={"a": "b"}, network_mode="none", detach=True)
        assert [event.action for event in recorder.caught_up()] == ["create", "start"]
        own.kill_daemon()
        own.start_daemon()
        client.containers.run(own.busybox(), ["true"], name="second", network_mode="none")
        told = [(event.action, event.name) for event in recorder.caught_up() if event.action not in {"kill", "stop"}]
    own.kill()
    assert [action for action, name in told if name == "first"] == ["create", "start", "die"]
    assert [action for action, name in told if name == "second"] == ["create", "start", "die"]
    ended = next(event for event in recorder.events if event.action == "die")
    assert (ended.about["exitCode"], ended.about["a"]) == ("7", "b")
