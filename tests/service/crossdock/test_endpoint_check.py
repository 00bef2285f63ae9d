"""`crossdock endpoint list|check`: what they print, and their exit codes."""

import json
from dataclasses import fields

import pytest
from click.testing import CliRunner

from crossdock.command import main
from crossdock.endpoint_check import _COSTS, _MEANINGS
from mft_common.endpoints.contract import Features
from mft_common.endpoints.targets import NETWORK
from tests.servers.nginx import Nginx
from tests.servers.processes import free_port


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder, with a configuration of four endpoints."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data" / "in").mkdir(parents=True)
    (tmp_path / "crossdock.yaml").write_text(
        "endpoints:\n"
        "  inbox: {url: 'file:in'}\n"
        "  gone: {url: 'file:gone'}\n"
        "  bank: {url: 'ftps://teller@bank.example:990/in', password: {env: BANK_PASSWORD}}\n"
        "  wrong: {url: 'gopher://x'}\n"
    )
    return tmp_path


def run(*arguments, env=None):
    return CliRunner(env=env).invoke(main, ["endpoint", *arguments])


def test_the_list_names_kind_and_place_and_no_user(here):
    """Secrets are not looked up, and a URL that cannot be read says why."""
    result = run("list")
    assert result.exit_code == 0
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert rows[:3] == [
        ["inbox", "file", "file:in"],
        ["gone", "file", "file:gone"],
        ["bank", "ftps", "ftps://bank.example:990/in"],
    ]
    assert rows[3][:2] == ["wrong", "?"]
    found = json.loads(run("list", "--format", "json").stdout)
    assert found[2] == {"name": "bank", "kind": "ftps", "url": "ftps://bank.example:990/in"}


def test_a_check_says_what_the_far_side_can_do_and_lists_the_folder(here):
    """Each feature has a sentence, and names are shown without control characters."""
    for name in ("a.txt", "b\x1b.txt"):
        (here / "data" / "in" / name).write_bytes(b"x")
    result = run("check", "inbox")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "endpoint:inbox: file:in"
    assert "  yes atomic_replace     a file is replaced in one step" in lines
    assert "  2 file(s) in the folder:" in lines
    assert sorted(lines[-2:]) == ["    a.txt", "    b\ufffd.txt"]
    made = json.loads(run("check", "inbox", "--format", "json").stdout)
    assert (made["exit_code"], made["problem"], sorted(made["files"])) == (0, "", ["a.txt", "b\ufffd.txt"])
    assert made["features"]["atomic_replace"] is True


def test_an_endpoint_that_cannot_be_used_is_exit_code_1(here):
    """The reason is the engine's own."""
    result = run("check", "gone")
    assert result.exit_code == 1
    assert "problem: gone: the folder does not exist" in result.stdout
    assert json.loads(run("check", "gone", "--format", "json").stdout)["exit_code"] == 1


@pytest.mark.parametrize("name", ["nowhere", "wrong", "bank", "gopher://x"])
def test_what_is_not_configured_is_exit_code_2(here, name):
    """An unknown name, a URL of no kind, and a secret that is missing."""
    result = run("check", name)
    assert result.exit_code == 2
    assert result.stderr


def test_a_url_can_be_checked_without_a_configuration(here):
    """A path of any folder that the user can reach."""
    (here / "crossdock.yaml").unlink()
    result = run("check", f"file:{here}")
    assert result.exit_code == 0, result.output
    assert "  1 file(s)" not in result.stdout
    assert "  0 file(s) in the folder" in result.stdout


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_query_of_a_url_is_not_shown(here, form):
    """The query may hold a secret, and what the command prints is kept by those who run it for others."""
    url = f"http://127.0.0.1:{free_port()}/d"
    result = run("check", f"{url}?sig=hidden", "--format", form)
    assert (result.exit_code, "hidden" in result.output) == (1, False)
    assert url in result.stdout


def test_each_feature_of_an_endpoint_is_explained():
    """A feature that is added later gets its sentence here."""
    assert {field.name for field in fields(Features)} == {*_MEANINGS, "checksums", "at_once"}


def test_a_web_server_is_asked_before_it_is_called_connected(here, tmp_path_factory):
    """A wrong password and a server that is gone are problems; what an answer lacks has sentences of its own."""
    server = Nginx(tmp_path_factory.mktemp("web"), user="joe:right")
    try:
        url = server.url.replace("http://", "http://joe@")
        (here / "crossdock.yaml").write_text(f"endpoints:\n  web: {{url: '{url}/in', password: {{env: WEB}}}}\n")
        fine = run("check", "web", env={"WEB": "right"})
        assert fine.exit_code == 0, fine.output
        assert "  no  visible_at_commit  the server decides whether an unfinished file can be seen" in fine.stdout
        assert "reads the file back" not in fine.stdout
        wrong = run("check", "web", env={"WEB": "wrong"})
        assert wrong.exit_code == 1
        assert wrong.stdout.splitlines()[1:] == ["  problem: the server answers 401"]
    finally:
        server.program.kill()
    gone = run("check", "web", env={"WEB": "right"})
    assert gone.exit_code == 1
    assert "connected" not in gone.stdout
    assert "the server does not answer" in gone.stdout


def test_the_sentences_of_single_kinds_are_about_features_that_exist():
    """A renamed feature leaves no sentence behind."""
    for kind, sentences in _COSTS.items():
        assert kind in NETWORK
        assert set(sentences) <= {*_MEANINGS, "checksums"}


def test_a_folder_below_the_login_is_listed_as_it_is_written(here):
    """`/~/in` is another folder than `/in`."""
    (here / "crossdock.yaml").write_text("endpoints:\n  bank: {url: 'ftps://teller@bank.example/~/in'}\n")
    assert run("list").stdout == "bank\tftps\tftps://bank.example/~/in\n"
