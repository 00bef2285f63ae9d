import pytest
import yaml
from click.testing import CliRunner

from crossdock.command import main
from tests.unit.mqmft_svc import definition_samples as samples

# Agents whose names differ in signs that are no part of a folder's name.
NAMES = ("A.B", "A_B", "A/B")


@pytest.fixture
def run(tmp_path):
    """Return a function that imports documents, each written to a file of its own, and gives the command's result."""

    def run_command(*documents, options=()):
        files = []
        for number, document in enumerate(documents):
            file = tmp_path / f"d{number}.xml"
            file.write_bytes(document if isinstance(document, bytes) else document.encode())
            files.append(str(file))
        return CliRunner().invoke(main, ["import", "ibm-mft", *options, *files])

    return run_command


def test_definitions_become_a_configuration_that_the_hub_accepts(run, tmp_path):
    """Everything was carried over: exit code 0, nothing on stderr, and `crossdock check` takes the output."""
    result = run(samples.TEMPLATE, samples.SCHEDULES, samples.monitor())
    assert (result.exit_code, result.stderr) == (0, "")
    document = yaml.safe_load(result.stdout)["ibm_mq_mft"]
    assert document["agents"] == {
        "QUAY": {"qmgr": "QMHARBOUR", "root": "file:agents/QUAY"},
        "SHED": {"qmgr": "QMINLAND", "root": "file:agents/SHED"},
    }
    assert [one["name"] for one in document["transfers"]] == ["EVENING", "QUAY-6", "QUAY-7"]
    assert [one["name"] for one in document["monitors"]] == ["WATCH"]
    file = tmp_path / "crossdock.yaml"
    file.write_text(result.stdout)
    checked = CliRunner().invoke(main, ["check", str(file)])
    assert checked.exit_code == 0, checked.output
    assert checked.stderr == ""


def test_what_is_not_carried_over_is_a_line_on_stderr(run):
    """Exit code 1, and the rest is printed all the same."""
    result = run(samples.REQUEST, samples.monitor("<fileMatch/><novelty/>"))
    assert result.exit_code == 1
    first, second = result.stderr.splitlines()
    assert "d0.xml/schedule/submit: the time zone Europe/Amsterdam" in first
    assert "d1.xml: monitor watch" in second
    assert all(line.startswith("crossdock: ") for line in (first, second))
    assert {"agents", "transfers", "monitors"} == yaml.safe_load(result.stdout)["ibm_mq_mft"].keys()


def test_the_root_of_an_agent_can_be_given(run):
    """A definition does not say where an agent's files are."""
    result = run(samples.TEMPLATE, options=["--root", "quay=endpoint:bank/out"])
    agents = yaml.safe_load(result.stdout)["ibm_mq_mft"]["agents"]
    assert agents["QUAY"]["root"] == "endpoint:bank/out"
    for wrong, reason in (("NOWHERE=file:a", "no definition names the agent NOWHERE"), ("QUAY", "AGENT=URL")):
        refused = run(samples.TEMPLATE, options=["--root", wrong])
        assert refused.exit_code == 2
        assert reason in refused.stderr
        assert refused.stdout == ""


def test_absolute_paths_outside_the_root_are_told_in_comments(run):
    """One comment for an agent: nothing but a root above the path would let a folder agent find the file (217)."""

    def told(*options):
        head = run(samples.TEMPLATE, samples.monitor(), options=options).stdout.partition("ibm_mq_mft:")[0]
        return [line.split()[1:3] for line in head.splitlines() if "is an absolute path" in line]

    assert told() == [["QUAY:", "/out"], ["SHED:", "/in"]]
    assert told("--root", "quay=file:/out", "--root", "shed=file:/inner") == [["SHED:", "/in"]]
    assert told("--root", "quay=file:/", "--root", "shed=endpoint:bank/in") == []


def test_a_hostile_file_is_refused_in_one_line(run):
    """Exit code 2, and nothing is printed of the files before it."""
    bomb = f'<!DOCTYPE request [<!ENTITY a "b">]>{samples.REQUEST}'
    for hostile in (bomb, b"\xff\xfe\x00", "<html/>", "<request>" + "<a>" * 100 + "</a>" * 100 + "</request>"):
        result = run(samples.TEMPLATE, hostile)
        assert (result.exit_code, result.stdout) == (2, "")
        (line,) = result.stderr.splitlines()
        assert line.startswith("crossdock: ")
        assert "d1.xml: " in line


def test_a_file_that_does_not_exist_is_named(tmp_path):
    """Exit code 2, as with every command."""
    result = CliRunner().invoke(main, ["import", "ibm-mft", str(tmp_path / "none.xml")])
    assert result.exit_code == 2
    assert "none.xml" in result.stderr
    assert "Traceback" not in result.output


def test_texts_of_definitions_reach_the_terminal_and_the_file_as_texts(run):
    """Neither control characters nor YAML's own signs in a name change what is printed around them."""
    name = "a: {b} # &c\u009b31m\n- d"
    document = samples.TEMPLATE.replace(">EVENING<", f">{name.replace('&', '&amp;')}<")
    result = run(document.replace("<fileSpecs>", "<fileSpecs><novelty/>"))
    assert result.exit_code == 1
    assert "\u009b" not in result.output
    assert len(result.stderr.splitlines()) == 1
    assert yaml.safe_load(result.stdout)["ibm_mq_mft"]["transfers"][0]["name"] == name


