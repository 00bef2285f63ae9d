import random

import pytest

from mft_common.errors import Unavailable
from tests.servers.stopwatch import Stopwatch
from tests.service.sertainty_svc.protector import Hub, Reply, b64

PING = "<Request><Function>agentPing</Function></Request>"


def ask(hub, document, **options):
    """Send a document and read the answer."""
    return Reply(hub.send(document.encode() if isinstance(document, str) else document, **options))


@pytest.mark.parametrize("kind", [None, "text/xml", "application/x-www-form-urlencoded", "multipart/form-data", "junk"])
def test_1_the_content_type_is_ignored(hub, kind):
    """Item 1: the body is the document, with any content type, with or without a byte order mark."""
    assert ask(hub, PING, content_type=kind).status == 1
    assert ask(hub, b"\xef\xbb\xbf" + PING.encode(), content_type=kind).status == 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_1_other_methods_are_405_without_a_body(hub, method):
    """Item 1: the envelope is reached by POST alone."""
    answer = hub.send(b"", method=method)
    assert (answer.status_code, answer.headers["Allow"], answer.data) == (405, "POST", b"")


@pytest.mark.parametrize("path", ["/dataprotector/", "/dataprotector/x", "/DataProtector", "/dataprotector//"])
def test_1_other_paths_are_404_without_a_body(hub, path):
    """Item 1: there is one address."""
    answer = hub.send(PING.encode(), path=path)
    assert (answer.status_code, answer.data) == (404, b"")


def test_2_14_the_outcome_is_in_the_envelope(hub):
    """Items 2 and 14: HTTP 200 for good and bad, with the type, no-store, and neither cookies nor CORS."""
    good, bad = hub.send(PING.encode()), hub.send(b"<Request>", headers={"Origin": "https://x.example"})
    for answer in (good, bad):
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "application/xml; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-store"
        assert not {"Set-Cookie", "Access-Control-Allow-Origin"} & set(answer.headers.keys())
    assert (Reply(good).status, Reply(good).message) == (1, "Success")
    assert (Reply(bad).status, Reply(bad).message) == (408, "Invalid request")


def test_2_a_body_over_the_limit_is_413(tmp_path):
    """Item 2: a limit of the configuration, by its length or while it is read."""
    hub = Hub(tmp_path, {"data_protector": {"max_body": "2KiB"}})
    assert hub.send(b"x" * 2049).status_code == 413
    chunked = {"wsgi.input": Endless(), "CONTENT_LENGTH": None, "wsgi.input_terminated": True}
    answer = hub.send(None, environ=chunked)
    assert (answer.status_code, answer.data) == (413, b"")
    hub.service.close()


class Endless:
    """A chunked body without an end."""

    def read(self, size=-1):
        """Return as much as is asked for."""
        return b"x" * (size if size > 0 else 4096)


def test_3_the_order_of_the_children_is_free_and_unknown_ones_are_ignored(hub):
    """Item 3: unknown elements and attributes are ignored."""
    session = hub.login()
    document = f"""<Request version="9"><New><A/></New><ArgList extra="1"/><Session>
        {session} </Session><Function kind="x"> agentGetStatus </Function></Request>"""
    assert ask(hub, document).status == 1
    assert ask(hub, "<Request><Function>agent<!-- x -->Ping</Function></Request>").status == 1


@pytest.mark.parametrize(
    "document",
    [
        "<Request/>", "<request><Function>agentPing</Function></request>", "<Request><Function/></Request>",
        '<Request xmlns="urn:x"><Function>agentPing</Function></Request>', f"<All>{PING}</All>", "", "agentPing",
        "<Request><Function>agentPing</Function><Function>agentPing</Function></Request>",
        "<Request><Function>agentPing</Function><Session/><Session/></Request>",
        "<Request><Function>agentPing</Function><ArgList/><ArgList/></Request>",
        "<Request><Function>hostOpenSession</Function><ArgList><Argument><B/></Argument></ArgList></Request>",
    ],
)  # fmt: skip
def test_3_4_an_envelope_of_another_form_is_408(hub, document):
    """Items 3 and 4: the root, exactly one function, at most one session and list, arguments without elements."""
    reply = ask(hub, document)
    assert (reply.status, reply.results) == (408, None)
    assert reply.detail


