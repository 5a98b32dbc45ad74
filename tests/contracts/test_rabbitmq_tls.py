"""A broker behind TLS: it is used when its certificate is to be trusted, and only then."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from beagle.errors import Unavailable
from bus.rabbitmq import RabbitBus
from bus.rabbitmq_probe import probe
from bus.routes import bindings
from tests.contracts.inbox import Inbox, projects_of, publish
from tests.servers.keeper import free_ports, need
from tests.servers.rabbitmq import PASSWORD, USER, RabbitNode

pytestmark = pytest.mark.xdist_group("tls")

CONFIG = """\
listeners.ssl.1 = 127.0.0.1:{port}
ssl_options.certfile = {certificate}
ssl_options.keyfile = {key}
ssl_options.verify = verify_none
"""


def certified(folder: Path) -> Path:
    """A certificate of 127.0.0.1 that is its own authority, beside its key."""
    need("openssl")
    certificate = folder / "certificate.pem"
    made = ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "2"]
    made += ["-subj", "/CN=broker", "-addext", "subjectAltName=IP:127.0.0.1"]
    made += ["-keyout", str(folder / "key.pem"), "-out", str(certificate)]
    subprocess.run(made, check=True, capture_output=True)
    return certificate


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    return certified(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def port(tmp_path_factory, certificate) -> Iterator[int]:
    (port,) = free_ports(1)
    config = CONFIG.format(port=port, certificate=certificate, key=certificate.with_name("key.pem"))
    node = RabbitNode.start_new(tmp_path_factory.mktemp("tls") / "node", config=config)
    yield port
    node.kill()


@pytest.fixture
def url(port) -> str:
    return f"amqps://{USER}:{PASSWORD}@127.0.0.1:{port}/"


def test_it_carries_messages_to_a_broker_that_it_trusts(url, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    bus = RabbitBus(url, bindings=bindings("local"))
    try:
        publish(bus, "a", "b")
        inbox = Inbox(bus, "gateway")
        assert projects_of(inbox.first(2)) == ["a", "b"]
        assert inbox.one().own
        inbox.one().bury("seen")
    finally:
        bus.close()
    assert probe(url).startswith("RabbitMQ ")


@pytest.mark.parametrize("trusted", ["nobody", "another"])
def test_a_broker_that_is_not_to_be_trusted_gets_no_password_and_is_away(url, tmp_path, monkeypatch, trusted):
    if trusted == "another":
        monkeypatch.setenv("SSL_CERT_FILE", str(certified(tmp_path)))
    bus = RabbitBus(url, bindings=bindings("local"))
    try:
        with pytest.raises(
            Unavailable,
            match="certificate that is not trusted: self-signed certificate; name the file of its authority",
        ) as told:
            publish(bus, "a")
        assert PASSWORD not in str(told.value)
        assert not bus.connected()
    finally:
        bus.close()


@pytest.mark.parametrize(
    ("kind", "why"),
    [("amqp", "does not answer as RabbitMQ does.*amqps://"), ("amqps", "does not speak TLS at that port.*amqp://")],
)
def test_an_address_of_the_wrong_kind_is_away_with_the_reason(rabbitmq, url, kind, why):
    wrong = url.replace("amqps", "amqp") if kind == "amqp" else rabbitmq.url().replace("amqp", "amqps")
    bus = RabbitBus(wrong, bindings=bindings("local"))
    try:
        with pytest.raises(Unavailable, match=why):
            publish(bus, "a")
    finally:
        bus.close()
    with pytest.raises(Unavailable, match=why):
        probe(wrong)
