"""Bodies that are none: each is told in one sentence, and nothing of it is done."""

from __future__ import annotations

import pytest

LIMIT = "systems/system"
TEMPLATE = b'services: {train: {command: ["true"], environment: {LR: 1}}}\n'


def nothing_is_stored(client) -> bool:
    return client.get("models") == client.get("projects") == [] and client.get("systems")[0]["experimentsLimit"] == 1


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"{", "is not JSON: Expecting property name"),
        (b"\x00", "is not JSON"),
        (b"\xef\xbb\xbf{}", "is not JSON: Unexpected UTF-8 BOM"),
        ('{"experimentsLimit": 5}'.encode("utf-16"), "is not UTF-8 text"),
        (b'{"experimentsLimit": "\xff"}', "is not UTF-8 text"),
        (b'{"experimentsLimit": "\\ud800"}', "half of a surrogate pair"),
        (b'{"\\udead": 5}', "half of a surrogate pair"),
        (b'{"experimentsLimit": NaN}', "NaN, which is no number in JSON"),
        (b'{"experimentsLimit": -Infinity}', "-Infinity, which is no number in JSON"),
        (b'{"experimentsLimit": ' + b"9" * 500_000 + b"}", "a number of 500,000 digits"),
        (b'{"experimentsLimit": 5, "experimentsLimit": 6}', "has the field 'experimentsLimit' twice"),
        (b'{"a": [{"b": 1, "b": 2}]}', "has the field 'b' twice"),
        (b"{" + b", ".join(b'"k%d": 1' % n for n in range(70_000)) + b', "k69999": 2}', "'k69999' twice"),
        (b"[" * 500_000, "nested deeper than 64 levels"),
        (b'{"experimentsLimit": 5, "a": ' + b"[" * 100 + b"]" * 100 + b"}", "nested deeper than 64 levels"),
        (b'{"experimentsLimit": 5, "a": ' + b'{"a": ' * 90_000, "nested deeper than 64 levels"),
    ],
)
@pytest.mark.parametrize(("method", "path"), [("PUT", LIMIT), ("POST", "commands"), ("POST", "projects")])
def test_what_is_no_json_or_not_the_same_to_all_who_read_it_is_told(client, method, path, body, sentence):
    answer = client(method, path, data=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["kind"]) == (400, "invalid")
    assert sentence in answer.json()["message"]
    assert nothing_is_stored(client)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b'{"experimentsLimit": "' + b"9" * 5000 + b'"}', "experimentsLimit: is '999"),
        (b'{"experimentsLimit": 1e400}', "experimentsLimit: is inf"),
        (b'{"experimentsLimit": 1.0}', "experimentsLimit: is 1.0"),
        ('{"experimentsLimit": "²"}'.encode(), "experimentsLimit: is '²'"),
        (b"[]", "the body: "),
        (b"null", "the body: "),
    ],
)
def test_a_limit_that_is_none_is_told(client, body, sentence):
    answer = client("PUT", LIMIT, data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert sentence in answer.json()["message"]
    assert nothing_is_stored(client)


def part(text: bytes = TEMPLATE, named: bytes = b'name="file"; filename="t.yml"', more: bytes = b"") -> bytes:
    return b"--B\r\nContent-Disposition: form-data; " + named + b"\r\n" + more + b"\r\n" + text + b"\r\n"


def bomb() -> bytes:
    """Some kilobytes that are gigabytes when each alias is written out."""
    lines = [b"a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [b"%c: &%c [%s]" % (n, n, b", ".join([b"*%c" % (n - 1)] * 9)) for n in range(ord("b"), ord("k"))]
    return b"\n".join(lines)


FORM = "multipart/form-data; boundary=B"
HEADERS = b"".join(b"x-%d: y\r\n" % n for n in range(1000))
END = b"--B--\r\n"


@pytest.mark.parametrize(
    ("kind", "body", "sentence"),
    [
        ("multipart/form-data", part() + END, "the form cannot be read: Missing boundary"),
        ("multipart/form-data; boundary=", part() + END, "the form cannot be read"),
        ("multipart/form-data; boundary=" + "B" * 5000, part() + END, "the form cannot be read"),
        ("multipart/form-data; boundary=C", part() + END, "the form cannot be read"),
        (FORM, part(), "the form has no end"),
        (FORM, part()[:-10], "the form has no end"),
        (FORM, END, "file: is missing"),
        (FORM, b"", "the form has no end"),
        (FORM, part(named=b'name="file"') + END, "file: is no file; send it as a part that has a filename"),
        (FORM, part(named=b'name="file"; filename=""') + END, "the model template has no file name"),
        (FORM, part(named=b'name="other"; filename="t.yml"') + END, "file: is missing"),
        (FORM, part(named=b'filename="t.yml"') + END, "the form cannot be read"),
        (FORM, part(b"x") * 1500 + END, "the form cannot be read: Too many files"),
        (FORM, part(b"x", b'name="f"') * 2000 + END, "the form cannot be read: Too many fields"),
        (FORM, part(more=HEADERS) + END, "the form cannot be read"),
        (FORM, part(more=b"x: " + b"y" * 100_000 + b"\r\n") + END, "the form cannot be read"),
        (FORM, part(named=b'name="file"; filename="t.exe"') + END, "t.exe: wrong file extension"),
        (FORM, part(named=b'name="file"; filename="a\x1b[2J.yml"') + END, "holds signs that nobody sees"),
        (FORM, part(bytes(range(256))) + END, "t.yml:2: is not UTF-8 text"),
        (FORM, part(b"a: \x00\n") + END, "t.yml:1:4: is not YAML: the character U+0000"),
        (FORM, part(b"a: !!python/object/apply:os.system ['id']\n") + END, "is a tag; write plain values"),
        (FORM, part(bomb()) + END, "grows too large when its aliases are written out"),
        (FORM, part(b"a: &a [*a]\n") + END, "stands within the part that `&a` names"),
        (FORM, part(b"[" * 50_000) + END, "nested deeper than 32 levels"),
        (FORM, part(b"- " * 100_000) + END, "nested deeper than 32 levels"),
        (FORM, part(b"".join(b"k%d: 1\n" % n for n in range(20_000))) + END, "has more than 10,000 values"),
        (FORM, part(b"---\n" * 60_000) + END, "holds a second document"),
        (FORM, part(b"#" * 300_000) + END, "t.yml: is larger than 256 KiB"),
        (FORM, part(b"#" * 400_000) + END, "the body is larger than 320 KiB"),
        ("multipart/mixed; boundary=B", part() + END, "the Content-Type is multipart/mixed; send multipart/form-data"),
        ("application/json", b"{}", "the Content-Type is application/json; send multipart/form-data"),
    ],
)
@pytest.mark.parametrize("wanted", ["model", "project"])
def test_what_is_no_upload_is_told_in_plain_text(client, kind, body, sentence, wanted):
    answer = client("POST", "upload", data=body, headers={"Content-Type": kind, "type": wanted})
    assert answer.status_code in {400, 413, 415}
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert (
        sentence.replace("model template", {"model": "model template"}.get(wanted, "project definition")) in answer.text
    )
    assert nothing_is_stored(client)


@pytest.mark.parametrize(("given", "sentence"), [(None, "is missing"), ("bogus", "is 'bogus'"), ("ÿ", "is 'ÿ'")])
def test_an_upload_of_no_kind_is_told(client, given, sentence):
    headers = {"Content-Type": FORM} if given is None else {"Content-Type": FORM, "type": given.encode("latin-1")}
    answer = client("POST", "upload", data=part() + END, headers=headers)
    assert (answer.status_code, answer.text) == (400, f"the header type {sentence}; give model or project")
