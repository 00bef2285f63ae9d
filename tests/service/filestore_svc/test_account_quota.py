"""S19: the quota of an account over all folders."""

import pytest

from filestore_svc import schemas
from filestore_svc.errors import NoSpace
from filestore_svc.store import quotas
from mft_common.config import Reader
from mft_common.errors import ConfigError
from tests.service.filestore_svc.filestore_lab import ALL, Lab, form, identity_of
from tests.service.filestore_svc.test_resumable_uploads import TUS, create, location, patch
from tests.service.filestore_svc.vendor_words import refused

ODD = "a/b é%"
KIND = "multipart/form-data; boundary=XbX"
FULL = (507, "Not enough space", "io")
MIB = 1 << 20


def _accounts(**quotas_of):
    return {name: {"grants": {"http_mft": {"contract": "std", "quota": size}}} for name, size in quotas_of.items()}


@pytest.fixture(name="lab")
def lab_(tmp_path):
    """Return a store where part1 has 3 MiB, an account with an odd name 1,000 bytes, and others no quota."""
    access = dict.fromkeys(("part1", "part2", ODD), ALL)
    folders = {"/in": {"access": access}, "/out": {"access": access}, "/tight": {"access": access, "quota": 500}}
    made = Lab(tmp_path, folders=folders)
    made.document |= {"accounts": _accounts(part1="3MiB", part2=None, **{ODD: 1000})}
    made.close()
    made.open()
    yield made
    made.close()


def put(lab, path, size, account="part1", **more):
    """Upload so many bytes."""
    return lab.call("PUT", f"/2.0/files{path}", account, data=form(b"x" * size), content_type=KIND, **more)


def used(lab):
    """Return the counted and the reserved bytes."""
    lab.service.recorder.flush()
    with lab.service.database.read() as connection:
        held = dict(connection.execute(quotas.quotas.select()).all())
        reserved = len(connection.execute(quotas.reservations.select()).all())
    return held, reserved


def test_it_can_be_used_to_its_last_byte(lab):
    """The bytes of all folders count together, those of another account do not."""
    assert put(lab, "/in/a", 2 * MIB).status_code == 201
    assert refused(put(lab, "/out/b", MIB + 1)) == FULL
    assert put(lab, "/out/b", MIB).status_code == 201
    assert refused(put(lab, "/in/c", 1)) == FULL
    assert put(lab, "/in/c", 4 * MIB, "part2").status_code == 201
    assert put(lab, "/in/d", 1000, ODD).status_code == 201
    assert put(lab, "/in/e", 1, ODD).status_code == 507
    assert used(lab) == ({"/tight": 0, "@part1": 3 * MIB, "@a%2Fb%20%C3%A9%25": 1000}, 0)


def test_deleted_and_replaced_bytes_are_given_back(lab):
    """They go back to the account that had stored them, whichever account deletes or replaces them."""
    put(lab, "/in/a", MIB)
    put(lab, "/in/b", MIB)
    assert put(lab, "/in/b", 1000).status_code == 201
    assert used(lab)[0]["@part1"] == MIB + 1000
    assert lab.call("DELETE", "/2.0/files/in/a", "part2").status_code == 200
    assert used(lab)[0]["@part1"] == 1000
    assert put(lab, "/in/b", 5, "part2").status_code == 201
    assert used(lab)[0]["@part1"] == 0
    assert put(lab, "/in/b", 7).status_code == 201
    assert used(lab)[0]["@part1"] == 7


def test_a_small_file_that_replaces_another(lab):
    """One that is no larger fits in the place of the account's own file, but not in that of another account."""
    put(lab, "/in/own", 1000, ODD)
    put(lab, "/in/other", 1000, "part2")
    whole = {"data": b"y" * 1000, "content_type": "text/plain"}
    assert put(lab, "/in/own", 1000, ODD).status_code == 201
    assert put(lab, "/in/other", 1000, ODD).status_code == 507
    lab.document["http_mft"] |= {"raw_put": True}
    lab.close()
    lab.open()
    assert lab.call("PUT", "/2.0/files/in/own", ODD, **whole).status_code == 201

    class Untouched:
        def read(self, *_size):
            raise AssertionError("the body was read")

    environ = {"wsgi.input": Untouched(), "CONTENT_LENGTH": "1000", "CONTENT_TYPE": "text/plain"}
    assert lab.call("PUT", "/2.0/files/in/other", ODD, environ=environ).status_code == 507
    assert lab.events("transfer.ended.v1")[-1]["state"] == "successful"


def test_beside_the_quota_of_a_folder(lab):
    """A file counts for both quotas, and the smaller one decides."""
    assert put(lab, "/tight/a", 501).status_code == 507
    assert put(lab, "/tight/a", 500).status_code == 201
    assert put(lab, "/tight/b", 1, ODD).status_code == 507
    assert used(lab) == ({"/tight": 500, "@part1": 500, "@a%2Fb%20%C3%A9%25": 0}, 0)


