import pytest
from hypothesis import given
from hypothesis import strategies as st

from mft_common.config import Reader
from mft_common.errors import ConfigError
from mqmft_svc.errors import RestError
from mqmft_svc.schemas import attributes, config, queries
from mqmft_svc.settings import Settings

SETTINGS = Settings(database_url="sqlite:////nowhere")
ITEM = {
    "mode": "binary",
    "source": {"type": "file", "file": {"path": "a", "size": 1}},
    "destination": {"type": "queue", "queue": {"name": "Q@QM"}, "checksum": {"method": "md5", "value": "AB"}},
}


def refusal(call, *arguments):
    """Return the id that a call is refused with, None when it is not."""
    try:
        call(*arguments)
    except RestError as error:
        return error.msg_id.removeprefix("MQWB")
    return None


def test_29_every_documented_path_is_taken_and_nothing_else():
    """Item 29: objects, attributes and deep paths, exactly as they are spelled; the other userID is userId."""
    for name in ("statistics", "statistics.retryCount", "transferSet.item.destination.file.size", "job.name"):
        assert attributes.parse(name).paths == (name,)
    assert attributes.parse("originator.userID").paths == ("originator.userId",)


@pytest.mark.parametrize(
    "value", ["statistics,statistics", "originator.userId,originator.userID", "*,id", "id,*", "*,*"]
)
def test_31_32_a_repetition_or_an_asterisk_with_others_is_refused(value):
    """Items 31 and 32: the same name twice, in either spelling, or an asterisk with anything."""
    assert refusal(attributes.parse, value) == "0961E"


@pytest.mark.parametrize(
    "value",
    [
        "Id",
        "id,,job",
        "id,",
        " id",
        "id ",
        "statistics.*",
        "job.name.x",
        "x",
        "transferSet.item.source.queue.delimiter",
    ],
)
def test_34_an_unknown_empty_or_padded_name_is_refused(value):
    """Item 34: a name is spelled exactly or refused."""
    assert refusal(attributes.parse, value) == "0960E"


def test_30_33_the_answer_is_the_default_set_and_the_union_of_what_was_asked_for():
    """Items 30 and 33: parts of items come one element for each, and overlap is no repetition."""
    default = {"id": "A", "statistics": {"numberOfFiles": 2}}
    whole = {
        "id": "A",
        "job": {"name": ""},
        "statistics": {"numberOfFiles": 2, "retryCount": 0},
        "transferSet": {"bytesSent": 5, "item": [ITEM, {**ITEM, "destination": {"type": "queue", "queue": {}}}]},
    }
    shown = attributes.parse("statistics,statistics.retryCount,job,transferSet.item.destination.checksum.value")
    assert shown.extend(default, whole) == {
        "id": "A",
        "statistics": {"numberOfFiles": 2, "retryCount": 0},
        "job": {"name": ""},
        "transferSet": {"item": [{"destination": {"checksum": {"value": "AB"}}}, {}]},
    }


def test_35_a_kind_that_no_item_has_cannot_apply():
    """Item 35: a queue of a source that is a file is refused, a checksum that is missing is not."""
    for path in ("transferSet.item.source.queue", "transferSet.item.destination.file.size"):
        assert refusal(attributes.parse(path).check_applies, [ITEM]) == "0963E"
        attributes.parse(path).check_applies([])
    attributes.parse("transferSet.item.source.checksum,transferSet.item.destination.queue.name").check_applies([ITEM])


@pytest.mark.parametrize("value", ["0", "00", "-1", "+5", "1.5", "ten", "", " 1", "1 ", "\u0661", "1\n", "0x1"])
def test_38_a_limit_that_is_no_whole_number_of_at_least_one_is_refused(value):
    """Item 38: digits of ASCII alone, and not zero."""
    assert refusal(queries.list_query, [("limit", value)], "v2", SETTINGS) == "0966E"


def test_38_39_the_limit_is_capped_and_has_a_default():
    """Items 38 and 39: more than the maximum counts as the maximum, however long it is written."""
    assert queries.list_query([], "v2", SETTINGS).limit == 100
    for value, limit in (("7", 7), ("007", 7), ("99999", 10_000), ("9" * 5000, 10_000)):
        assert queries.list_query([("limit", value)], "v2", SETTINGS).limit == limit


def test_36_attributes_on_the_list_go_by_version_unless_set_otherwise():
    """Item 36: v2 refuses them, v1 and v3 take them, and the setting overrules both ways."""
    pairs = [("attributes", "*")]
    assert refusal(queries.list_query, pairs, "v2", SETTINGS) == "0962E"
    assert queries.list_query(pairs, "v1", SETTINGS).selection.everything
    assert queries.list_query(pairs, "v3", SETTINGS).selection.everything
    strict = Settings(database_url="sqlite:////nowhere", list_attributes="strict")
    lenient = Settings(database_url="sqlite:////nowhere", list_attributes="lenient")
    assert refusal(queries.list_query, pairs, "v3", strict) == "0962E"
    assert queries.list_query(pairs, "v2", lenient).selection.everything


