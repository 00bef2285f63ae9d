from dataclasses import dataclass

import pytest

from mft_common import settings
from mft_common.settings import SettingsError, setting


@dataclass(frozen=True, kw_only=True)
class Sample:
    port: int = setting("SAMPLE_PORT", settings.integer, 8080)
    key: str = setting("SAMPLE_KEY", secret=True, doc="signs things")
    idle: float = setting("SAMPLE_IDLE", settings.duration, 30.0)
    on: bool = setting("SAMPLE_ON", settings.boolean, default=True)
    mode: str = setting("SAMPLE_MODE", settings.choice("a", "b"), "a")


def test_defaults_and_values_are_typed():
    """Variables that are set are parsed, the others have their defaults."""
    made = settings.from_env(Sample, {"SAMPLE_KEY": "k", "SAMPLE_PORT": "1", "SAMPLE_ON": "off", "SAMPLE_IDLE": "5m"})
    assert made == Sample(port=1, key="k", idle=300.0, on=False, mode="a")


def test_every_problem_is_reported_at_once():
    """One error names every variable that is missing or malformed."""
    with pytest.raises(SettingsError) as caught:
        settings.from_env(Sample, {"SAMPLE_PORT": "1.5", "SAMPLE_ON": "perhaps", "SAMPLE_MODE": "c"})
    assert [problem.split(":")[0].split(" ")[0] for problem in caught.value.problems] == [
        "SAMPLE_PORT",
        "SAMPLE_KEY",
        "SAMPLE_ON",
        "SAMPLE_MODE",
    ]


def test_a_secret_is_in_no_message_and_no_repr():
    """Neither the representation nor an error shows a secret's value."""
    assert "hush" not in repr(settings.from_env(Sample, {"SAMPLE_KEY": "hush"}))
    with pytest.raises(TypeError, match="no default"):
        setting("SAMPLE_OTHER", default="hush", secret=True)


def test_a_value_may_come_from_a_file(tmp_path):
    """NAME_FILE names a file with the value, its last newline left out; NAME itself wins."""
    path = tmp_path / "key"
    path.write_text("from-file\n")
    assert settings.from_env(Sample, {"SAMPLE_KEY_FILE": str(path)}).key == "from-file"
    assert settings.from_env(Sample, {"SAMPLE_KEY_FILE": str(path), "SAMPLE_KEY": "x"}).key == "x"


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path):
    """A missing file is an error that names it."""
    with pytest.raises(SettingsError, match="SAMPLE_KEY_FILE"):
        settings.from_env(Sample, {"SAMPLE_KEY_FILE": str(tmp_path / "nothing")})


@pytest.mark.parametrize(
    ("text", "seconds"), [("10s", 10.0), ("250ms", 0.25), ("2h", 7200.0), ("90d", 7_776_000.0), ("7", 7.0)]
)
def test_durations(text, seconds):
    """Durations are read with their units."""
    assert settings.duration(text) == seconds


@pytest.mark.parametrize(("text", "number"), [("8MiB", 8 << 20), ("256KiB", 256 << 10), ("5", 5), ("1TiB", 1 << 40)])
def test_sizes(text, number):
    """Sizes are read with their units."""
    assert settings.size(text) == number


@pytest.mark.parametrize("text", ["", "10 s", "-1s", "1w", "ten"])
def test_bad_durations(text):
    """A text that is no duration is refused."""
    with pytest.raises(ValueError, match="no duration"):
        settings.duration(text)


@pytest.mark.parametrize("text", ["36526d", "999999999999999d", "9" * 400])
def test_durations_beyond_a_hundred_years_are_refused(text):
    """As milliseconds they are no number that a database holds, and the end of a wait that no clock reaches."""
    assert settings.duration("36525d") == 36_525 * 86_400
    with pytest.raises(ValueError, match="longer than 36525d"):
        settings.duration(text)


@pytest.mark.parametrize("text", ["8388608TiB", "9223372036854775808", "9" * 400])
def test_sizes_beyond_every_file_are_refused(text):
    """Databases hold sizes below 8 EiB."""
    assert settings.size("9223372036854775807") == (1 << 63) - 1
    with pytest.raises(ValueError, match="8 EiB or more"):
        settings.size(text)


def test_csv_drops_blanks():
    """A list loses blanks and empty names."""
    assert settings.csv(" a, b ,,c ") == ("a", "b", "c")
    assert settings.csv("") == ()
