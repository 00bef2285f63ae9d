import random
from typing import NamedTuple

import pytest

from mft_common import identity
from mft_common.errors import IdentityError
from mft_common.identity import MAX_SIGNED, Identity, Signer

SAMPLE = Identity(request_id="r", address="127.0.0.1", account="part1", grant={"contract": "std"}, mechanism="form")
NewerIdentity = NamedTuple("NewerIdentity", [*Identity.__annotations__.items(), ("tenant", str)])
OlderIdentity = NamedTuple("OlderIdentity", list(Identity.__annotations__.items())[:5])


def test_a_signed_identity_comes_back_whole():
    """Every field survives the way over the network."""
    signer = Signer(["k1"])
    whole = Identity("r", "a", "https", "https://b", "n", "Ünö", {"g": [1]}, 2, "s", "l", "basic", "stale", 3, "t")
    for each in (SAMPLE, whole, Identity()):
        assert signer.loads(signer.dumps(each, "filestore-svc"), "filestore-svc") == each


def test_an_identity_is_good_for_one_service():
    """An identity made for one service opens no other."""
    signer = Signer(["k1"])
    with pytest.raises(IdentityError):
        signer.loads(signer.dumps(SAMPLE, "filestore-svc"), "diplomat-svc")


def test_a_newer_gateway_is_understood():
    """A field that this version does not know is ignored, wherever it stands."""
    signer = Signer(["k1"])
    assert signer.loads(signer.dumps(NewerIdentity(*SAMPLE, tenant="north"), "s"), "s") == SAMPLE


def test_an_older_gateway_is_understood():
    """A field that the gateway does not know has its default."""
    signer = Signer(["k1"])
    older = OlderIdentity("r", "192.0.2.1", "https", "https://hub", "part1")
    assert signer.loads(signer.dumps(older, "s"), "s") == Identity(*older)


def test_a_large_grant_stays_behind():
    """A grant of 1,500 topics leaves a header that every server takes, and a mark that it is missing."""
    large = SAMPLE._replace(grant={"topics": [f"SYSTEM.FTE/{number}" for number in range(1500)]}, revision=7)
    signer = Signer(["k1"])
    text = signer.dumps(large, "mqmft-svc")
    assert len(text) <= MAX_SIGNED
    assert signer.loads(text, "mqmft-svc") == SAMPLE._replace(grant=None, revision=7, grant_omitted=True)


def test_no_identity_is_larger_than_a_header():
    """The longest names, labels and addresses that the hub takes fit, in whatever letters."""
    source = random.Random(1)

    def text(length):
        return "".join(chr(source.randrange(0x10000, 0x10FFFF)) for _ in range(length))

    worst = Identity(
        request_id="r" * 128,
        address="x" * 64,
        base_url="https://" + "b" * 300,
        account=text(255),
        contact=text(1024),
        label=text(1024),
        grant={"topics": [text(1024)] * 9},
        session="s" * 36,
    )
    signer = Signer(["k1"])
    signed = signer.dumps(worst, "s")
    assert len(signed) <= MAX_SIGNED
    assert signer.loads(signed, "s").account == worst.account


def test_keys_can_be_rotated():
    """A service that knows both keys believes both; one that knows only the new one refuses the old."""
    old, both, new = Signer(["k1"]), Signer(["k1", "k2"]), Signer(["k2"])
    assert both.loads(old.dumps(SAMPLE, "s"), "s") == SAMPLE
    assert new.loads(both.dumps(SAMPLE, "s"), "s") == SAMPLE
    with pytest.raises(IdentityError):
        new.loads(old.dumps(SAMPLE, "s"), "s")


@pytest.mark.parametrize(
    ("before", "after"), [(["k1"], ["k2", "k1"]), (["k2", "k1"], ["k1", "k2"]), (["k1", "k2"], ["k2"])]
)
def test_a_key_is_changed_while_processes_are_replaced(before, after):
    """In each of the three steps of a change, replaced processes and those that wait for it believe each other."""
    for one, other in ((before, after), (after, before)):
        assert Signer(other).loads(Signer(one).dumps(SAMPLE, "s"), "s") == SAMPLE


def test_a_key_that_signs_before_it_is_known_everywhere_is_refused():
    """Appending a new key at once fails requests: a process that was not replaced yet does not know it."""
    with pytest.raises(IdentityError):
        Signer(["k1"]).loads(Signer(["k1", "k2"]).dumps(SAMPLE, "s"), "s")


@pytest.mark.parametrize("text", ["", ".", "a.b", "a.b.c", "é.x", "x" * 10_000])
def test_garbage_is_refused(text):
    """A text that the hub did not sign is refused, whatever it is."""
    with pytest.raises(IdentityError):
        Signer(["k1"]).loads(text, "s")


@pytest.mark.parametrize(("seconds", "taken"), [(120, False), (50, True), (-50, True), (-120, False)])
def test_an_identity_holds_for_a_minute(monkeypatch, seconds, taken):
    """A captured header is worth nothing after a minute; clocks may differ by as much, either way."""
    signer = Signer(["k1"])
    text = signer.dumps(SAMPLE, "s")
    now = identity.time.time()
    monkeypatch.setattr(identity.time, "time", lambda: now + seconds)
    if taken:
        assert signer.loads(text, "s") == SAMPLE
        return
    with pytest.raises(IdentityError, match="too old"):
        signer.loads(text, "s")


def test_an_empty_key_is_no_key():
    """A signer without a real key cannot be made."""
    for keys in ([], [""], ["k", ""]):
        with pytest.raises(ValueError, match="internal key"):
            Signer(keys)
