"""Documents of tasks and templates: what they mean, and which are refused."""

import json
import re
import time
from dataclasses import replace
from pathlib import Path, PurePath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sertainty_svc.domain.names import is_name
from sertainty_svc.domain.tasks import (
    Action,
    AfterSuccess,
    Filter,
    Folders,
    TaskDefinition,
    TaskSchedule,
    TaskType,
)
from sertainty_svc.domain.windows import DAYS, Edge, Window
from sertainty_svc.errors import InvalidRequest
from sertainty_svc.operations.templates import SHIPPED, shipped
from sertainty_svc.schemas.folders import Roots
from sertainty_svc.schemas.tasks import MOST_BYTES, read_tasks, read_template
from tests.servers.task_documents import document, task, written

ROOTS = Roots((PurePath("/srv/a"), PurePath("/mnt/b")), (PurePath("/srv/a"), PurePath("/srv/link")))


def read(*tasks, roots=ROOTS):
    """Return the tasks of a document."""
    return read_tasks(document(*tasks).encode(), roots)


def refused(*tasks, roots=ROOTS):
    """Return why a document of these tasks is refused."""
    with pytest.raises(InvalidRequest) as caught:
        read(*tasks, roots=roots)
    return caught.value.detail


def test_103_the_whole_table_is_read():
    """Item 103: every element of the table, in any order, with unknown ones ignored."""
    contents = """<?xml version="1.0" encoding="utf-8"?><Tasks later="x"><Other/><Task type="Time" new="1" name="seal">
      <Schedule><At type="string">23:00</At><At> 02:30 </At><TimeZone>Europe/Amsterdam</TimeZone>
        <DaySunday type="bool">0</DaySunday><StartHour>22</StartHour><EndHour>6</EndHour></Schedule>
      <Parameters><Parameter name="customer"> 47 11 </Parameter><Parameter name="e"/><Other/></Parameters>
      <Retries>0</Retries><TimeLimit> 86400 </TimeLimit><Replace>1</Replace><AfterSuccess>Archive</AfterSuccess>
      <SettleSeconds>2.50</SettleSeconds><Colour>blue</Colour>
      <Filter><Exclude>draft-*</Exclude><Recurse>true</Recurse><Include>*.csv</Include><Include>a b</Include></Filter>
      <Folders><Archive>/srv/link/done</Archive><Failed>filestore:/failed</Failed>
        <Destination>filestore:/out</Destination><Source type="string">in</Source></Folders>
      <Script/><ID>edge-7.iic</ID><Action>AutoProtect</Action><Description>a <!-- x -->b</Description>
      <Enabled>false</Enabled></Task></Tasks>"""
    (found,) = read_tasks(contents.encode(), ROOTS)
    assert found == TaskDefinition(
        name="seal",
        type=TaskType.TIME,
        action=Action.AUTO_PROTECT,
        enabled=False,
        description="a b",
        id_name="edge-7.iic",
        folders=Folders(
            source="in", destination="filestore:/out", failed="filestore:/failed", archive="/srv/link/done"
        ),
        filter=Filter(include=("*.csv", "a b"), exclude=("draft-*",), recurse=True),
        settle_s=2.5,
        after_success=AfterSuccess.ARCHIVE,
        replace=True,
        time_limit_s=86_400,
        retries=0,
        parameters={"customer": " 47 11 ", "e": ""},
        schedule=TaskSchedule(
            at=("02:30", "23:00"),
            zone="Europe/Amsterdam",
            window=Window(days=DAYS[1:], start=Edge(hour=22), end=Edge(hour=6)),
        ),
    )


def test_103_the_example_of_the_documentation_is_valid():
    """Item 103: the page that describes the documents shows one that can be saved."""
    page = (Path(__file__).parents[3] / "docs/data-protector-tasks.md").read_text()
    (example,) = re.findall(r"```xml\n(.*?)```", page, re.DOTALL)
    assert [one.name for one in read_tasks(example.encode(), ROOTS)] == ["invoices", "report"]