@pytest.fixture
def checked(run, tmp_path):
    """Return a function that imports documents, and checks what is printed; it gives the section and the notes."""

    def checked(*documents):
        result = run(*documents)
        file = tmp_path / "crossdock.yaml"
        file.write_text(result.stdout)
        check = CliRunner().invoke(main, ["check", str(file)])
        assert check.exit_code == 0, check.output
        return yaml.safe_load(result.stdout)["ibm_mq_mft"], result.stderr

    return checked


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (samples.monitor().replace('maxSize="5"', 'maxSize="5000"'), "matchesPerTask: it must be between 1 and 1000"),
        (samples.monitor().replace(">20<", ">0<"), "pollInterval: it must be between"),
        (samples.monitor(resource='<directory recursionLevel="9999">/out</directory>'), "resource.recursionLevel"),
        (samples.monitor(name="a/b"), "'A/B' is no monitor's name"),
        (samples.monitor('<fileSizeSame polls="1000000"/>'), "noFileSizeChangePollCount"),
        (samples.monitor("<queueNotEmpty/>"), "triggerCondition.type: of a directory"),
        (
            samples.monitor(r'<fileMatch><pattern type="regex">\p{Alpha}+</pattern></fileMatch>'),
            "no regular expression",
        ),
        (samples.monitor().replace('key="suffix"', 'key=""'), "defaultVariables"),
        (samples.monitor().replace("QUAY", "QU AY"), "there is no agent QU AY"),
        (samples.monitor().replace('agent="QUAY"', 'agent="CLIENT"'), "there is no agent CLIENT"),
    ],
)
def test_a_monitor_that_the_hub_would_refuse_is_left_out_and_named(checked, document, reason):
    """One such monitor would keep the whole hub from starting."""
    section, notes = checked(document, samples.monitor(name="good"))
    assert [one["name"] for one in section["monitors"]] == ["GOOD"]
    (line,) = [line for line in notes.splitlines() if "is not carried over: the hub would refuse" in line]
    assert reason in line
    assert "d0.xml: monitor" in line


def test_queue_managers_that_no_definition_tells_are_written_into_transfers_as_well(checked):
    """A transfer names the queue manager of an agent as the agent does; a monitor's own agent is declared."""
    source = '<sourceAgent agent="QUAY" QMgr="QMHARBOUR"/>'
    one = samples.monitor().replace(source, '<sourceAgent agent="QUAY"/>')
    two = samples.monitor(name="two").replace("<agent>QUAY</agent>", "<agent>CRANE</agent>")
    section, notes = checked(one, two)
    named = [each["transferDefinition"]["sourceAgent"]["qmgrName"] for each in section["monitors"]]
    assert named == ["QMHARBOUR", "QMHARBOUR"]
    assert section["agents"]["CRANE"]["qmgr"] == "UNKNOWN"
    assert notes.splitlines() == ["crossdock: agent CRANE: no queue manager is named; UNKNOWN is written"]


def test_agents_whose_names_differ_in_signs_alone_have_folders_of_their_own(checked):
    """Two agents over one folder would move each other's files."""
    found = [samples.monitor(name=f"w{number}").replace("QUAY", name) for number, name in enumerate(NAMES)]
    section, _ = checked(*found)
    roots = [section["agents"][name]["root"] for name in NAMES]
    assert roots == ["file:agents/A_B", "file:agents/A_B-2", "file:agents/A_B-3"]


@pytest.mark.parametrize(
    ("condition", "shown"),
    [
        (
            '<pattern>data*.c?v</pattern><exclude type="regex">.*tmp</exclude>',
            (r"data.*\.c.v", ".*tmp"),
        ),
        ('<pattern>*</pattern><exclude type="regex">b+</exclude>', (r"(?!\.).*", "b+")),
        ('<pattern type="regex">a+</pattern><exclude>*.tmp</exclude>', ("a+", r".*\.tmp")),
        ('<pattern>.x*</pattern><exclude type="regex">b+</exclude>', (r"\.x.*", "b+")),
    ],
)
def test_a_wildcard_beside_a_regular_expression_becomes_one(checked, condition, shown):
    """A monitor of the hub has patterns of one kind; as an expression `data*` would match other names."""
    section, notes = checked(samples.monitor(f"<fileMatch>{condition}</fileMatch>"))
    trigger = section["monitors"][0]["triggerCondition"]
    assert (trigger["includePattern"], trigger["excludePattern"], trigger["matchPattern"]) == (*shown, "regex")
    assert notes == ""


@pytest.mark.parametrize(
    ("written", "time", "base", "noted"),
    [
        ("2031-05-04T21:00Z", "2031-05-04T21:00", "utc", ""),
        ("2031-05-04T21:00+0000", "2031-05-04T21:00", "utc", ""),
        ("2031-05-04T21:00:00-03:00", "2031-05-05T00:00", "utc", "distance from UTC"),
        ("2031-05-04T21:00", "2031-05-04T21:00", "source", ""),
        ("2031-05-04T21:00 CET", None, None, "it has no time"),
    ],
)
def test_a_time_with_its_distance_from_utc_is_carried_over_as_that_instant(checked, written, time, base, noted):
    """Such a time would count in the zone of the hub or of the agent, hours beside what was meant, without a word."""
    document = samples.REQUEST.replace(' timezone="Europe/Amsterdam"', "").replace("2031-05-04T21:00", written)
    document = document.replace("<expireCount>9</expireCount>", "<expireTime>2032-05-04T21:00</expireTime>")
    section, notes = checked(document)
    planned = section["transfers"][0].get("scheduleTransfer", {})
    assert (planned.get("startTime"), planned.get("timeBase")) == (time, base)
    if time is not None:
        assert planned["endTime"] == time.replace("2031", "2032")
    assert noted in notes
    assert bool(noted) == bool(notes)
