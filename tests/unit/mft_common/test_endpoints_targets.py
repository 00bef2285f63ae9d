"""URLs of endpoints, and the `endpoints` section of crossdock.yaml."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mft_common.config import Reader
from mft_common.endpoints.errors import BadName
from mft_common.endpoints.section import Targets, read_targets
from mft_common.endpoints.targets import Target, Timeouts, parse_url, problems_of, without_query

PIN = "SHA256:" + "A" * 43


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("file:out/orders", Target(scheme="file", folder="out/orders")),
        ("file:///srv/a%20b/", Target(scheme="file", folder="/srv/a b")),
        ("filestore:/in//x", Target(scheme="filestore", folder="/in/x")),
        ("sftp://hub@a.example/up", Target(scheme="sftp", host="a.example", port=22, user="hub", folder="/up")),
        ("sftp://hub@a.example:2222/~/up", Target(scheme="sftp", host="a.example", port=2222, user="hub", folder="up")),
        ("sftp://a%40b@[::1]/", Target(scheme="sftp", host="::1", port=22, user="a@b", folder="/")),
        ("ftp://a.example", Target(scheme="ftp", host="a.example", port=21)),
        ("ftp://a.example/%FF", Target(scheme="ftp", host="a.example", port=21, folder="/\udcff")),
        (
            "ftps://u@a.example/x",
            Target(scheme="ftps", host="a.example", port=21, user="u", folder="/x", tls="explicit"),
        ),
        ("ftps://a.example:990/", Target(scheme="ftps", host="a.example", port=990, folder="/", tls="implicit")),
        ("s3://landing/incoming/", Target(scheme="s3", host="landing", folder="incoming")),
        ("http://a.example/a%2Fb?c=d", Target(scheme="http", host="a.example", port=80, folder="/a%2Fb", query="c=d")),
        ("https://a.example:8443", Target(scheme="https", host="a.example", port=8443, folder="/")),
    ],
)
def test_urls_of_every_scheme(url, expected):
    """Each form of a URL gives its host, port, user and decoded folder."""
    assert parse_url(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "", "out", "mailto:a@b", "file://host/x", "file:../x", "file:%2e%2e/x", "filestore:%FF", "sftp:host/x",
        "sftp://", "sftp://host:0/", "sftp://host:99999/", "sftp://u:p@host/", "sftp://host/a?b", "sftp://host/a#b",
        "sftp://ho st/", "sftp://host/a\nb", "s3://UPPER_case/x", "s3://bucket:9/x", "s3://key@bucket/x",
        "http://[::1/", "ftp://host/a/../b", "FTP://host/",
    ],
)  # fmt: skip
def test_urls_that_are_refused(url):
    """Paths upwards, passwords, blanks and impossible hosts are no URLs of endpoints."""
    with pytest.raises(BadName):
        parse_url(url)


@given(st.text(max_size=40))
def test_no_text_raises_another_error(text):
    """Any text is a URL of an endpoint or BadName."""
    for scheme in ("", "file:", "sftp://", "https://", "s3://b"):
        try:
            target = parse_url(scheme + text)
        except BadName:
            continue
        assert target.scheme


def _read(section, tmp_path, **environ):
    reader = Reader(tmp_path, environ)
    return read_targets(section, reader), sorted(reader.problems)


def test_a_section_with_every_scheme(tmp_path):
    """Secrets are resolved, times limits are seconds, and paths of authorities begin at the configuration's folder."""
    (tmp_path / "key").write_text("PRIVATE\n")
    (tmp_path / "ca.pem").write_text("PEM")
    section = {
        "acme": {
            "url": "sftp://hub@sftp.acme.example/upload", "key": {"file": "key"}, "host_key": PIN,
            "timeouts": {"connect": "2s", "idle": "5m"},
        },
        "bucket": {
            "url": "s3://landing/in", "endpoint": "https://s3.example.org", "key_id": {"env": "ID"},
            "secret": {"env": "SECRET"},
        },
        "old": {"url": "ftps://u@f.example/", "password": {"env": "P"}, "tls": "implicit", "ca": "ca.pem"},
        "local": {"url": "file:out"},
    }  # fmt: skip
    targets, problems = _read(section, tmp_path, ID="id", SECRET="hidden-1", P="hidden-2")
    assert problems == []
    assert (targets["acme"].key, targets["acme"].timeouts) == ("PRIVATE", Timeouts(2.0, 300.0))
    assert (targets["bucket"].secret, targets["old"].tls) == ("hidden-1", "implicit")
    assert targets["old"].ca == str(tmp_path / "ca.pem")
    assert targets["local"] == Target(scheme="file", name="local", folder="out")
    for hidden in ("PRIVATE", "hidden-1", "hidden-2"):
        assert hidden not in repr(targets)


