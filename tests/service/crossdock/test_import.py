import pytest
import yaml
from click.testing import CliRunner

from crossdock.command import main
from tests.unit.mqmft_svc import definition_samples as samples


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
    assert checked.stderr.splitlines() == ["ibm_mq_mft.transfers: has no effect yet"]


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
