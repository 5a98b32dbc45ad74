"""`beagle.report` over HTTP, in a user's own process: everything arrives once, and training waits for nothing."""

from __future__ import annotations

import json
import sys
import time

import pytest

from tests.clients.collector import Collector, collecting, collector
from tests.clients.ingest import ended, program, until_line
from tests.journeys.beagle_run import eventually

TEN = "for step in range(10): beagle.report(step=step, cost=step)"


def costs(at: Collector) -> list[float]:
    return [json.loads(body)["metrics"]["cost"] for body in at.stored() if body.startswith("{")]


@pytest.fixture
def gateway():
    with collecting(collector()) as found:
        yield found


def test_what_is_reported_arrives_in_its_order_by_the_time_the_program_has_ended(gateway):
    told = ended(program(TEN, gateway.url, BEAGLE_REPORT_TOKEN="t0ken", BEAGLE_SERVICE="train"))
    assert told == ("", "")
    assert costs(gateway) == list(range(10))
    assert [sequence for _, sequence, _, _ in gateway.said] == list(range(10))
    assert {source.split("-")[0] for source, *_ in gateway.said} == {"train"}
    assert gateway.tokens == {"Bearer t0ken"}


def test_it_needs_nothing_but_the_standard_library(gateway):
    text = "known = set(sys.modules)\nbeagle.report(cost=1)\nbeagle.completed()\nprint(*set(sys.modules) - known)"
    out, _ = ended(program(text, gateway.url))
    loaded = {name.partition(".")[0] for name in out.split()}
    assert loaded - sys.stdlib_module_names == {"beagle"}


def test_the_end_has_arrived_when_its_call_returns(gateway):
    ended(program("beagle.report(cost=1); beagle.completed(); os._exit(0)", gateway.url))
    assert gateway.stored()[-1] == "<EXPERIMENT_COMPLETED>"


def test_a_forked_child_has_a_connection_and_a_source_of_its_own(gateway):
    text = """
beagle.report(cost=-1)
child = os.fork()
for step in range(10): beagle.report(cost=step)
if child: sys.exit(os.waitpid(child, 0)[1])
"""
    ended(program(text, gateway.url))
    assert sorted(costs(gateway)) == sorted([-1, *range(10), *range(10)])
    assert len({source for source, *_ in gateway.said}) == 2


@pytest.mark.parametrize("trouble", [[500], [503, 503], [502], [429], [408], [0], [0, 503, 429, 0]])
def test_what_could_not_be_taken_is_sent_again_and_comes_once(trouble):
    with collecting(collector(*trouble)) as gateway:
        assert ended(program(TEN, gateway.url)) == ("", "")
    assert costs(gateway) == list(range(10))


def test_it_waits_for_as_long_as_it_is_told_to():
    with collecting(collector(429, retry_after="1")) as gateway:
        begun = time.monotonic()
        ended(program("beagle.report(cost=1)", gateway.url))
        assert time.monotonic() - begun > 0.5
    assert costs(gateway) == [1]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413])
def test_what_is_never_taken_is_told_once_and_not_sent_again(status):
    with collecting(collector(*[status] * 5)) as gateway:
        out, err = ended(program(TEN, gateway.url))
    assert out == ""
    assert len(gateway.said) == 10
    assert costs(gateway) == [5, 6, 7, 8, 9]
    first, second = err.splitlines()
    assert first.startswith("beagle: a report was not taken, and is not sent again: ")
    assert f"status {status}" in first
    assert second == "beagle: 5 reports were not taken"


def test_what_is_reported_while_the_gateway_is_away_arrives_when_it_is_there():
    gateway = collector()
    text = f"begun = time.monotonic()\n{TEN}\nassert time.monotonic() - begun < 5\nprint('said')"
    process = program(text, gateway.url)
    until_line(process, "said")
    with collecting(gateway):
        assert ended(process) == ("", "")
    assert costs(gateway) == list(range(10))


def test_a_connection_that_the_server_closed_while_nothing_was_said_costs_nothing(gateway):
    process = program("beagle.report(cost=1); sys.stdin.readline(); beagle.report(cost=2)", gateway.url)
    eventually(lambda: costs(gateway) == [1])
    time.sleep(2.1)  # so long a connection is taken to be there still
    process.stdin.write("go\n")
    process.stdin.flush()
    ended(process)
    assert costs(gateway) == [1, 2]


def test_a_program_that_ends_without_a_gateway_says_so_and_does_not_hang():
    begun = time.monotonic()
    out, err = ended(program(TEN, collector().url, BEAGLE_REPORT_WAIT="1", BEAGLE_REPORT_TOKEN="canary"))
    assert time.monotonic() - begun < 20
    assert out == ""
    assert err.startswith("beagle: 10 reports did not arrive at 127.0.0.1:")
    assert len(err.splitlines()) == 1
    assert "canary" not in err


def test_its_thread_loads_no_module(gateway):
    """A child that is forked while a thread loads a module waits for that for ever."""
    text = """
import json, beagle.report_publisher, beagle.report_http  # as the first report does
before = set(sys.modules)
beagle.report(cost=1)
beagle.completed()
print(*sorted(set(sys.modules) - before))
"""
    assert ended(program(text, gateway.url)) == ("\n", "")