def test_5_names_match_in_any_case_and_the_misprint_is_known(hub):
    """Item 5: the spellings of the guide's contents and formats lead to the same functions."""
    session = hub.login()
    assert hub.call("AGENTPING").status == 1
    assert hub.call("configCreate", "n", session=session).status == 1
    assert hub.call("configgetList", session=session).results == ["n"]
    for name in ("configgetTasks", "CONFIGGETTASKS"):
        assert hub.call(name, "n", session=session).results == ['<Tasks version="1"/>']
    assert hub.call("tempateGetTask", "n", session=session).status == 213
    for name in ("agentPong", "", "agentPing2", "ag\u0435ntPing"):
        assert hub.call(name).status == 408


@pytest.mark.parametrize("content", ["b3BlcmF0b3I", "b3Bl cmF0b3I=!", "b3BlcmF0b3I=====", "_-8=", "é", "===="])
def test_6_content_that_is_not_base64_is_408(hub, content):
    """Item 6: the standard alphabet with its padding."""
    document = (
        f"<Request><Function>hostOpenSession</Function><ArgList><Argument>{content}</Argument></ArgList></Request>"
    )
    reply = ask(hub, document)
    assert (reply.status, reply.detail) == (408, "argument 1 is not Base64")


def test_6_white_space_inside_base64_is_ignored_and_empty_is_an_empty_value(hub):
    """Item 6: lines may be broken, an element may be empty; our results have no line breaks."""
    document = "<Request><Function>hostOpenSession</Function><ArgList><Argument>%s</Argument></ArgList></Request>"
    reply = ask(hub, document % " b3Bl\n\tcmF0\r\nb3I= ")
    assert reply.status == 1
    assert ask(hub, document % "").status == 2
    assert "\n" not in reply.root.find("ResultList")[0].text


def test_7_own_names_identify_arguments_and_other_names_are_labels(hub):
    """Item 7: named ones in any order, the others fill the remaining places, twice is 408."""
    session = hub.login()
    for arguments in (
        [("script-name", "a.py"), "night"],
        ["night", ("label", "a.py")],
        [("script-name", "a.py"), ("config-name", "night")],
    ):
        assert hub.call("configGetScript", *arguments, session=session).status == 213
    assert hub.call("sharedGetPreset", ("prset-name", "Unrestricted"), session=session).status == 1
    twice = hub.call("configGetScript", ("config-name", "a"), ("config-name", "b"), session=session)
    assert (twice.status, twice.detail) == (408, "the argument config-name is given twice")
    bad = hub.call("configGetScript", ("script-name", "a/b"), "night", session=session)
    assert bad.detail == "the argument script-name is no name"


def test_9_text_is_utf8_and_contents_are_any_bytes(hub):
    """Item 9: all arguments but two are text."""
    session = hub.login()
    reply = hub.call("configCreate", b"\xff\xfe", session=session)
    assert (reply.status, reply.detail) == (408, "the argument config-name is not UTF-8")
    assert hub.call("sharedSaveID", "a", b"\xff\x00", session=session).status == 1
    assert hub.call("sharedSaveScript", "a", b"\xff\x00", session=session).status == 1


def test_11_no_result_list_without_results(hub):
    """Item 11: neither for functions without results nor with an error."""
    assert hub.call("agentPing").results is None
    assert hub.call("agentGetStatus").results is None
    assert len(hub.call("agentGetStatus", session=hub.login()).results) == 6


LAUGHS = '<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>' + PING.replace("agentPing", "&b;")
FETCH = '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + PING.replace("agentPing", "&x;")
DEEP = "<Request>" + "<a>" * 40 + "</a>" * 40 + "</Request>"
WIDE = f"<Request>{'<a/>' * 10_001}<Function>agentPing</Function></Request>"


@pytest.mark.parametrize(
    "document",
    [
        LAUGHS, FETCH, DEEP, WIDE, "<!DOCTYPE Request>" + PING, f'<?xml version="1.0" encoding="UTF-16"?>{PING}',
        f'<?xml version="1.0" encoding="latin-1"?>{PING}', "<" * 1_000_000, "<a>" * 300_000, "<a " + "x='1' " * 100_000,
        "&lt;" * 100_000, "\0" * 1000,
    ],
    ids=range(12),
)  # fmt: skip
def test_12_hostile_xml_is_408_in_no_time(hub, document):
    """Item 12: a DTD of any kind, depth, width, other encodings, and endless beginnings."""
    since = Stopwatch()
    assert ask(hub, document).status == 408
    assert since.seconds < 1


def test_12_utf16_and_random_bytes_are_408(hub):
    """Items 2 and 12: for any bytes the answer is an envelope with the status 408."""
    dice = random.Random(12)
    assert ask(hub, PING.encode("utf-16")).status == 408
    for size in (1, 7, 100, 5000, 200_000):
        for _ in range(10):
            assert ask(hub, dice.randbytes(size)).status == 408


