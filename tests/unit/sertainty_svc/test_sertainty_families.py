"""The families of functions: together they are the protocol's functions, each in one family."""

from collections import Counter

from sertainty_svc.domain import FUNCTIONS
from sertainty_svc.operations import Operations, configurations, ids, scripts, tasks, templates


def test_every_function_of_the_protocol_belongs_to_exactly_one_family():
    """A function that no family has would end in a fault of ours; `hostOpenSession` is called before the checks."""
    operations = Operations(database=None, directory=None)
    families = [operations.agent.functions, operations.sessions.functions]
    families += [one.FUNCTIONS for one in (configurations, ids, scripts, tasks, templates)]
    counted = Counter(name for family in families for name in family)
    assert counted == Counter(function.name for function in FUNCTIONS if function.name != "hostOpenSession")
    assert operations.functions.keys() == counted.keys()
