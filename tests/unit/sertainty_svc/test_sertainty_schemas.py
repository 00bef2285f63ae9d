import pytest
from hypothesis import given
from hypothesis import strategies as st

from mft_common.config import Reader
from mft_common.errors import ConfigError
from sertainty_svc import wire
from sertainty_svc.domain.functions import Argument, find_function
from sertainty_svc.errors import InvalidRequest
from sertainty_svc.schemas import configuration
from sertainty_svc.schemas.arguments import placed as placed_arguments
from sertainty_svc.wire import Reply, Result


def placed(function, *arguments):
    """Place arguments, given as names and contents."""
    return placed_arguments(find_function(function), [Argument(*one) for one in arguments])


def test_7_places_are_filled_by_name_first_and_then_in_order():
    """Item 7: unknown labels count as unnamed, and further arguments repeat the last one."""
    found = placed("configNewID", ("machine-fingerprint", "f1"), (None, "c"), ("x", "i"), (None, "f2"))
    assert found == {"config-name": ["c"], "id-name": ["i"], "machine-fingerprint": ["f1", "f2"]}
    assert placed("agentPing") == {}


@given(st.lists(st.tuples(st.sampled_from([None, "config-name", "id-name", "id-contents", "x"]), st.text(max_size=3))))
def test_8_arguments_are_placed_once_each_or_refused(arguments):
    """Item 8: every place gets exactly one, and nothing is lost."""
    try:
        found = placed("configSaveID", *arguments)
    except InvalidRequest:
        return
    assert [len(contents) for contents in found.values()] == [1, 1, 1]
    assert sorted(one for contents in found.values() for one in contents) == sorted(text for _, text in arguments)


@given(st.binary(max_size=200))
def test_6_10_any_result_comes_back_by_an_xml_reader(content):
    """Items 6 and 10: results are Base64 without line breaks, in the envelope's order."""
    body = wire.to_bytes(Reply(1, "Success", [Result(content, "x"), Result(b"")]))
    assert body.count(b"\n") == 1
    inside = body.partition(b'<Result name="x"')[2]
    text = inside[1 : inside.find(b"<")].decode() if inside.startswith(b">") else ""
    assert wire.decode(text, "it") == content


def test_15_a_detail_fits_into_a_header():
    """Item 15: no character that would end the header, and a limited length."""
    assert wire.header_text("a\r\nb: é" + "x" * 500) == "a??b: ?" + "x" * 193


def test_the_section_is_read_with_its_roots_below_the_data_folder(tmp_path):
    """Relative roots lie in the data folder, and interpreters are commands."""
    raw = {"folders": ["demo/protect", "/srv/x"], "interpreters": {".py": ["python3", "-I"], ".sh": ["/bin/sh"]}}
    section = configuration.read_sections({"data_protector": raw}, Reader(tmp_path, {}, data=tmp_path))
    assert section.folders[0] == (tmp_path / "demo/protect").resolve()
    assert section.interpreters[".py"] == ("python3", "-I")
    assert configuration.read_sections({}, Reader(tmp_path, {}, data=tmp_path)).max_body == 32 << 20


def test_107_no_root_reaches_the_hubs_own_state(tmp_path):
    """Item 107: neither the state folder, nor one inside it, nor one that holds it."""
    for folder in ("state", "state/sertainty-svc", ".", "/", "demo/../state"):
        with pytest.raises(ConfigError, match=r"data_protector\.folders\.0"):
            configuration.read_sections({"data_protector": {"folders": [folder]}}, Reader(tmp_path, {}, data=tmp_path))


def test_every_problem_of_the_section_is_named_by_its_path(tmp_path):
    """Wrong types, unknown names and values are found at start."""
    raw = {"interpreters": {"py": ["x"], ".sh": "sh"}, "kem": "rsa", "max_body": "much", "unknown": 1, "failures": 0}
    with pytest.raises(ConfigError) as caught:
        configuration.read_sections({"data_protector": raw}, Reader(tmp_path, {}, data=tmp_path))
    for path in ("interpreters", "kem", "max_body", "unknown", "failures"):
        assert f"data_protector.{path}" in str(caught.value)
