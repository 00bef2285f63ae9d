"""The families of functions: together they are the protocol's functions, each in one family."""

from collections import Counter

from sertainty_svc.domain.functions import FUNCTIONS
from sertainty_svc.operations import Operations
from sertainty_svc.operations.context import Context


def test_every_function_of_the_protocol_belongs_to_exactly_one_family():
    """A function that no family has would end in a fault of ours; `hostOpenSession` is called before the checks."""
    operations = Operations(Context(None, None, None, None), None)
    counted = Counter(name for family in operations.families for name in family.functions)
    assert counted == Counter(function.name for function in FUNCTIONS if function.name != "hostOpenSession")
    assert operations.functions.keys() == counted.keys()