def test_103_the_defaults_are_those_of_the_table():
    """Item 103: one second to settle, three retries, files kept, and a limit of time for scripts alone."""
    (found,) = read(task())
    assert found == TaskDefinition(
        name="seal", type=TaskType.CHANGE, action=Action.COPY, folders=Folders(source="in", destination="out")
    )
    assert (found.settle_s, found.retries, found.after_success, found.enabled) == (1.0, 3, AfterSuccess.KEEP, True)
    (script,) = read(task(action="Script", Script="a.py", destination=None))
    assert (found.time_limit_s, script.time_limit_s) == (None, 300)
    assert read() == []
    assert read_tasks(b"<Tasks/>", ROOTS) == read_tasks(b'\xef\xbb\xbf<Tasks version="1"/>', ROOTS) == []


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("C",)), min_size=1, max_size=12).filter(is_name)
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"), max_size=12
)
PATTERNS = TEXTS.filter(bool)
PARAMETERS = st.dictionaries(st.from_regex(r"\A[A-Za-z][A-Za-z0-9_]{0,8}\Z"), TEXTS, max_size=3)
WINDOWS = st.builds(
    Window,
    days=st.sets(st.sampled_from(DAYS), min_size=1).map(lambda days: tuple(day for day in DAYS if day in days)),
    start=st.builds(Edge, hour=st.integers(0, 11), minute=st.none() | st.integers(0, 59)),
    end=st.builds(Edge, hour=st.none() | st.integers(12, 23), minute=st.none() | st.integers(0, 59)),
)
ZONES = st.sampled_from(("UTC", "Europe/Amsterdam", "Australia/Lord_Howe"))
TIMES = st.lists(st.times().map(lambda one: f"{one:%H:%M}"), min_size=1, unique=True).map(
    lambda all_: tuple(sorted(all_))
)
CHANGE = st.builds(TaskSchedule, zone=ZONES, window=st.none() | WINDOWS)
TIME = st.builds(TaskSchedule, interval_s=st.integers(1, 31_536_000), zone=ZONES, window=st.none() | WINDOWS)
DAILY = st.builds(TaskSchedule, at=TIMES, zone=ZONES, window=st.none() | WINDOWS)


@st.composite
def definitions(draw):
    """Return definitions that the table allows."""
    kind = draw(st.sampled_from(TaskType))
    return TaskDefinition(
        name=draw(NAMES),
        type=kind,
        action=draw(st.sampled_from(Action)),
        enabled=draw(st.booleans()),
        description=draw(TEXTS),
        id_name=draw(NAMES),
        script=draw(NAMES),
        folders=Folders(source="in", destination="/mnt/b/out", failed="filestore:/x y", archive="./done"),
        filter=Filter(
            include=tuple(draw(st.lists(PATTERNS, min_size=1, max_size=3))),
            exclude=tuple(draw(st.lists(PATTERNS, max_size=3))),
            recurse=draw(st.booleans()),
        ),
        settle_s=draw(st.integers(0, 86_400_000)) / 1000,
        after_success=draw(st.sampled_from(AfterSuccess)),
        replace=draw(st.booleans()),
        time_limit_s=draw(st.integers(1, 86_400)),
        retries=draw(st.integers(0, 100)),
        parameters=draw(PARAMETERS),
        schedule=draw(CHANGE if kind is TaskType.CHANGE else st.one_of(TIME, DAILY)),
    )


@given(st.lists(definitions(), max_size=4, unique_by=lambda one: one.name))
def test_103_every_definition_that_the_table_allows_comes_back(expected):
    """Items 103 and 105: a document with every leaf written out is read as it was meant, and stored as JSON."""
    found = read_tasks(document(*map(written, expected)).encode(), ROOTS)
    assert found == expected
    assert [TaskDefinition.from_json(json.loads(json.dumps(one.to_json()))) for one in found] == expected


@settings(max_examples=150)
@given(definitions(), st.data())
def test_12_103_a_broken_copy_of_a_document_is_read_or_refused(definition, data):
    """Items 12 and 103: any bytes in place of others end in tasks or in 408, and in nothing else."""
    body = bytearray(document(written(definition)).encode())
    place = data.draw(st.integers(0, len(body) - 1))
    body[place : place + data.draw(st.integers(0, 30))] = data.draw(
        st.binary(max_size=4)
        | st.sampled_from((b"<Folders>", b"</Task>", b"&#0;", b"<![CDATA[", b"<!DOCTYPE r>", b'"'))
    )
    try:
        found = read_tasks(bytes(body), ROOTS)
    except InvalidRequest:
        return
    assert len(found) <= 2


