import pytest

from mft_common import environ_keys, identity
from mft_common.errors import IdentityError
from mft_common.identity import Identity, Signer

SAMPLE = Identity(request_id="r", address="127.0.0.1", account="part1", grant={"contract": "std"}, mechanism="form")


def test_a_signed_identity_comes_back_whole():
    """Every field survives the way over the network."""
    signer = Signer(["k1"])
    assert signer.loads(signer.dumps(SAMPLE, "filestore-svc"), "filestore-svc") == SAMPLE


def test_an_identity_is_good_for_one_service():
    """An identity made for one service opens no other."""
    signer = Signer(["k1"])
    with pytest.raises(IdentityError):
        signer.loads(signer.dumps(SAMPLE, "filestore-svc"), "diplomat-svc")


def test_keys_can_be_rotated():
    """A service that knows both keys believes both; one that knows only the new one refuses the old."""
    old, both, new = Signer(["k1"]), Signer(["k1", "k2"]), Signer(["k2"])
    assert both.loads(old.dumps(SAMPLE, "s"), "s") == SAMPLE
    assert new.loads(both.dumps(SAMPLE, "s"), "s") == SAMPLE
    with pytest.raises(IdentityError):
        new.loads(old.dumps(SAMPLE, "s"), "s")


@pytest.mark.parametrize("text", ["", ".", "a.b", "é.x", "x" * 10_000])
def test_garbage_is_refused(text):
    """Anything that was not signed is refused, whatever it is."""
    with pytest.raises(IdentityError):
        Signer(["k1"]).loads(text, "s")


def test_an_old_identity_is_refused(monkeypatch):
    """After a minute a captured header is worth nothing."""
    signer = Signer(["k1"])
    text = signer.dumps(SAMPLE, "s")
    now = identity.time.time()
    monkeypatch.setattr(identity.time, "time", lambda: now + 120)
    with pytest.raises(IdentityError, match="too old"):
        signer.loads(text, "s")


def test_the_gateway_of_this_process_hands_over_the_object():
    """An object in the environment is believed, because no request can put one there."""
    assert identity.from_environ({environ_keys.IDENTITY: SAMPLE}, None, "s") is SAMPLE


def test_a_service_without_its_gateway_refuses():
    """No header, a header of nobody's and a text under the object's key are all refused."""
    signer = Signer(["k1"])
    forged = Signer(["other"]).dumps(SAMPLE._replace(account="system"), "s")
    for environ in ({}, {environ_keys.IDENTITY_HEADER: forged}, {environ_keys.IDENTITY: "part1"}):
        with pytest.raises(IdentityError):
            identity.from_environ(environ, signer, "s")


def test_an_empty_key_is_no_key():
    """A signer without a real key cannot be made."""
    for keys in ([], [""], ["k", ""]):
        with pytest.raises(ValueError, match="internal key"):
            Signer(keys)
