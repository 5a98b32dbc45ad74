"""Two processes of each actor over RabbitMQ and a server of MongoDB's protocol, and one of each is lost."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter

import pytest

from tests.journeys.apart import KINDS, Apart
from tests.journeys.cli_desk import PROJECT, TEMPLATE, eventually

COUNT, LIMIT = 30, 4
SCRIPT = """
echo start $BEAGLE_NUMBER $BEAGLE_ATTEMPT $(date +%s.%N) >> ledger
for n in 1 2 3 4 5; do echo cost=$n; sleep 0.1; done
echo end $BEAGLE_NUMBER $BEAGLE_ATTEMPT $(date +%s.%N) >> ledger
"""


@pytest.fixture
def apart(tmp_path, rabbitmq, hosts, database):
    main, metrics = hosts
    with Apart(tmp_path, rabbitmq.url(main), rabbitmq.url(metrics), database) as apart:
        yield apart


def ledger(apart: Apart) -> list[list[str]]:
    return [line.split() for line in (apart.folder / "ledger").read_text().splitlines()]


def most_at_once(entries: list[list[str]]) -> int:
    running = most = 0
    for entry in sorted(entries, key=lambda entry: float(entry[3])):
        running += 1 if entry[0] == "start" else -1
        most = max(most, running)
    return most


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP], ids=["killed", "ended", "stopped"])
def test_one_of_each_is_lost_after_another_and_nothing_of_a_project_is(apart, how):
    values = json.dumps([number / 100 for number in range(1, COUNT + 1)])
    (apart.folder / "project.yml").write_text(PROJECT.format(values=values))
    (apart.folder / "template.yml").write_text(TEMPLATE.format(command=json.dumps(SCRIPT)))
    first = apart.start_each()
    apart.start_each()
    follower = apart.start("run", "project.yml", "--limit", str(LIMIT))
    eventually((apart.folder / "ledger").exists)
    for kind in KINDS:
        first[kind].process.send_signal(how)
        time.sleep(1.0)
    for kind in KINDS:
        if how == signal.SIGSTOP:
            time.sleep(1.0)
            first[kind].process.send_signal(signal.SIGCONT)
    assert follower.process.wait(120) == 0, follower.said
    entries = ledger(apart)
    assert max(Counter(entry[1] for entry in entries if entry[0] == "start").values()) == 1
    assert len([entry for entry in entries if entry[0] == "start"]) == COUNT
    assert most_at_once(entries) <= LIMIT
    views = json.loads(apart.beagle("experiments", "--format", "json").stdout)
    assert {view["state"] for view in views} == {"completed"}
    assert {view["metric_count"] for view in views} == {5}
    for number in (1, COUNT // 2, COUNT):
        found = json.loads(apart.beagle("metrics", number, "--format", "json").stdout)
        assert [metric["values"]["cost"] for metric in found] == [1, 2, 3, 4, 5]