@pytest.mark.parametrize(
    ("leaves", "path"),
    [
        ({"action": "Delete"}, "Action"), ({"action": "copy"}, "Action"), ({"action": None}, "Action"),
        ({"type": "Cron"}, "type"), ({"Enabled": "yes"}, "Enabled"), ({"Enabled": ""}, "Enabled"),
        ({"action": "AutoProtect"}, "ID"), ({"action": "AutoProtect", "ID": ""}, "ID"), ({"ID": "a/b"}, "ID"),
        ({"action": "Script"}, "Script"), ({"Script": "*"}, "Script"), ({"Script": ".py"}, "Script"),
        ({"source": None}, "Folders/Source"), ({"source": ""}, "Folders/Source"),
        ({"destination": None}, "Folders/Destination"), ({"type": "Time", "source": None}, "Folders/Source"),
        ({"action": "Script", "Script": "a.py", "source": None}, "Folders/Source"),
        ({"AfterSuccess": "Archive"}, "Folders/Archive"), ({"AfterSuccess": "Move"}, "AfterSuccess"),
        ({"SettleSeconds": "-1"}, "SettleSeconds"), ({"SettleSeconds": "86400.1"}, "SettleSeconds"),
        ({"SettleSeconds": "1e3"}, "SettleSeconds"), ({"SettleSeconds": "nan"}, "SettleSeconds"),
        ({"Replace": "True"}, "Replace"), ({"TimeLimit": 0}, "TimeLimit"), ({"TimeLimit": 86_401}, "TimeLimit"),
        ({"TimeLimit": "1.5"}, "TimeLimit"), ({"Retries": -1}, "Retries"), ({"Retries": 101}, "Retries"),
        ({"Enabled": ["true", "true"]}, "Enabled"), ({"Filter": {"Recurse": "2"}}, "Recurse"),
        ({"Filter": [{}, {}]}, "Filter"), ({"Schedule": {"Interval": 60}}, "Schedule"),
        ({"Schedule": {"At": "02:30"}}, "Schedule"), ({"type": "Time", "Schedule": {}}, "Schedule"),
        ({"type": "Time", "Schedule": {"Interval": 0}}, "Interval"),
        ({"type": "Time", "Schedule": {"Interval": 31_536_001}}, "Interval"),
        ({"type": "Time", "Schedule": {"Interval": 60, "At": "02:30"}}, "Schedule"),
        ({"type": "Time", "Schedule": {"Interval": [60, 60]}}, "Interval"),
        ({"type": "Time", "Schedule": {"At": "24:00"}}, "At"), ({"type": "Time", "Schedule": {"At": "2:30"}}, "At"),
        ({"type": "Time", "Schedule": {"At": ["02:30", "x"]}}, "At"),
        ({"type": "Time", "Schedule": {"At": ""}}, "At"), ({"Schedule": {"TimeZone": "Mars/Base"}}, "TimeZone"),
        ({"Schedule": {"StartHour": 25}}, "StartHour"), ({"Schedule": {"StartDay": 30, "StartMonth": 2}}, "Schedule"),
    ],
    ids=str,
)  # fmt: skip
def test_103_what_the_table_does_not_allow_is_refused_by_its_path(leaves, path):
    """Items 103 and 105: wrong values, missing elements, leaves given twice, and a rhythm of the wrong type."""
    assert path in refused(task(**leaves))


@pytest.mark.parametrize("name", ["", "a/b", "*", "..", "nul", "a.", "x" * 256])
def test_103_a_task_has_a_name_of_its_own(name):
    """Items 17 and 103: a name by the rule, and no two tasks of one name."""
    assert "name" in refused(task(name))
    assert refused(task("a"), task("b"), task("a")) == "there are two tasks a"
    assert len(read(task("a"), task("A"))) == 2


@pytest.mark.parametrize("name", ["1a", "", "a-b", "ä", "a" * 64, "a b"])
def test_103_parameters_have_names_of_letters_digits_and_underscores(name):
    """Item 103: and each is given once."""
    element = f'<Parameters><Parameter name="{name}">1</Parameter></Parameters>'
    assert "Parameter" in refused(task().replace("</Task>", f"{element}</Task>"))
    twice = '<Parameters><Parameter name="a">1</Parameter><Parameter name="a">1</Parameter></Parameters>'
    assert "given twice" in refused(task().replace("</Task>", f"{twice}</Task>"))


@pytest.mark.parametrize(
    "text",
    [
        "../x", "in/../out", "a..b", "/etc", "/srv", "/srv/ab", "/", "//etc", "filestore:in", "filestore:",
        "filestore:/a/../b", "/mnt/b/../c", "/srv/linked",
    ],
)  # fmt: skip
def test_93_103_a_folder_outside_of_every_root_is_refused(text):
    """Items 93, 103 and 107: by its text alone, in each of the four places."""
    assert "Source" in refused(task(source=text))
    for tag in ("Destination", "Failed", "Archive"):
        assert tag in refused(task(Folders={tag: text}))


