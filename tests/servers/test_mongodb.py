"""That the tests' MongoDB loses nothing when it is killed, and gives each test a database of its own."""

from __future__ import annotations

import pytest
from pymongo import MongoClient

from tests.servers import mongodb as servers
from tests.servers.keeper import Missing
from tests.servers.mongodb import MongoNode, fresh_database, shared_address
from tests.servers.wire import wire


def names(address: str) -> list[str]:
    with MongoClient(address) as client:
        return client.list_database_names()


def test_a_node_that_was_killed_comes_back_with_every_write_that_it_answered(tmp_path):
    node = MongoNode.start_new(tmp_path / "node")
    for turn in range(3):
        with MongoClient(node.address) as client:
            for number in range(20):
                client["kept"]["numbers"].insert_one({"_id": turn * 20 + number})
            node.kill()
            assert not node.is_ready()
            node.start()
    with MongoClient(node.address) as client:
        assert [each["_id"] for each in client["kept"]["numbers"].find(sort=[("_id", 1)])] == list(range(60))
    node.kill()


def test_every_test_gets_a_database_of_its_own_which_goes_in_the_end(mongodb, database):
    with fresh_database(mongodb) as other:
        assert other != database
        with MongoClient(other) as client:
            client.get_default_database()["mine"].insert_one({})
        assert other.rpartition("/")[2] in names(mongodb)
    assert other.rpartition("/")[2] not in names(mongodb)


def test_a_server_that_is_named_is_used_and_its_user_is_looked_for_where_it_was(monkeypatch, test_run, mongodb):
    monkeypatch.delenv("BEAGLE_TEST_MONGODB", raising=False)
    assert shared_address(test_run) == shared_address(test_run)
    monkeypatch.setenv("BEAGLE_TEST_MONGODB", mongodb)
    assert shared_address(test_run) == mongodb


@pytest.mark.parametrize(
    ("address", "options"),
    [
        ("mongodb://user:secret@host:1/users?w=1", "?w=1&authSource=users"),
        ("mongodb://user:secret@host:1", "?authSource=admin"),
        ("mongodb://user:secret@host:1/?authSource=users", "?authSource=users"),
        ("mongodb://host:1", ""),
    ],
)
def test_the_user_of_a_named_server_is_looked_for_where_its_address_says(address, options):
    assert servers.named(address, "mine").endswith(f"host:1/mine{options}")


def test_what_is_not_built_fails_with_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(servers, "JARS", tmp_path)
    with pytest.raises(Missing, match=r"stand-in for MongoDB is not there.*scripts/services\.sh"):
        MongoNode.start_new(tmp_path / "node")


def test_an_answer_is_lost_once_and_the_server_has_done_it(tmp_path):
    node = MongoNode.start_new(tmp_path / "node")
    with wire(("127.0.0.1", node.port)) as line, MongoClient("127.0.0.1", line.port, retryWrites=False) as client:
        numbers = client["mine"]["numbers"]
        numbers.insert_one({"_id": 1})
        line.lose_answer(b"\x02insert\x00")
        with pytest.raises(Exception, match=r"closed|reset"):
            numbers.insert_one({"_id": 2})
        assert line.lost == 1
        numbers.insert_one({"_id": 3, "large": "x" * 3_000_000})  # more than is read in one go
        assert [each["_id"] for each in numbers.find({}, {"_id": 1}, sort=[("_id", 1)])] == [1, 2, 3]
    node.kill()