def test_12_a_broken_copy_of_a_good_document_never_breaks_the_hub(hub):
    """Items 2, 12 and 28: five hundred documents with a few bytes changed are answered by the envelope."""
    dice = random.Random(37)
    session = hub.login()
    good = f"<Request><Session>{session}</Session><Function>configGetScript</Function><ArgList><Argument name='config-name'>{b64('n')}</Argument><Argument>{b64('s')}</Argument></ArgList></Request>"  # noqa: E501 -- one document
    for _ in range(500):
        body = bytearray(good.encode())
        for _ in range(dice.randint(1, 4)):
            place = dice.randrange(len(body))
            body[place : place + dice.randint(0, 3)] = dice.choice(
                (b"<", b"&", b"\0", b"\xff", b"]]>", b"", b"A", b"=")
            )
        assert ask(hub, bytes(body)).status in {3, 213, 408, 502}


def test_12_documents_inside_arguments_are_read_with_the_same_care(hub):
    """Items 12 and 108: a DTD inside an argument, another root, or no XML at all."""
    session = hub.login()
    for document in (LAUGHS, "<Other/>", "no xml", "<Tasks>" + "<a>" * 40 + "</a>" * 40 + "</Tasks>"):
        assert hub.call("configSaveTasks", "night", document, session=session).status == 408
        assert hub.call("templateSaveTask", document, session=session).status == 408
    assert hub.call("configSaveTasks", "night", '<Tasks version="1"/>', session=session).status == 213


def test_13_the_order_of_the_checks(hub):
    """Item 13: form, function, session, rights, count and Base64, names, and the rest last."""
    reader, full = hub.login("reader"), hub.login()
    assert hub.call("nothing", session=full).status == 408
    assert hub.call("configCreate", "a/b", "too", "many", session="x" * 43).status == 3
    assert hub.call("configCreate", "a/b", "too", "many", session=reader).status == 3
    assert hub.call("configCreate", "a/b", "too", "many", session=full).detail == "configCreate takes 1 arguments"
    assert hub.call("configCreate", "a/b", session=full).detail == "the argument config-name is no name"
    assert hub.call("configSaveTasks", "none", "<Other/>", session=full).status == 408
    assert hub.call("configSaveTasks", "none", "<Tasks/>", session=full).status == 213
    assert hub.call("configCreate", "night", session=full).status == 1
    assert hub.call("configCreate", "night", session=full).status == 232


def test_15_502_carries_a_sentence_and_408_a_header(hub):
    """Item 15: a function that is not built says so, and the fault of a request is in a header beside the envelope."""
    session = hub.login()
    hub.now += 60_000
    reply = hub.call("agentPing")
    assert (reply.status, reply.message) == (502, "The agent is offline.")
    assert reply.detail is None
    reply = hub.call("configGetStatus", session=session)
    assert (reply.message, reply.detail) == ("Invalid request", "the argument config-name is missing")


def test_2_15_a_fault_of_ours_is_502_without_internals(hub):
    """Items 2 and 15: an exception and a part that is away have their sentence, and no trace."""

    def find_session(service, token):
        raise {"a": ValueError("secret path"), "b": Unavailable("secret path")}[token[0]]

    hub.directory.find_session = find_session
    for token in ("a" * 43, "b" * 43):
        reply = hub.call("agentGetStatus", session=token)
        assert (reply.http.status_code, reply.status) == (200, 502)
        assert "secret" not in reply.message


def test_a_request_without_the_gateways_identity_is_refused(hub):
    """Without a signed identity the body is not read."""
    answer = hub.client.post("/dataprotector", data=PING, headers={"X-Crossdock-Identity": "forged"})
    assert (answer.status_code, answer.data) == (403, b"")
    assert hub.client.get("/healthz").status_code == 200


def test_a_body_that_is_cut_short_is_408_and_carries_nothing_out(hub):
    """A complete document within a body that ends before its declared length is no request (RFC 9112, 6.3)."""
    session = hub.login()
    document = f"<Request><Function>hostCloseSession</Function><Session>{session}</Session></Request>".encode()
    cut = hub.send(document, environ={"CONTENT_LENGTH": str(len(document) + 1)})
    assert (cut.status_code, Reply(cut).status) == (200, 408)
    assert hub.call("configGetList", session=session).status == 1, "the session is still open"
    assert Reply(hub.send(document)).status == 1