@pytest.mark.parametrize(
    "text",
    ["in", "./in", "in/deep", ".", "/srv/a", "/srv/a/in", "/mnt/b/x", "/srv/link/x", "//srv/a/x", "filestore:/x"],
)
def test_93_103_a_folder_below_a_root_or_in_the_filestore_is_taken_as_it_is_written(text):
    """Items 93 and 103: relative, absolute below any root, by the name of the configuration or without its links."""
    (found,) = read(task(source=text, destination="elsewhere"))
    assert found.folders.source == text


def test_93_without_roots_only_the_filestore_can_be_reached():
    """Item 93: a relative path lies below the first root, and there is none."""
    assert "no root" in refused(task(), roots=Roots())
    assert read(task(source="filestore:/in", destination="filestore:/out"), roots=Roots())


@pytest.mark.parametrize("tag", ["Destination", "Failed", "Archive"])
def test_103_no_folder_is_the_source_nor_below_a_source_with_its_subfolders(tag):
    """Item 103: however both are written."""
    for source, other in (("in", "./in/"), ("in", "/srv/a/in"), ("/srv/link/in", "/mnt/b/in"), ("filestore:/a",) * 2):
        assert "the source" in refused(task(source=source, Folders={tag: other}))
    assert read(task(Folders={tag: "in/deep"}))
    assert "below the source" in refused(task(Folders={tag: "in/deep"}, Filter={"Recurse": "true"}))
    assert read(task(source="filestore:/srv/a", Folders={tag: "/srv/a/b"}, Filter={"Recurse": "true"}))


def test_103_a_time_task_with_a_script_needs_no_source():
    """Item 103: it runs once, whatever lies in any folder."""
    (found,) = read(task(type="Time", action="Script", Script="a.py", source=None, destination=None))
    assert found.folders == Folders()


def test_103_a_document_of_another_form_is_refused():
    """Items 12 and 103: another root, version or encoding, a DTD, and too many tasks or bytes."""
    for contents in (
        b"<Task/>",
        b"<tasks/>",
        b'<Tasks xmlns="urn:x"/>',
        b'<Tasks version="2"/>',
        b"",
        b"<Tasks>",
        b"\xff",
    ):
        with pytest.raises(InvalidRequest):
            read_tasks(contents, ROOTS)
    many = document(*(f'<Task name="{number}"/>' for number in range(10_001)))
    with pytest.raises(InvalidRequest, match="more than 10000 tasks"):
        read_tasks(many.encode(), ROOTS)
    with pytest.raises(InvalidRequest, match=str(MOST_BYTES)):
        read_tasks(b"<Tasks>" + b" " * MOST_BYTES + b"</Tasks>", ROOTS)


def test_104_a_template_is_one_task():
    """Item 104: a Task as root, or Tasks that hold exactly one, by the same rules."""
    assert read_template(task().encode(), ROOTS) == read_template(document(task()).encode(), ROOTS) == read(task())[0]
    for contents in (document(), document(task("a"), task("b")), task(action="x"), "<Other/>", "", task("a/b")):
        with pytest.raises(InvalidRequest):
            read_template(contents.encode(), ROOTS)


@pytest.mark.parametrize("name", SHIPPED)
def test_104_the_templates_of_the_package_are_valid_in_a_list_as_they_are(name):
    """Item 104: each under its own name, and all four in one list."""
    found = read_template(shipped(name), ROOTS)
    assert found.name == name
    assert found.action.value == name.partition(" ")[0].replace("-", "")
    assert f"({found.type.value.lower()})" in name
    bodies = [shipped(one).decode().partition("?>")[2] for one in SHIPPED]
    assert found in read(*bodies)


def test_109_the_longest_document_is_read_well_within_a_call():
    """Item 109: 10,000 tasks in less than 5 seconds of this process."""
    (one,) = read(task(Parameters={}, Filter={"Include": "*.csv", "Exclude": "draft-*"}))
    body = document(*(written(replace(one, name=f"task-{number}")) for number in range(10_000)))
    began = time.process_time()
    assert len(read_tasks(body.encode(), ROOTS)) == 10_000
    assert time.process_time() - began < 5
