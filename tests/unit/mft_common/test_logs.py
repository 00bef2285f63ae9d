import io
import json
import logging
from pathlib import Path

import pytest

from mft_common import logs


@pytest.fixture
def stream():
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    made = io.StringIO()
    logs.configure("sample-svc", stream=made)
    yield made
    root.handlers[:] = before
    root.setLevel(level)
    logs.structlog.reset_defaults()


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_service_and_request_id(stream):
    """Every line names its service and the request it belongs to."""
    with logs.request_scope("r1"):
        logs.get("uploads").info("file.stored", size=3)
    line = lines(stream)[0]
    assert (line["service"], line["request_id"], line["event"], line["size"]) == ("sample-svc", "r1", "file.stored", 3)


def test_fields_that_hold_secrets_are_redacted(stream):
    """A field whose name says secret is never written."""
    logs.get("uploads").info("login", password="hunter2", token="t", authorization="Basic x", user="ada")
    assert "hunter2" not in stream.getvalue()
    assert lines(stream)[0]["user"] == "ada"
    assert lines(stream)[0]["token"] == logs.REDACTED


def test_bytes_of_names_that_are_no_utf_8_are_shown_in_a_line(stream):
    """A reader of JSON may refuse half of a surrogate pair."""
    logs.get("uploads").info("file.stored", file="caf\udce9 ü", names=["a\udcff", "b"])
    line = lines(stream)[0]
    assert (line["file"], line["names"]) == (r"caf\xe9 ü", [r"a\xff", "b"])


def test_lines_of_the_standard_library_have_the_same_form(stream):
    """A library's log line is JSON with the request id as well."""
    with logs.request_scope("r2"):
        logging.getLogger("a.library").warning("connection %s", "lost")
    line = lines(stream)[0]
    assert (line["event"], line["request_id"], line["logger"]) == ("connection lost", "r2", "a.library")


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", ""),
        ("requestType=connect&password=x&userName=y", "requestType=connect&password=***&userName=***"),
        ("pass%77ord=x", "pass%77ord=***"),
        ("limit=5&var=a|b", "limit=5&var=***"),
        ("secret", "***"),
        ("password=half&half&since", "password=***&***&since"),
        ("password%3Dx&userName=&=&", "***&userName=&=&"),
    ],
)
def test_query_strings_show_the_values_of_registered_parameters_alone(query, shown):
    """The value of an unknown parameter may be a secret."""
    logs.show_parameters(("requestType", "limit", "since"))
    assert logs.redact_query(query) == shown


def test_a_query_that_was_escaped_into_the_path_is_redacted(stream):
    """A client that escapes the question mark of its URL does not write its password into the log."""
    logs.show_parameters(("requestType",))
    logs.get("access").info("request.answered", path="/diplomat/APIRequest?requestType=connect&password=hunter2")
    logs.get("audit").info("file.upload", path="/in/really?.txt")
    assert [line["path"] for line in lines(stream)] == [
        "/diplomat/APIRequest?requestType=connect&password=***",
        "/in/really?.txt",
    ]


def test_a_client_cannot_fill_the_log_with_one_value(stream):
    """A long field is cut."""
    logs.get("uploads").error("session.denied", user="u" * 1_000_000)
    (line,) = lines(stream)
    assert line["user"] == "u" * 4096 + "..."


def failing():
    try:
        Path("/srv/hunter2").read_text(encoding="ascii")
    except OSError as error:
        raise ValueError("the password is hunter2") from error


@pytest.mark.parametrize("library", [False, True])
def test_an_error_is_logged_by_its_type_and_place_and_never_by_its_text(stream, library):
    """Its text, that of its cause and the source lines of a traceback may hold a secret or a path of the machine."""
    try:
        failing()
    except ValueError as error:
        if library:
            logging.getLogger("foreign").exception("work.failed")
        else:
            logs.get("work").exception("work.failed", error=repr(error))
    (line,) = lines(stream)
    assert (line["event"], line["error"]) == ("work.failed", "ValueError")
    assert line["raised_at"][-1].startswith(f"{__name__}:failing:")
    (cause,) = line["causes"]
    assert cause["error"] == "FileNotFoundError 2"
    assert "read_text" in " ".join(cause["raised_at"])
    written = stream.getvalue()
    assert not [word for word in ("hunter2", "Traceback", "/srv") if word in written]