def test_41_42_48_parameters_that_do_not_go_together_are_refused():
    """Items 41, 42 and 48: both directions, a page of one, unknown, repeated and empty parameters."""
    both = [("after", "A"), ("before", "B")]
    assert refusal(queries.list_query, both, "v1", SETTINGS) == "0965E"
    for name in ("limit", "after", "before"):
        assert refusal(queries.single_query, [(name, "1")], SETTINGS) == "0964E"
    assert refusal(queries.list_query, [("Limit", "1")], "v1", SETTINGS) == "0967E"
    assert refusal(queries.list_query, [("limit", "1"), ("limit", "1")], "v1", SETTINGS) == "0968E"
    assert refusal(queries.list_query, [("after", "")], "v1", SETTINGS) == "0969E"
    ignoring = Settings(database_url="sqlite:////nowhere", unknown_parameters="ignore")
    assert queries.list_query([("x", ""), ("x", "")], "v1", ignoring).limit == 100


@given(st.text(max_size=40))
def test_34_any_text_is_a_selection_or_one_of_two_refusals(value):
    """Item 34: for any attributes the answer is one of the protocol's own."""
    assert refusal(attributes.parse, value) in {None, "0960E", "0961E"}


def test_the_section_names_agents_and_the_coordination_queue_manager(tmp_path):
    """The section of crossdock.yaml becomes agents, with secrets resolved."""
    raw = {
        "coordination_qmgr": "QM1",
        "agents": {
            "AGENT1": {"qmgr": "QM1", "root": "file:demo/agent1", "timezone": "Europe/Amsterdam"},
            "BANK": {"qmgr": "QM2", "root": "endpoint:bank", "queues": {"env": "URL"}, "allow": ["mftadmin"]},
        },
    }
    document = {"ibm_mq_mft": raw, "endpoints": {"bank": {"url": "file:bank"}}}
    section = config.read_sections(document, Reader(tmp_path, {"URL": "amqp://bank"}, data=tmp_path))
    assert section.coordination_qmgr == "QM1"
    assert section.agents["BANK"].queues == "amqp://bank"
    assert section.agents["BANK"].allow == ("mftadmin",)
    assert section.agents["AGENT1"].maximum_source_transfers == 25
    assert config.read_sections({}, Reader(tmp_path, {})).agents == {}


def test_every_problem_of_the_section_is_named_by_its_path(tmp_path):
    """A bad name, a missing queue manager, an unknown zone and a reserved name are found at start."""
    raw = {"agents": {"agent one": {}, "A": {"qmgr": "Q", "root": "http:x", "timezone": "Mars/Base"}}, "x": 1}
    with pytest.raises(ConfigError) as caught:
        config.read_sections({"ibm_mq_mft": raw}, Reader(tmp_path, {}))
    text = str(caught.value)
    assert "ibm_mq_mft.agents" in text
    assert "ibm_mq_mft.x" in text
    assert "zone such as UTC" in text
    with pytest.raises(ConfigError, match="hub's own"):
        config.read_sections(
            {"ibm_mq_mft": {"agents": {"CLIENT": {"qmgr": "Q", "root": "file:x"}}}}, Reader(tmp_path, {})
        )


@pytest.mark.parametrize(
    ("root", "problem"),
    [
        ("folder", "the URL begins with none of"),
        ("file:/elsewhere", "allowed_folders"),
        ("file:state/gateway", "the hub's own state"),
        ("endpoint:nowhere", "there is no endpoint nowhere"),
        ("endpoint:web/in", "no https: endpoint"),
        ("sftp://user@host/in", "the URL alone is not enough"),
        ("ftp://user:word@host/in", "a URL holds no password"),
    ],
)
def test_a_root_that_no_agent_can_have_is_a_problem_of_its_path(tmp_path, root, problem):
    """Each is named by the agent's path, before anything is opened."""
    agents = {"BAD": {"qmgr": "Q", "root": root}, "GOOD": {"qmgr": "Q", "root": "file:folder"}}
    document = {"ibm_mq_mft": {"agents": agents}, "endpoints": {"web": {"url": "https://example.org/"}}}
    with pytest.raises(ConfigError) as caught:
        config.read_sections(document, Reader(tmp_path, {}, data=tmp_path))
    (found,) = caught.value.problems
    assert found.startswith("ibm_mq_mft.agents.BAD.root: ")
    assert problem in found


def test_an_endpoint_with_a_problem_is_named_once(tmp_path):
    """An agent of an endpoint that is declared, and wrong, adds no problem of its own."""
    agents = {"BANK": {"qmgr": "Q", "root": "endpoint:bank"}}
    document = {"ibm_mq_mft": {"agents": agents}, "endpoints": {"bank": {"url": "sftp://host/in"}}}
    with pytest.raises(ConfigError) as caught:
        config.read_sections(document, Reader(tmp_path, {}, data=tmp_path))
    assert {found.split(":")[0].rpartition(".")[0] for found in caught.value.problems} == {"endpoints.bank"}


def test_a_definition_changes_with_the_root_and_with_the_endpoint_and_shows_no_secret(tmp_path):
    """Item 184: a state holds for one root at one far side; the digest is made without secrets."""

    def definition(root, url="ftp://hub@one.example/in", secret="one"):
        document = {
            "ibm_mq_mft": {"agents": {"A": {"qmgr": "Q", "root": root}}},
            "endpoints": {"bank": {"url": url, "password": {"env": "SECRET"}}},
        }
        section = config.read_sections(document, Reader(tmp_path, {"SECRET": secret}, data=tmp_path))
        return section.agents["A"].definition

    first = definition("endpoint:bank")
    assert first == definition("endpoint:bank") == definition("endpoint:bank", secret="two")
    assert len({first, definition("endpoint:bank/x"), definition("endpoint:bank", "ftp://hub@two.example/in")}) == 3
