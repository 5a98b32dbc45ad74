"""That the tests' RabbitMQ is a node of its own that loses nothing when it is killed, and is shared by all workers."""

from __future__ import annotations

import pytest
import requests

from tests.servers.rabbitmq import PASSWORD, USER, RabbitNode


def test_a_node_that_was_killed_comes_back_with_its_data(tmp_path):
    node = RabbitNode.start_new(tmp_path / "node")
    try:
        node.call("PUT", "/vhosts/kept").raise_for_status()
        node.kill()
        assert not node.is_alive()
        assert not node.is_ready()
        node.start()
        assert node.call("GET", "/vhosts/kept").ok
        node.stop()
        node.wipe()
        node.start()
        assert node.call("GET", "/vhosts/kept").status_code == 404
        assert "Runtime" in node.ctl("status")
    finally:
        node.kill()


def test_every_test_gets_virtual_hosts_of_its_own(rabbitmq, hosts):
    with rabbitmq.hosts() as others:
        assert not {*hosts} & {*others}
        for host in (*hosts, *others):
            assert rabbitmq.call("GET", f"/permissions/{host}/{USER}").json()["write"] == ".*"
    assert rabbitmq.call("GET", f"/vhosts/{others[0]}").status_code == 404


def test_the_shared_node_is_the_same_for_whoever_asks(rabbitmq, test_run):
    assert RabbitNode.shared(test_run) == rabbitmq
    assert rabbitmq.is_alive()
    assert requests.get(f"{rabbitmq.management_url}/api/overview", timeout=10).json()["rabbitmq_version"]


def test_its_addresses_name_host_and_user(rabbitmq):
    assert rabbitmq.url("a/b") == f"amqp://{USER}:{PASSWORD}@127.0.0.1:{rabbitmq.amqp}/a%2Fb"


def test_waiting_for_what_does_not_come_fails(rabbitmq):
    with pytest.raises(AssertionError):
        rabbitmq.until("/vhosts", lambda found: not found, seconds=0.2)
