"""No secret survives the redaction, whatever stands around it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beagle.redaction import redacted, secrets_in


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("amqp://beagle:secret@rabbit:5672/x", "amqp://beagle:***@rabbit:5672/x"),
        ("cannot reach 'mongodb://a:p%40ss@h1,h2/x' now", "cannot reach 'mongodb://a:***@h1,h2/x' now"),
        ("amqps://u:pa/s:s@@h", "amqps://u:***@h"),
        ("two amqp://a:one@h and http://b:two@i", "two amqp://a:***@h and http://b:***@i"),
        ("mongodb://h/x?tlsCertificateKeyFilePassword=abc&w=1", "mongodb://h/x?tlsCertificateKeyFilePassword=***&w=1"),
        ("http://h/?access_token=abc", "http://h/?access_token=***"),
        ("amqp://rabbit:5672/x", "amqp://rabbit:5672/x"),
        ("1amqp://u:secret@h", "1amqp://u:***@h"),
        ("amqp://:secret@h", "amqp://:***@h"),
        ("http://h/?next=http://i/?token=abc?d", "http://h/?next=http://i/?token=***"),
        ("at 10:30 somebody@example.org wrote", "at 10:30 somebody@example.org wrote"),
    ],
)
def test_passwords_and_tokens_of_urls_are_hidden_and_nothing_else(text, shown):
    assert redacted(text) == shown


def test_named_secrets_are_hidden_wherever_they_stand():
    assert redacted("token sesame-1 of sesame", {"sesame", "sesame-1"}) == "token *** of ***"


def test_the_secrets_of_a_url_are_known_as_written_and_as_decoded():
    assert secrets_in("amqp://u:p%40ssword@h/?token=abcde") == {"p%40ssword", "p@ssword", "abcde"}
    assert secrets_in("amqp://h/x") == set()


_WORDS = st.text(st.characters(blacklist_categories=("Cs", "Zs", "Cc")), min_size=4, max_size=20)


@given(user=st.text("abcdefgh", max_size=8), password=_WORDS.filter(lambda word: not word.isspace()), around=_WORDS)
def test_no_password_without_white_space_survives(user, password, around):
    marked = f"CANARY{''.join(password.split())}"
    assert "CANARY" not in redacted(f"{around} amqp://{user}:{marked}@host/x {around}".replace("*", "+"))


@pytest.mark.parametrize("piece", ["x", "a://", "a://b:", "?", "?token", "&secret", "@", "a://b:c@ ", "://@:", "a.b-"])
def test_a_million_letters_of_any_kind_take_no_time(piece):
    begun = time.process_time()
    redacted(piece * (1_000_000 // len(piece)))
    assert time.process_time() - begun < 5