def test_bytes_in_flight_count(lab):
    """The account has the bytes that a running upload leaves, and all of them once it is cut."""
    body, seen = form(b"x" * (2 * MIB)), []

    class Slow:
        left = body[:-9]

        def read(self, size):
            if len(self.left) < 1000 and not seen:
                seen.append(used(lab))
                over = lab.service.configuration.limits.quotas_over("/out", "part1")
                with pytest.raises(NoSpace), lab.service.database.write() as connection:
                    quotas.take(connection, over, MIB + 500)
            block, self.left = self.left[:size], self.left[size:]
            return block

    environ = {"wsgi.input": Slow(), "CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": KIND}
    assert lab.call("PUT", "/2.0/files/in/a", environ=environ).status_code == 400
    assert (seen[0][0]["@part1"] >= 2 * MIB - 500, seen[0][1]) == (True, 2)
    assert used(lab) == ({"/tight": 0, "@part1": 0, "@a%2Fb%20%C3%A9%25": 0}, 0)


def test_a_resumable_upload_reserves_its_length(lab):
    """The length is reserved at its creation, released when it is ended, and counted once when it is complete."""
    assert refused(create(lab, length=3 * MIB + 1)) == FULL
    where = location(lab, length=3 * MIB)
    assert used(lab)[0]["@part1"] == 3 * MIB
    assert put(lab, "/in/b", 1).status_code == 507
    assert lab.call("DELETE", where, headers=TUS).status_code == 204
    assert used(lab)[0]["@part1"] == 0
    where = location(lab, "/tight/a", length=10)
    patch(lab, where, 0, b"0123456789")
    assert used(lab) == ({"/tight": 10, "@part1": 10, "@a%2Fb%20%C3%A9%25": 0}, 0)


def test_files_of_the_hub_itself_count_for_no_account(lab):
    """The internal interface stores for `system`, which has no quota."""
    who = identity_of("system", mechanism="none")
    assert lab.store("/in/a", b"x" * (4 * MIB), who).status_code == 201
    assert used(lab)[0]["@part1"] == 0


def test_a_new_quota_counts_what_is_stored(lab):
    """Files from before count; an account that loses its quota is not counted until it has one again."""
    put(lab, "/in/a", 700, "part2")
    put(lab, "/out/a", 100, "part2")
    put(lab, "/in/mine", 50)
    for accounts, counted in (
        (_accounts(part2=1000), {"@part2": 800}),
        ({}, {}),
        (_accounts(part1=10, part2=1000), {"@part1": 50, "@part2": 800}),
    ):
        lab.document["accounts"] = accounts
        lab.close()
        lab.open()
        assert used(lab)[0] == {"/tight": 0, **counted}
    assert put(lab, "/in/b", 201, "part2").status_code == 507
    assert put(lab, "/in/b", 200, "part2").status_code == 201


def test_reservations_of_dead_processes(lab):
    """The next sweep releases them for account and folder."""
    over = lab.service.configuration.limits.quotas_over("/tight", "part1")
    lab.service.uploads.commits.run(
        lambda connection: quotas.reserve(connection, "x", "/tight", over, size=400, process="0" * 32, lease_until=0)
    )
    assert used(lab)[0]["@part1"] == used(lab)[0]["/tight"] == 400
    lab.service.uploads.quotas.release_dead()
    assert used(lab) == ({"/tight": 0, "@part1": 0, "@a%2Fb%20%C3%A9%25": 0}, 0)


def test_both_readers_of_the_grant_agree():
    """The gateway accepts the key as well, and both reject a value that is no size in the same words."""
    from gateway.schemas.accounts import read_accounts

    for size in ("10GiB", 5, None):
        reader = Reader(None, {"P": "right"})
        accounts = {"a": {"password": {"env": "P"}, "grants": {"http_mft": {"contract": "std", "quota": size}}}}
        assert read_accounts(accounts, reader)
        assert reader.problems == []
        section = {"contracts": {"std": {}}}
        found = schemas.read_sections({"accounts": accounts, "http_mft": section}, reader).limits.accounts
        assert found == ({} if size is None else {"a": 10 << 30 if size == "10GiB" else size})
    accounts["a"]["grants"]["http_mft"]["quota"] = "much"
    read_accounts(accounts, reader)
    with pytest.raises(ConfigError) as caught:
        schemas.read_sections({"accounts": accounts, "http_mft": section}, reader)
    assert caught.value.problems == reader.problems
    assert caught.value.problems[0].startswith("accounts.a.grants.http_mft.quota: ")
