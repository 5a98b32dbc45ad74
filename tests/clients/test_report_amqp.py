"""`beagle.report` over RabbitMQ, in a user's own process: everything arrives once, and training waits for nothing."""

from __future__ import annotations

import time

import pytest
from pika import BlockingConnection
from pika.exceptions import ChannelClosedByBroker

from beagle.report_away import Away
from beagle.report_pika import Wire
from beagle.report_publisher import Publisher
from tests.clients.ingest import KEY, Ingest, ended, program, until_line
from tests.journeys.beagle_run import eventually
from tests.servers.keeper import free_ports
from tests.servers.rabbitmq import RabbitNode


@pytest.fixture
def ingest(rabbitmq, hosts) -> Ingest:
    return Ingest(rabbitmq, hosts[1])


@pytest.fixture(scope="module")
def own_node(tmp_path_factory) -> RabbitNode:
    """A node that these tests may kill."""
    node = RabbitNode.start_new(tmp_path_factory.mktemp("rabbitmq"))
    Ingest(node)
    # RabbitMQ 3.10 has a new quorum queue on disk half a second late: killed before that, it refuses all for ever.
    time.sleep(2)
    yield node
    node.kill()


@pytest.fixture
def nowhere() -> str:
    (port,) = free_ports(1)
    return f"amqp://exp:s3cret-canary@127.0.0.1:{port}/x?key={KEY}"


def test_what_is_reported_arrives_in_its_order_by_the_time_the_program_has_ended(ingest):
    told = ended(program("for step in range(100): beagle.report(step=step, accuracy=step / 100)", ingest.url))
    assert told == ("", "")
    assert ingest.read() == 100
    assert ingest.values() == [{"accuracy": step / 100} for step in range(100)]
    assert [sequence for _, sequence in ingest.order] == list(range(100))
    assert len({source for source, _ in ingest.order}) == 1
    assert ingest.order[0][0].startswith("main-")


def test_a_source_carries_the_name_of_its_service(ingest):
    ended(program("beagle.report(accuracy=1)", ingest.url, BEAGLE_SERVICE="train"))
    ingest.read()
    assert ingest.order[0][0].startswith("train-")


def test_the_end_has_arrived_when_its_call_returns(ingest):
    ended(program("beagle.report(cost=1); beagle.completed(); os._exit(0)", ingest.url))
    assert ingest.read() == 2
    assert list(ingest.said.values())[-1] == "<EXPERIMENT_COMPLETED>"


def test_threads_share_one_source_and_lose_nothing(ingest):
    text = """
import threading
def train(n):
    for step in range(50): beagle.report(step=step, **{f"m{n}": step})
threads = [threading.Thread(target=train, args=(n,)) for n in range(8)]
for thread in threads: thread.start()
"""
    ended(program(text, ingest.url))
    assert ingest.read() == 400
    assert len({source for source, _ in ingest.order}) == 1
    for n in range(8):
        assert [values[f"m{n}"] for values in ingest.values() if f"m{n}" in values] == list(range(50))


def test_a_forked_child_has_a_connection_and_a_source_of_its_own(ingest):
    text = """
beagle.report(parent=1)
child = os.fork()
for step in range(20): beagle.report(**{"parent" if child else "child": step})
if child: sys.exit(os.waitpid(child, 0)[1])
"""
    ended(program(text, ingest.url))
    assert ingest.read() == 41
    sources = {source for source, _ in ingest.order}
    assert len(sources) == 2
    assert sorted(values["child"] for values in ingest.values() if "child" in values) == list(range(20))


