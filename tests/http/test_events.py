"""Events as server-sent events: who hears what, who is left out, and that idle listeners cost nobody anything."""

from __future__ import annotations

import threading
import time

import pytest

from actors.http.events import MOST_WAITING, Events
from actors.http.live import Live
from beagle.commands import DeleteExperiment, DeleteProject
from beagle.messages import ProjectChanged
from tests.http.client import Client
from tests.http.streams import Stream
from tests.journeys.beagle_run import Run, eventually, search, shell


@pytest.fixture
def run(client, tmp_path) -> Run:
    run = Run(tmp_path, client.session)
    run.start()
    return run


def threads() -> int:
    return threading.active_count()


def test_all_that_happens_to_a_project_and_its_experiments_is_told_in_its_order(client, run):
    with Stream(client) as stream:
        project = run.submit(search(shell("echo accuracy=0.9")))
        said = [stream.next()]
        while said[-1].name != "ProjectChanged" or said[-1].data["event"] != "completed":
            said.append(stream.next())
    assert {each.data["project"] for each in said} == {project}
    assert said[0].data["event"] == "created"
    states = [each.data["state"] for each in said if each.name == "ExperimentChanged"]
    assert states == ["pool", "pool", "completed"]
    assert len({each.id for each in said}) == len(said)
    assert all(each.data["type"] == each.name and each.data["id"] == each.id for each in said)


def test_a_listener_hears_of_its_project_or_its_experiment_alone(client, run):
    first = run.submit(search(shell("exit 0"), count=2, name="first"))
    run.wait("first")
    experiment = run.experiments("first")[0]
    with Stream(client, project="first") as of_project, Stream(client, experiment=experiment["id"]) as of_one:
        run.submit(search(shell("exit 0"), name="second"))
        run.wait("second")
        client.session.ask(DeleteProject(project="second"))
        client.session.ask(DeleteExperiment(experiment=run.experiments("first")[1]["id"]))
        heard = of_project.next()
        assert (heard.data["project"], heard.data["state"]) == (first, "deleted")
        client.session.ask(DeleteExperiment(experiment=experiment["id"]))
        assert of_one.next().data["experiment"] == experiment["id"]


@pytest.mark.parametrize("query", [{"project": "none"}, {"experiment": "none"}])
def test_what_is_not_there_cannot_be_listened_to(client, query):
    answer = client("GET", "events", params=query)
    assert answer.status_code == 404
    assert "is called none" in answer.json()["message"]


def test_a_silent_stream_shows_that_it_lives(client, live):
    live.events._heartbeat = 0.05
    with Stream(client) as stream:
        assert stream.anything().comments == ("nothing new",)
        assert stream.anything().comments == ("nothing new",)


def test_who_reads_too_slowly_is_left_out_with_a_word_and_nobody_else_is(client, live: Live):
    with Stream(client) as slow, Stream(client) as quick:
        listeners = list(live.events._listeners)
        assert len(listeners) == 2
        said: list[str] = []
        reader = threading.Thread(target=lambda: said.extend(each.name for each in quick.rest()))
        reader.start()
        # It fills what the system keeps for a connection, then what this process keeps.
        eventually(lambda: flood(client, live) or any(each.last is not None for each in listeners))
        rest = slow.rest()
        assert (rest[-1].name, rest[-1].data["message"][:9]) == ("LeftOut", "more than")
        live.close()
        reader.join(20)
        assert "LeftOut" not in said
        assert len(said) > MOST_WAITING


def flood(client: Client, live: Live) -> None:
    """Events with long reasons, as many as come in a while."""
    for _ in range(200):
        client.session._world.bus.publish(ProjectChanged(project="b" * 24, event="paused", reason="x" * 4000))
    quickest = min((len(each.waiting) for each in live.events._listeners), default=0)
    deadline = time.monotonic() + 20
    while quickest > MOST_WAITING / 2 and time.monotonic() < deadline:
        time.sleep(0.01)
        quickest = min((len(each.waiting) for each in live.events._listeners), default=0)


def test_streams_end_with_the_server_and_no_new_one_begins(client, live):
    with Stream(client) as stream:
        live.close()
        assert stream.rest() == []
    assert client("GET", "events").status_code == 503


def test_who_goes_is_forgotten(client, live):
    live.events._heartbeat = 0.05
    with Stream(client):
        assert len(live.events._listeners) == 1
    eventually(lambda: not live.events._listeners)


def test_200_idle_listeners_hold_no_thread_and_every_other_call_answers_as_before(client, live):
    client.get("/openapi.json")
    client.give("ShowSystem")
    before = threads()
    streams = [Stream(client) for _ in range(200)]
    try:
        assert len(live.events._listeners) == 200
        took = time.monotonic()
        for _ in range(20):
            client.give("ShowSystem")
        assert time.monotonic() - took < 10
        assert threads() - before <= 2
        run = Run(client.session._folder.path.parent, client.session)
        run.start()
        project = run.submit(search(shell("exit 0")))
        assert {stream.next().data["project"] for stream in streams} == {project}
    finally:
        for stream in streams:
            stream.__exit__()


def test_a_source_is_closed_for_good_and_from_any_thread():
    left: list[bool] = []
    source = Events(lambda hear: lambda: left.append(True))
    source.close()
    assert left == [True]
    assert source.closed


def test_a_strange_page_may_not_listen_without_the_token(serve):
    client = serve(token="s3cret")
    assert client("GET", "events").status_code == 401
    client.headers = {"Authorization": "Bearer s3cret"}
    with Stream(client):
        pass


def test_what_others_wrote_on_several_lines_is_one_event(client, live):
    event = ProjectChanged(project="b" * 24, event="paused", reason="x")
    body = event.model_dump_json(indent=1).replace("\n", "\n\n")
    with Stream(client) as stream:
        client.session._world.bus.publish_raw("beagle.events", f"project.paused.{'b' * 24}", body.encode())
        said = stream.next()
    assert (said.name, said.data) == ("ProjectChanged", event.model_dump(mode="json"))