def test_every_problem_is_named_by_its_path(tmp_path):
    """All problems of all endpoints come at once, each with the key that it is about."""
    section = {
        "a": {"url": "sftp://host/x"},
        "b": {"url": "sftp://u@host/x", "password": "clear", "host_key": "md5:00"},
        "c": {"url": "s3://b"},
        "d": {"url": "s3://bucket", "key_id": {"env": "NONE"}, "secret": {"env": "NONE"}},
        "e": {"url": "file:x", "password": {"env": "X"}},
        "f": {"url": "gopher://x"},
        "g": {"url": "https://u@host/", "timeouts": {"connect": "soon"}, "colour": 1},
        "h": {"url": "https://u@host/", "ca": "missing.pem"},
        "i": None,
        "j k": {"url": "file:x"},
        "l": {"url": "s3://bucket", "key_id": {"env": "X"}, "secret": {"env": "X"}, "endpoint": "ftp://x"},
    }
    targets, problems = _read(section, tmp_path, X="x")
    assert targets == {}
    keys = {problem.partition(": ")[0] for problem in problems}
    assert keys == {
        "endpoints.a.url", "endpoints.a.key", "endpoints.a.host_key", "endpoints.b.host_key", "endpoints.c.url",
        "endpoints.d.key_id", "endpoints.d.secret", "endpoints.e.password", "endpoints.f.url",
        "endpoints.g.timeouts.connect", "endpoints.g.colour", "endpoints.h.ca", "endpoints.i", "endpoints.j k",
        "endpoints.l.endpoint",
    }  # fmt: skip
    assert not any("clear" in problem and "never in clear" not in problem for problem in problems)


@pytest.mark.parametrize(
    "pin", [f"{PIN}B", f"{PIN} x", f"{PIN}\nx", "ssh-ed25519 AAAA!", "ssh-ed25519 AAAA x\ny", f"x{PIN}"]
)
def test_a_pin_with_anything_behind_it_is_refused(tmp_path, pin):
    """A pasted line too many is a problem of the configuration; the line's own end is none."""
    section = {"a": {"url": "sftp://u@host/x", "password": {"env": "X"}, "host_key": pin}}
    targets, problems = _read(section, tmp_path, X="x")
    assert (targets, [problem.partition(": ")[0] for problem in problems]) == ({}, ["endpoints.a.host_key"])
    assert "43 characters of base64" in problems[0]


@pytest.mark.parametrize("pin", [PIN, f"{PIN}=", f"{PIN}\n", "ssh-ed25519 AAAA", "ssh-ed25519 AAAA== hub at acme\n"])
def test_pins_as_they_are_printed_are_taken(tmp_path, pin):
    """A fingerprint or a public key, with a comment or without."""
    section = {"a": {"url": "sftp://u@host/x", "password": {"env": "X"}, "host_key": pin}}
    targets, problems = _read(section, tmp_path, X="x")
    assert (list(targets), problems) == (["a"], [])


def test_names_and_folders_below_them():
    """`endpoint:NAME` is the endpoint, and `endpoint:NAME/folder` the same with a folder below its own."""
    acme = Target(scheme="sftp", name="acme", host="h", port=22, user="u", folder="/up", password="x", host_key=PIN)
    web = Target(scheme="https", name="web", host="h", port=443, folder="/", query="token=1")
    targets = Targets({"acme": acme, "web": web})
    assert targets.find("endpoint:acme") == acme
    assert targets.find("endpoint:acme/a%20b/c").folder == "/up/a b/c"
    assert targets.find("endpoint:web/a%20b").folder == "/a%20b"
    assert "token" not in web.shown + repr(web)
    for url in ("endpoint:nobody", "endpoint:acme/../x", "endpoint:", "sftp://u@host/x"):
        with pytest.raises(BadName):
            targets.find(url)


def test_what_a_target_lacks():
    """A target that lacks a secret or a pin is told by its key."""
    assert problems_of(parse_url("ftp://host/")) == []
    assert problems_of(parse_url("ftp://u@host/")) == ["password: is needed for the user"]
    assert len(problems_of(parse_url("sftp://u@host/"))) == 2


@pytest.mark.parametrize(
    "url",
    [
        "file:a/b",
        "filestore:/in",
        "sftp://h/up",
        "sftp://[::1]:2222/up",
        "sftp://h/~/up",
        "ftps://h/~/in",
        "ftp://h",
        "s3://bucket/in",
    ],
)
def test_a_shown_target_is_its_url(url):
    """A target without a name is shown as its URL."""
    assert parse_url(url).shown == url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://u@h/a/?signature=1", "https://u@h/a/"),
        ("http://h?x", "http://h"),
        ("file:a?b", "file:a?b"),
        ("endpoint:n/a?b", "endpoint:n/a?b"),
    ],
)
def test_the_query_of_a_web_url_is_left_out(url, expected):
    """In all other URLs a question mark is a character of a folder's name."""
    assert without_query(url) == expected
