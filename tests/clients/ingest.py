"""The place where experiments publish, as a test sees it: one queue on a real RabbitMQ, read to its end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pika

from beagle.metric_lines import read_line
from bus.routes import METRICS, metric_key
from tests.servers.rabbitmq import RabbitNode

ID = "0123456789abcdef01234567"
KEY = metric_key(ID, 1)
ROOT = Path(__file__).parents[2]
Named = tuple[str, int]


class Ingest:
    """A virtual host of its own with the exchange of metrics, and a durable queue that takes everything."""

    def __init__(self, node: RabbitNode, host: str = "/", longest: int | None = None) -> None:
        self.node, self.host = node, host
        full = {} if longest is None else {"x-max-length": longest, "x-overflow": "reject-publish"}
        with self.connection() as connection:
            channel = connection.channel()
            channel.exchange_declare(METRICS, "topic", durable=True)
            channel.queue_declare("all", durable=True, arguments={"x-queue-type": "quorum", **full})
            channel.queue_bind("all", METRICS, "#")
        # What was said, by source and sequence: a repeat is the same again.
        self.said: dict[Named, str] = {}
        self.order: list[Named] = []

    @property
    def url(self) -> str:
        return f"{self.node.url(self.host)}?key={KEY}"

    def connection(self) -> pika.BlockingConnection:
        return pika.BlockingConnection(pika.URLParameters(self.node.url(self.host)))

    def read(self, most: int = 10**9) -> int:
        """Take what is there by now; how many are known after that."""
        with self.connection() as connection:
            channel = connection.channel()
            for _ in range(most):
                method, properties, body = channel.basic_get("all", auto_ack=True)
                if method is None:
                    break
                assert method.routing_key == KEY
                assert properties.delivery_mode == 2
                named = (properties.headers["source"], properties.headers["sequence"])
                assert properties.message_id == f"{named[0]}/{named[1]}"
                assert self.said.setdefault(named, body.decode()) == body.decode()
                self.order.append(named)
        return len(self.said)

    def values(self) -> list[dict[str, float]]:
        """What was reported, in the order in which it first came."""
        readings = [read_line(self.said[named], 1) for named in dict.fromkeys(self.order)]
        return [reading.values for reading in readings if reading is not None and not reading.completed]


def program(text: str, url: str, **environment: str) -> subprocess.Popen[str]:
    """A training program of a user's, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", f"import beagle, os, sys, time\n{text}"],
        env=os.environ | {"BEAGLE_REPORT_URL": url, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str], seconds: float = 90) -> tuple[str, str]:
    """What it wrote, once it has ended well."""
    out, err = process.communicate(timeout=seconds)
    assert process.returncode == 0, err
    return out, err


def until_line(process: subprocess.Popen[str], line: str) -> None:
    """Wait until it has printed this."""
    assert process.stdout is not None
    deadline = time.monotonic() + 60
    while process.stdout.readline().strip() != line:
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()[1]