def test_its_thread_loads_no_module(ingest):
    """A child that is forked while a thread loads a module waits for that for ever."""
    text = """
import json, beagle.report_publisher, beagle.report_pika  # as the first report does
before = set(sys.modules)
beagle.report(cost=1)
beagle.completed()
print(*sorted(set(sys.modules) - before))
"""
    assert ended(program(text, ingest.url)) == ("\n", "")
    assert ingest.read() == 2


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_worker_of_multiprocessing_ends_only_after_its_reports_have_arrived(ingest, tmp_path, method):
    script = tmp_path / "training.py"
    script.write_text(f"""
import multiprocessing, beagle
def work(n):
    for step in range(10): beagle.report(step=step, **{{f"worker{{n}}": step}})
if __name__ == "__main__":
    beagle.report(started=1)
    context = multiprocessing.get_context("{method}")
    workers = [context.Process(target=work, args=(n,)) for n in range(2)]
    for worker in workers: worker.start()
    for worker in workers: worker.join()
""")
    ended(program(f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')", ingest.url))
    assert ingest.read() == 21


def test_what_a_full_queue_refuses_waits_until_there_is_room(rabbitmq, hosts):
    ingest = Ingest(rabbitmq, hosts[1], longest=5)
    process = program("for step in range(40): beagle.report(step=step, accuracy=0.5)", ingest.url)
    eventually(lambda: ingest.read() == 40, seconds=60)
    assert ended(process) == ("", "")
    assert [sequence for _, sequence in dict.fromkeys(ingest.order)] == list(range(40))


def test_what_no_queue_takes_waits_until_one_does(rabbitmq, hosts):
    ingest = Ingest(rabbitmq, hosts[1])
    with ingest.connection() as connection:
        connection.channel().queue_unbind("all", "beagle.metrics", "#")
    process = program("beagle.report(cost=1); print('said')", ingest.url)
    until_line(process, "said")
    with ingest.connection() as connection:
        connection.channel().queue_bind("all", "beagle.metrics", "#")
    ended(process)
    assert ingest.read() == 1


# The broker goes and comes. On one worker, as each starts a node.


@pytest.mark.xdist_group("own node")
def test_what_is_reported_while_the_broker_is_away_arrives_when_it_is_back(own_node):
    ingest = Ingest(own_node)
    own_node.kill()
    text = """
start = time.monotonic()
for step in range(1000): beagle.report(step=step, accuracy=0.5)
assert time.monotonic() - start < 5, "a report waited for the broker"
print("said")
"""
    process = program(text, ingest.url, BEAGLE_REPORT_WAIT="80")
    until_line(process, "said")
    own_node.start()
    assert ended(process) == ("", "")
    assert ingest.read() == 1000
    assert [sequence for _, sequence in dict.fromkeys(ingest.order)] == list(range(1000))


@pytest.mark.xdist_group("own node")
def test_nothing_is_lost_when_the_broker_is_killed_in_the_middle_and_repeats_are_known_as_such(own_node):
    ingest = Ingest(own_node)
    text = """
print("begin")
for step in range(600):
    beagle.report(step=step, accuracy=step / 600)
    time.sleep(0.01)
beagle.completed()
"""
    process = program(text, ingest.url, BEAGLE_REPORT_WAIT="80")
    until_line(process, "begin")
    eventually(lambda: ingest.read(most=50) >= 50, seconds=30)
    own_node.kill()
    time.sleep(0.5)
    own_node.start()
    assert ended(process)[1] == ""
    assert ingest.read() == 601
    assert {sequence for _, sequence in ingest.said} == set(range(601))


@pytest.mark.xdist_group("own node")
def test_training_goes_on_while_the_broker_is_out_of_memory_and_what_it_says_arrives_after_that(own_node):
    ingest = Ingest(own_node)
    text = """
print("begin")
sys.stdin.readline()
start = time.monotonic()
for step in range(200): beagle.report(step=step, accuracy=0.5)
assert time.monotonic() - start < 5, "a report waited for the broker"
print("said")
"""
    process = program(f"beagle.report(cost=1)\n{text}", ingest.url, BEAGLE_REPORT_WAIT="80")
    until_line(process, "begin")
    eventually(lambda: ingest.read() == 1, seconds=30)
    own_node.ctl("set_vm_memory_high_watermark", "0.000001")
    try:
        process.stdin.write("go\n")
        process.stdin.flush()
        until_line(process, "said")
        time.sleep(1)
        assert process.poll() is None
    finally:
        own_node.ctl("set_vm_memory_high_watermark", "0.4")
    assert ended(process)[1] == ""
    assert ingest.read() == 201


def test_a_program_that_ends_without_a_broker_says_so_and_does_not_hang(nowhere):
    start = time.monotonic()
    out, err = ended(program("for n in range(50): beagle.report(cost=n)", nowhere, BEAGLE_REPORT_WAIT="1"))
    assert time.monotonic() - start < 20
    assert out == ""
    assert err.startswith("beagle: 50 reports did not arrive at 127.0.0.1:")
    assert len(err.splitlines()) == 1
    assert "canary" not in err


def test_the_end_is_told_within_the_bound_too(nowhere):
    start = time.monotonic()
    _, err = ended(program("beagle.completed()", nowhere, BEAGLE_REPORT_WAIT="1"))
    assert time.monotonic() - start < 20
    assert err.startswith("beagle: 1 reports did not arrive")


def test_one_that_is_let_in_no_more_does_not_wait_for_long(ingest):
    stranger = ingest.url.replace(":canary-b1rd@", ":wrong@")
    start = time.monotonic()
    _, err = ended(program("beagle.report(cost=1)", stranger, BEAGLE_REPORT_WAIT="60"))
    assert time.monotonic() - start < 30
    assert "1 reports did not arrive" in err
    assert ingest.read() == 0


# What waits is bounded


def waiting(publisher: Publisher) -> list[str]:
    return [item.body.decode() for item in publisher._waiting]


@pytest.fixture
def full(nowhere):
    publisher = Publisher(nowhere, Wire, most=5)
    yield publisher
    publisher.close()


def test_when_too_many_wait_the_oldest_goes(full):
    for number in range(12):
        full.put(f"cost={number}")
    assert waiting(full) == [f"cost={number}" for number in range(7, 12)]
    assert full.dropped == 7


def test_the_last_message_never_goes_and_neither_does_the_newest(full):
    for number in range(5):
        full.put(f"last {number}", last=True)
    full.put("cost=1")
    full.put("cost=2")
    assert waiting(full) == [*(f"last {number}" for number in range(5)), "cost=2"]
    assert full.dropped == 1
    assert full.flush(0.1) == 6


# Where pika is not


def test_a_connection_that_comes_to_nothing_is_closed(rabbitmq, hosts, monkeypatch):
    made = []

    def refused(connection):
        made.append(connection)
        raise ChannelClosedByBroker(530, "not allowed")

    monkeypatch.setattr(BlockingConnection, "channel", refused)
    with pytest.raises(Away):
        Wire(f"{rabbitmq.url(hosts[1])}?key={KEY}")
    assert [connection.is_closed for connection in made] == [True]


def test_without_pika_what_is_reported_is_printed_where_it_is_read_too(nowhere):
    text = "sys.modules['pika'] = None\nbeagle.report(step=1, accuracy=0.5)\nbeagle.report(cost=1)\nbeagle.completed()"
    out, err = ended(program(text, nowhere))
    assert out.splitlines() == [
        '{"type": "metrics", "step": 1, "metrics": {"accuracy": 0.5}}',
        '{"type": "metrics", "metrics": {"cost": 1.0}}',
        "<EXPERIMENT_COMPLETED>",
    ]
    assert err == "beagle: pika is not installed here, so reports are printed, where Beagle reads them too\n"


def test_pika_is_loaded_only_when_something_is_reported_over_rabbitmq():
    text = "beagle.parameters(); assert not {'pika', 'beagle.report_publisher'} & set(sys.modules)"
    assert ended(program(text, "amqp://127.0.0.1:1/")) == ("", "")
