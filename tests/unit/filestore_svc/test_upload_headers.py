import base64
import hashlib

import pytest

from filestore_svc.domain.files import StoredFile
from filestore_svc.errors import BadSyntax, PreconditionFailed
from filestore_svc.wire import metadata
from filestore_svc.wire.headers import Preconditions, digests, repr_digest
from filestore_svc.wire.uploads import datatype_of

FILE = StoredFile(fileset=1, path="/in/a", name="a", size=1, sha256="ab" * 32)
SHA256 = hashlib.sha256(b"x").digest()
MD5 = hashlib.md5(b"x").digest()


def test_digests_that_are_known():
    """SHA-256 and Content-MD5 are taken, other algorithms ignored (S17)."""
    sha = base64.b64encode(SHA256).decode()
    found = digests(f"sha-512=:AAAA:, sha-256=:{sha}:", base64.b64encode(MD5).decode())
    assert found == {"sha-256": SHA256, "md5": MD5}
    assert repr_digest(SHA256.hex()) == f"sha-256=:{sha}:"


@pytest.mark.parametrize("text", ["", "sha-256", "sha-256=abc", "sha-256=:AAA:", "sha-256=:AAAA:", "sha-256=:*:"])
def test_digests_that_cannot_be_read(text):
    """An unparsable digest is E-SYN (S17)."""
    with pytest.raises(BadSyntax):
        digests(text, None)


def test_preconditions():
    """If-None-Match guards against replacing, If-Match against replacing something else (S18)."""
    Preconditions().check(FILE)
    Preconditions(if_none_match="*").check(None)
    Preconditions(if_match=f'"{FILE.etag}"').check(FILE)
    for wrong, file in (
        (Preconditions(if_none_match="*"), FILE),
        (Preconditions(if_match='"b"'), FILE),
        (Preconditions(if_match="*"), None),
    ):
        with pytest.raises(PreconditionFailed):
            wrong.check(file)


def test_a_date_is_kept_as_a_tag():
    """A condition that is asked again later names the content: another one of the same second fails it (S18)."""
    asked = Preconditions(None, "*", "Sun, 06 Nov 2050 08:49:37 GMT")
    assert asked.pinned(FILE) == Preconditions(f'"{FILE.etag}"', "*")
    assert Preconditions("*", None, "x").pinned(FILE) == Preconditions("*", None, "x")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("text/plain", "text/plain"),
        ("x/y; a=b", "x/y; a=b"),
        (None, "application/octet-stream"),
        ("a\u2028", "application/octet-stream"),
        ("x" * 256, "application/octet-stream"),
    ],
)
def test_datatypes(sent, kept):
    """Any type that a header can hold again is kept (6)."""
    assert datatype_of(sent) == kept


@pytest.mark.parametrize(
    ("raw", "values"),
    [
        (b"{}", {}),
        (b'{"a":"b"}', {"a": "b"}),
        (b'{"metadata":{"a":"b"}}', {"a": "b"}),
        (b'{"metadata":"x"}', {"metadata": "x"}),
        (b'{"a":5,"b":true,"c":1.50}', {"a": "5", "b": "true", "c": "1.50"}),
        (b'{"description":""}', {"description": ""}),
    ],
)
def test_metadata_that_is_taken(raw, values):
    """Scalars become their JSON text, strings stay (S22)."""
    assert metadata.parse(raw) == values


@pytest.mark.parametrize(
    "raw",
    [
        *(
            b"",
            b"[]",
            b"null",
            b'"x"',
            b'{"a":null}',
            b'{"a":[]}',
            b'{"a":{}}',
            b'{"a":1,"a":2}',
            b'{"":"x"}',
            b'{"a":NaN}',
        ),
        *(
            b'{"a":"\xff"}',
            b'{"a":"\\ud800"}',
            b"[" * 100_000,
            b'{"size":"1"}',
            b'{"a\\u0001":"x"}',
            b'{"a":"\\u0000"}',
        ),
        b'{"' + b"k" * 129 + b'":""}',
        b'{"a":"' + b"v" * 4097 + b'"}',
        b"{" + b",".join(b'"k%d":""' % n for n in range(65)) + b"}",
    ],
)
def test_metadata_that_is_refused(raw):
    """Every value that S22 to S24 refuse is E-SYN."""
    with pytest.raises(BadSyntax):
        metadata.parse(raw)
