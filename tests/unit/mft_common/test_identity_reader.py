import pytest

from mft_common import environ_keys
from mft_common.directory import Account
from mft_common.errors import IdentityError
from mft_common.identity import Identity, Signer
from mft_common.identity_reader import IdentityReader

SAMPLE = Identity(request_id="r", address="127.0.0.1", account="part1", grant={"contract": "std"}, mechanism="form")
LARGE = {"topics": [f"SYSTEM.FTE/{number}" for number in range(1500)]}
SIGNER = Signer(["k1"])


class Accounts:
    """A directory with one account, which counts its look-ups."""

    def __init__(self):
        self.account_now = Account(name="part1", contact="Partner", grant=LARGE, revision=7)
        self.asked = 0

    def account(self, service, name):
        """Return the account."""
        assert (service, name) == ("mqmft-svc", "part1")
        self.asked += 1
        return self.account_now


def signed(identity, signer=SIGNER, service="mqmft-svc"):
    """Return the environment of a request with a signed identity."""
    return {environ_keys.IDENTITY_HEADER: signer.dumps(identity, service)}


def test_the_gateway_of_this_process_hands_over_the_object():
    """An object in the environment is believed, because no request can put one there."""
    assert IdentityReader("s").read({environ_keys.IDENTITY: SAMPLE}) is SAMPLE


def test_a_service_without_its_gateway_refuses():
    """A missing header, a header of another key and a text under the object's key are refused."""
    forged = signed(SAMPLE._replace(account="system"), Signer(["other"]))
    for environ in ({}, forged, {environ_keys.IDENTITY: "part1"}):
        with pytest.raises(IdentityError):
            IdentityReader("mqmft-svc", SIGNER).read(environ)


def test_a_grant_too_large_for_the_header_is_read_from_the_gateway():
    """It is read once a revision, and the identity is whole again."""
    accounts = Accounts()
    reader = IdentityReader("mqmft-svc", SIGNER, accounts)
    large = SAMPLE._replace(grant=LARGE, contact="Partner", revision=7)
    assert [reader.read(signed(large)) for _ in range(3)] == [large] * 3
    assert accounts.asked == 1
    accounts.account_now = Account(name="part1", grant={"topics": []}, revision=8)
    changed = reader.read(signed(large._replace(revision=8)))
    assert (changed.grant, changed.revision, accounts.asked) == ({"topics": []}, 8, 2)


def test_an_account_removed_meanwhile_is_none():
    """A large grant of an account that is gone by now lets no request pass."""
    accounts = Accounts()
    accounts.account_now = None
    found = IdentityReader("mqmft-svc", SIGNER, accounts).read(signed(SAMPLE._replace(grant=LARGE, session="p")))
    assert (found.account, found.session, found.grant, found.reason) == (None, None, None, "stale")
