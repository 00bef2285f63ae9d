"""The body of a monitor: types, names, values, patterns (1.L)."""

import pytest

from mqmft_svc.errors import BodyInvalid, MonitorNameInvalid
from mqmft_svc.schemas.monitor_bodies import read_monitor
from tests.servers.monitor_bodies import body


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"name": 7}, "name"),
        ({"type": "folder"}, "type"),
        ({"type": "queue"}, "triggerCondition.type"),
        ({"agentName": None}, "agentName"),
        ({"resource": None}, "resource"),
        ({"resource__name": ""}, "resource.name"),
        ({"resource__name": "in/../../x"}, "resource.name"),
        ({"resource__recursionLevel": -1}, "resource.recursionLevel"),
        ({"general__pollInterval": 0}, "general.pollInterval"),
        ({"general__pollInterval": 1.0}, "general.pollInterval"),
        ({"general__pollIntervalUnit": "weeks"}, "general.pollIntervalUnit"),
        ({"general__matchesPerTask": 0}, "general.matchesPerTask"),
        ({"general__speed": 1}, "general.speed"),
        ({"triggerCondition": None}, "triggerCondition"),
        ({"triggerCondition": []}, "triggerCondition"),
        ({"triggerCondition__type": "queueNotEmpty"}, "triggerCondition.type"),
        ({"triggerCondition__type": "sizeGreaterOrEqualTo"}, "triggerCondition.fileSize"),
        ({"triggerCondition__fileSizeUnit": "TB"}, "triggerCondition.fileSizeUnit"),
        ({"triggerCondition__matchPattern": "glob"}, "triggerCondition.matchPattern"),
        ({"triggerCondition__includePattern": "a" * 300}, "triggerCondition.includePattern"),
        ({"transferDefinition": None}, "transferDefinition"),
        ({"transferDefinition": "x"}, "transferDefinition"),
        ({"transferDefinition__scheduleTransfer": {}}, "transferDefinition.scheduleTransfer"),
        ({"transferDefinition__transferSet__item": []}, "transferDefinition.transferSet.item"),
        (
            {"transferDefinition__transferSet__item__0__source__type": "${kind}"},
            "transferDefinition.transferSet.item[0].source.type",
        ),
        ({"defaultVariables": {"a": 1}}, "defaultVariables.a"),
        ({"defaultVariables": {"a}": "1"}}, "defaultVariables"),
        ({"triggerFileContentFormat": {"groupOrder": "x"}}, "triggerFileContentFormat"),
        ({"overwrite": True}, "overwrite"),
    ],
)
def test_186_a_body_that_is_wrong_is_refused_by_the_path_of_its_attribute(changes, name):
    """Item 186: types exactly, names that exist, values of the protocol."""
    with pytest.raises(BodyInvalid) as raised:
        read_monitor(body(**changes), "me")
    assert raised.value.words["name"] == name


@pytest.mark.parametrize("name", ["a*b", "a/b", "a" * 257, "a\nb", "50%"])
def test_186_a_name_has_no_asterisk(name):
    """Item 186: nor anything that a path or a line cannot hold."""
    with pytest.raises(MonitorNameInvalid):
        read_monitor(body(name), "me")


@pytest.mark.parametrize(
    "pattern", ["(", "*", "[z-a]", "(?i)a", "(?s:a)", "(?-i:a)", "\\", "(?P<n>a)(?P<n>b)", "(" * 200]
)
def test_186_what_is_no_regular_expression_is_refused(pattern):
    """Item 186: flags among them, because compiling for both cases takes a time that a short pattern does not bound."""
    with pytest.raises(BodyInvalid) as raised:
        read_monitor(body(triggerCondition=_regex(pattern)), "me")
    assert raised.value.words["name"] == "triggerCondition.excludePattern"
    read_monitor(body(triggerCondition={**_regex(pattern), "matchPattern": "wildcard"}), "me")


@pytest.mark.parametrize("pattern", ["a{2", r"\(?i", "(?:a)", "(?=a)(?!b)(?<=c)", "(?P<n>a)(?P=n)", "a++(?>b)"])
def test_186_a_regular_expression_may_have_all_but_flags(pattern):
    """Item 186: a worker matches it, within a limit."""
    monitor, _ = read_monitor(body(triggerCondition=_regex(pattern)), "me")
    assert (monitor.condition.exclude, monitor.condition.match) == (pattern, "regex")


def _regex(pattern):
    return {"type": "matchAll", "excludePattern": pattern, "matchPattern": "regex"}


def test_186_what_a_monitor_does_is_read_from_its_body():
    """Item 186: intervals in seconds, sizes in bytes."""
    given = body(
        general={"pollInterval": 2, "pollIntervalUnit": "hours", "matchesPerTask": 3},
        resource__recursionLevel=4,
        triggerCondition={"type": "sizeGreaterOrEqualTo", "fileSize": 5, "fileSizeUnit": "KB"},
    )
    monitor, _ = read_monitor(given, "me")
    assert (monitor.interval_s, monitor.matches, monitor.depth, monitor.condition.size) == (7200, 3, 4, 5120)
    assert (monitor.account, monitor.condition.polls) == ("me", 0)


def test_188_a_definition_is_checked_with_its_variables_replaced():
    """Item 188: the values of its own variables count; one that is not known is looked at when it is needed."""
    given = body(
        defaultVariables={"Kind": "directory", "mode": "text"},
        transferDefinition__transferSet__item__0__destination__type="${kind}",
        transferDefinition__transferSet__item__0__mode="${MODE}",
        transferDefinition__job={"name": "${unknown{token=9}{separator=x}}"},
    )
    _, example = read_monitor(given, "me")
    assert (example.items[0].destination.type, example.items[0].mode) == ("directory", "text")
