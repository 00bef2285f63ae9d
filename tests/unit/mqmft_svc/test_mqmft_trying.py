"""The end of a managed transfer after the last error of an endpoint."""

import threading

import pytest

from mft_common.endpoints.errors import Denied, TransferError, Transient
from mft_common.endpoints.one_commit import taken, unanswered
from mqmft_svc.operations.managed.problems import Away
from mqmft_svc.operations.managed.trying import Trying


@pytest.mark.parametrize("error", [Transient("f: no answer"), unanswered("f")])
def test_225_a_far_side_that_does_not_answer_is_recovered_from(error):
    """Item 225: another run looks for the file, also where this one could not find out whether it was delivered."""
    with pytest.raises(Away):
        Trying(threading.Event(), 0, recover=True).give_up(error)
    Trying(threading.Event(), 0, recover=False).give_up(error)


@pytest.mark.parametrize("error", [Denied("f: refused"), taken("f"), TransferError("f: broken")])
def test_225_an_answer_is_final(error):
    """Item 225: the file fails with the error, and its transfer goes on."""
    Trying(threading.Event(), 0, recover=True).give_up(error)
