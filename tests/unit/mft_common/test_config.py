import marshmallow
import pytest

from mft_common import config
from mft_common.errors import ConfigError


def reader(tmp_path, *, demo=False):
    return config.Reader(folder=tmp_path, environ={"NAME": "from env"}, demo=demo)


def test_secrets_come_from_environment_and_files(tmp_path):
    """A reference is followed, a file's last newline left out."""
    (tmp_path / "secret").write_text("from file\n")
    made = reader(tmp_path)
    assert made.secret({"env": "NAME"}, "a") == "from env"
    assert made.secret({"file": "secret"}, "b") == "from file"
    made.check()


def test_a_secret_in_clear_is_refused_and_never_shown(tmp_path):
    """Plain text is no secret reference, and the message does not repeat it."""
    made = reader(tmp_path)
    made.secret("hunter2", "accounts.a.password")
    made.secret({"demo": "hunter2"}, "accounts.b.password")
    with pytest.raises(ConfigError) as caught:
        made.check()
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "accounts.a.password",
        "accounts.b.password",
    ]
    assert "hunter2" not in str(caught.value)


def test_the_demo_may_hold_secrets_in_clear(tmp_path):
    """The built-in demo's passwords are published anyway."""
    assert reader(tmp_path, demo=True).secret({"demo": "partner1"}, "a") == "partner1"


def test_missing_references_are_all_named(tmp_path):
    """Each missing variable and file is one problem with its path."""
    made = reader(tmp_path)
    made.secret({"env": "NOTHING"}, "a")
    made.secret({"file": "nothing"}, "b")
    assert [problem.split(":")[0] for problem in made.problems] == ["a", "b"]


@pytest.mark.parametrize("text", ["a: [", "- list", "unknown: {}", "accounts: {a: 1, a: 2}", "1: {}", "? [a]\n: b"])
def test_what_is_no_configuration_is_refused(text):
    """Broken YAML, another root, an unknown section and a key given twice are errors."""
    with pytest.raises(ConfigError):
        config.parse(text, "crossdock.yaml", {"accounts": dict})


def test_a_key_is_text_also_where_yaml_knows_a_boolean_of_that_name():
    """`on` of a rule and an account named `no` need no quotes, values stay booleans, and a key given twice is seen."""
    found = config.parse("accounts: {on: [x], no: on, 'yes': false}", "crossdock.yaml", {"accounts": dict})
    assert found == {"accounts": {"on": ["x"], "no": True, "yes": False}}
    with pytest.raises(ConfigError, match="the key 'on' is given twice"):
        config.parse("accounts: {on: 1, 'on': 2}", "crossdock.yaml", {"accounts": dict})


@pytest.mark.parametrize("name", ["diplomats", "transaction", "diplomat "])
def test_a_service_of_its_own_passes_over_other_sections_and_refuses_a_misspelt_one(name):
    """It does not know the other services' sections; one that looks like its own would be lost in silence."""
    sections = {"diplomat": dict, "transactions": list}
    text = "data_protector: {}\ndiplomat: {}\n"
    assert config.parse(text, "crossdock.yaml", sections, whole=False)["diplomat"] == {}
    with pytest.raises(ConfigError, match=r"no such section; is (diplomat|transactions) meant"):
        config.parse(f"'{name}': {{}}", "crossdock.yaml", sections, whole=False)
    with pytest.raises(ConfigError, match="data_protector: no such section"):
        config.parse(text, "crossdock.yaml", sections)


def test_an_empty_file_is_an_empty_configuration():
    """A file without sections has no problems."""
    assert config.parse("", "crossdock.yaml", {}) == {}


def test_problems_of_names_every_path():
    """Nested messages become one line each, with the path in front."""

    class Inner(marshmallow.Schema):
        idle = config.Duration()
        size = config.Size()
        rate = config.Rate()

    class Outer(marshmallow.Schema):
        inner = marshmallow.fields.Nested(Inner)

    with pytest.raises(marshmallow.ValidationError) as caught:
        Outer().load({"inner": {"idle": 5, "size": "x", "rate": "5", "more": 1}})
    paths = {problem.split(":")[0] for problem in config.problems_of(caught.value, "top")}
    assert paths == {"top.inner.idle", "top.inner.size", "top.inner.rate", "top.inner.more"}
    assert Inner().load({"idle": "5m", "size": "1KiB", "rate": "10MiB/s"}) == {
        "idle": 300.0,
        "size": 1024,
        "rate": 10 << 20,
    }
