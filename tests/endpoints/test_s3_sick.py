"""S3 stores that keep framing, lose answers, leave parts, lie about sizes, and fall silent; uploads that are killed."""

import contextlib
import hashlib
import os
import random
import signal
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import boto3
import pytest

from crossdock import certificate
from mft_common.endpoints.contract import Checkpoint, Entry
from mft_common.endpoints.errors import (
    AuthenticationFailed,
    BadName,
    Changed,
    Denied,
    DiskFull,
    Exists,
    Mismatch,
    OutcomeUnknown,
    Transient,
    UntrustedServer,
)
from mft_common.endpoints.files import open_file
from mft_common.endpoints.folders import LocalFolders
from mft_common.endpoints.s3 import S3Endpoint, open_s3
from mft_common.endpoints.s3.bucket import Bucket
from mft_common.endpoints.s3.parts import MOST_PARTS, Room, part_size
from mft_common.endpoints.targets import Target, Timeouts, parse_url
from mft_common.transfer import Mover
from tests.servers.losing import Losing
from tests.servers.made_secrets import secret
from tests.servers.processes import wait_until
from tests.servers.programs import Program
from tests.servers.proxy import Proxy
from tests.servers.s3 import S3Server
from tests.servers.simple_s3 import Object, SimpleS3
from tests.servers.stopwatch import Stopwatch
from tests.servers.web import Web, after_interim_answers

TOKEN = "0123456789ABCDEF"
OTHER = "FEDCBA9876543210"
SECRET = secret("secret-of-a-sick-store")
PART = 64 << 10
REPOSITORY = Path(__file__).resolve().parents[2]
# As small as the store lets the tests choose; moto asks for 5 MiB, as Amazon does.
MOTO_PART = 5 << 20


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """A certificate for loopback and its key."""
    return certificate.ensure(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def store():
    return SimpleS3()


def target_of(server, **more):
    values = {"timeouts": Timeouts(5, 20), "key_id": "an-id", "secret": SECRET, **more}
    return Target(scheme="s3", host="bucket", folder="in", endpoint=server.url, **values)


@pytest.fixture
def server(store):
    with Web(store) as running:
        yield running


@pytest.fixture
def endpoint(server):
    with open_s3(target_of(server), part=PART) as opened:
        yield opened


def content_of(size, seed=1):
    return random.Random(seed).randbytes(size)


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def sealed(far, path, content, **more):
    """Return a writer whose next step is the commit."""
    writer = far.writer(path, token=TOKEN, size=len(content), **more)
    assert writer.begin() == 0
    writer.feed(content)
    assert writer.seal(len(content), sha256(content), "sha256")
    return writer


def write(far, path, content, **more):
    return sealed(far, path, content, **more).commit()


@pytest.mark.parametrize("size", [10, 5 * PART + 1])
def test_a_store_that_keeps_framing_gets_none(tls, store, size):
    """The SDK's default sends trailers over HTTPS, which an old store keeps as content; the endpoint's do not (B14)."""
    content = content_of(size)
    with Web(store, tls) as server:
        plain = boto3.client(
            "s3",
            endpoint_url=server.url,
            aws_access_key_id="an-id",
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
            verify=str(tls[0]),
        )
        with contextlib.closing(plain):
            plain.put_object(Bucket="bucket", Key="in/by-default", Body=content)
        assert store.objects["in/by-default"].body != content
        assert b"x-amz-checksum-crc32" in store.objects["in/by-default"].body
        with open_s3(target_of(server, ca=str(tls[0])), part=PART) as far:
            assert write(far, "by-us", content).size == size
    assert store.objects["in/by-us"].body == content
    assert ("create" in store.calls) == (size > PART)


@pytest.mark.parametrize("size", [10, 3 * PART])
def test_a_store_that_has_another_size_is_no_success(endpoint, store, size):
    """The store answered 200 with a version that proves nothing, and HEAD tells that the object is longer (B14)."""
    store.opaque = True
    store.size_told = 90
    writer = sealed(endpoint, "f", content_of(size))
    with pytest.raises(Mismatch):
        writer.commit()
    assert writer.abort() is None
    assert not store.uploads


def test_a_store_that_tells_no_time_of_an_object_is_read(endpoint, store):
    """The time is unknown, which is no error."""
    store.time = {}
    store.objects["in/f"] = Object(b"content")
    entry = endpoint.stat("f")
    assert (entry.size, entry.modified_at) == (7, None)
    with contextlib.closing(endpoint.open(entry)) as reader:
        assert reader.read() == b"content"


def test_a_part_that_was_stored_with_another_content_is_a_mismatch(endpoint, store):
    """The answer to each part holds the MD5 of what was stored."""
    store.alter_part = b"!"
    with pytest.raises(Mismatch):
        sealed(endpoint, "f", content_of(3 * PART))


@pytest.mark.parametrize("if_exists", ["replace", "fail"])
@pytest.mark.parametrize("size", [10, 3 * PART])
def test_an_unanswered_commit_is_found_not_repeated(endpoint, store, size, if_exists):
    """The store carried the commit out and its answer was lost: the object's mark shows that it is ours."""
    store.lose = ["put", "complete"]
    content = content_of(size)
    writer = sealed(endpoint, "f", content, if_exists=if_exists)
    with pytest.raises(Transient):
        writer.commit()
    assert writer.commit().size == size
    assert store.objects["in/f"].body == content
    assert store.calls.count("put") + store.calls.count("complete") == 1
    assert writer.abort() is not None


@pytest.mark.parametrize("size", [10, 3 * PART])
def test_an_unanswered_commit_is_found_by_an_abort(endpoint, store, size):
    """The engine then knows that the file was delivered, and the object stays."""
    store.lose = ["put", "complete"]
    writer = sealed(endpoint, "f", content_of(size))
    with pytest.raises(Transient):
        writer.commit()
    assert writer.abort().size == size
    assert len(store.objects["in/f"].body) == size


@pytest.mark.parametrize("size", [10, 3 * PART])
def test_an_exclusive_commit_that_cannot_be_looked_for_has_no_known_outcome(endpoint, store, size):
    """The answer got lost, HEAD is refused, and so is the second commit: `Exists` would be a guess."""
    store.lose = ["put", "complete"]
    store.always_refuse = {"head": 403}
    writer = sealed(endpoint, "f", content_of(size), if_exists="fail")
    with pytest.raises(Transient):
        writer.commit()
    for call in (writer.commit, writer.abort):
        with pytest.raises(OutcomeUnknown, match="f: "):
            call()
    assert store.objects["in/f"].body == content_of(size)
    assert store.uploads == {}


@pytest.mark.parametrize("size", [10, 3 * PART])
def test_a_commit_of_unknown_outcome_that_was_not_carried_out_leaves_no_upload(endpoint, store, size):
    """The store answers 500 and refuses HEAD: nothing tells that it has not stored the object, and no part stays."""
    store.always_refuse = {"head": 403, "put": 500, "complete": 500}
    writer = sealed(endpoint, "f", content_of(size), if_exists="fail")
    with pytest.raises(Transient):
        writer.commit()
    with pytest.raises(OutcomeUnknown):
        writer.abort()
    assert (store.objects, store.uploads) == ({}, {})


@pytest.mark.parametrize("size", [10, 3 * PART])
def test_an_exclusive_commit_beside_the_object_of_another_is_refused(endpoint, store, size):
    """Where no answer was lost the outcome is known, also for an account that may not look."""
    store.always_refuse = {"head": 403}
    store.objects["in/f"] = Object(b"another")
    writer = sealed(endpoint, "f", content_of(size), if_exists="fail")
    with pytest.raises(Exists):
        writer.commit()
    assert writer.abort() is None
    assert store.objects["in/f"].body == b"another"


@pytest.fixture(scope="module")
def plain_moto(tmp_path_factory):
    """Moto's S3 server without TLS."""
    server = S3Server(tmp_path_factory.mktemp("moto"))
    yield server
    server.client.close()
    server.program.kill()


@pytest.mark.parametrize("if_exists", ["replace", "fail"])
def test_the_engine_stores_an_object_of_unknown_outcome_once(plain_moto, tmp_path, if_exists):
    """The real condition of moto refuses the second put: the engine tells neither a failure nor a success."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "f").write_bytes(b"content")
    losing = Losing(plain_moto.port, lost=1)
    bucket = plain_moto.bucket()
    mover = Mover(token=TOKEN, if_exists=if_exists, retries=3, delay=0.0)
    with (
        Web(losing) as server,
        open_s3(replace(target_of(server), host=bucket)) as far,
        open_file(parse_url("file:here"), LocalFolders(tmp_path)) as here,
        contextlib.nullcontext() if if_exists == "replace" else pytest.raises(OutcomeUnknown),
    ):
        mover.move(here, here.stat("f"), far, "f")
    assert len(losing.stored) == (2 if if_exists == "replace" else 1)
    assert plain_moto.client.get_object(Bucket=bucket, Key="in/f")["Body"].read() == b"content"


def test_a_bucket_that_is_away_at_the_commit_has_not_stored_the_object(store):
    """No connection was made: the outcome is known, and another attempt may deliver."""
    with contextlib.ExitStack() as running:
        server = running.enter_context(Web(store))
        with open_s3(target_of(server), part=PART) as far:
            writer = sealed(far, "f", b"x", if_exists="fail")
            running.close()
            with pytest.raises(Transient):
                writer.commit()
            assert writer.abort() is None


@pytest.mark.parametrize("size", [10, 3 * PART])
def test_a_commit_that_was_not_carried_out_is_sent_again(endpoint, store, size):
    """The store answers 503 once: the second commit stores the object."""
    store.refuse = {"put": 503, "complete": 503}
    content = content_of(size)
    writer = sealed(endpoint, "f", content)
    with pytest.raises(Transient):
        writer.commit()
    writer.commit()
    assert store.objects["in/f"].body == content


def begun_by_another(endpoint, path="f"):
    """Return a writer to the same key whose upload has a part, and the names that it gave."""
    names = []
    writer = endpoint.writer(path, token=OTHER, size=3 * PART)
    writer.begin(names.append)
    writer.feed(content_of(3 * PART, seed=2))
    writer.flush()
    return writer, names


def test_a_creation_without_an_answer_aborts_no_upload_of_others(endpoint, store, caplog):
    """The upload's id is not known: nothing of the key is aborted, and the log says what may stay behind (B15)."""
    other, _ = begun_by_another(endpoint)
    store.lose = ["create"]
    writer = endpoint.writer("f", token=TOKEN, size=3 * PART)
    writer.begin()
    with pytest.raises(Transient):
        writer.feed(content_of(3 * PART))
    assert writer.abort() is None
    unknown = [upload for upload in store.uploads.values() if not upload.parts]
    assert (len(store.uploads), len(unknown)) == (2, 1)
    other.seal(3 * PART, "", "size")
    assert other.commit().size == 3 * PART


def test_an_upload_is_named_before_its_first_part(endpoint, store):
    """The name holds the upload's id; a file of one request has none, and a resumed upload is named again (B15)."""
    seen = []
    writer = endpoint.writer("f", token=TOKEN, size=3 * PART)
    writer.begin(lambda name: seen.append((name, store.calls[-1])))
    writer.feed(content_of(3 * PART))
    checkpoint = writer.flush()
    (upload,) = store.uploads
    assert seen == [(f"f?uploadId={upload}", "create")]
    assert writer.temporary == f"f?uploadId={upload}"
    writer.abort(keep=True)
    endpoint.writer("f", token=TOKEN, size=3 * PART, resume=checkpoint).begin(lambda name: seen.append((name, "")))
    assert seen[1:] == [(f"f?uploadId={upload}", "")]
    small = endpoint.writer("g", token=TOKEN, size=3)
    small.begin(lambda name: seen.append((name, "")))
    small.feed(b"abc")
    small.seal(3, "", "size")
    small.commit()
    assert len(seen) == 2


def test_an_upload_whose_name_could_not_be_kept_is_aborted(endpoint, store):
    """A caller that lost its right, or its database, raises: no part is sent and the upload ends."""

    def refuse(_name):
        raise Denied("no longer the owner")

    writer = endpoint.writer("f", token=TOKEN, size=3 * PART)
    writer.begin(refuse)
    with pytest.raises(Denied):
        writer.feed(content_of(3 * PART))
    assert writer.abort() is None
    assert not store.uploads
    assert "part" not in store.calls


def test_a_sweep_aborts_the_named_uploads_alone(endpoint, store):
    """Another writer's upload of the same key goes on, also where a name is none of an upload (B15)."""
    other, _ = begun_by_another(endpoint)
    names = []
    writer = endpoint.writer("f", token=TOKEN, size=3 * PART)
    writer.begin(names.append)
    writer.feed(content_of(3 * PART))
    writer.flush()
    writer.abort(keep=True)
    assert endpoint.sweep(TOKEN) == ()
    assert endpoint.sweep(TOKEN, ("f", "../x?uploadId=1", *names, *names)) == tuple(names)
    assert endpoint.sweep(TOKEN, tuple(names)) == ()
    assert len(store.uploads) == 1
    other.seal(3 * PART, "", "size")
    other.commit()


@pytest.mark.parametrize("size", [10, 3 * PART])
def test_a_delivered_object_that_cannot_be_looked_at_is_delivered(endpoint, store, size):
    """The comparison after the commit is tried again, and its failure is a warning: the object is there."""
    store.opaque = True
    writer = sealed(endpoint, "f", content_of(size))
    store.refuse = {"head": 503}
    assert writer.commit().warning == ""
    writer = sealed(endpoint, "g", content_of(size))
    store.always_refuse = {"head": 503}
    stored = writer.commit()
    assert "could not be compared" in stored.warning
    assert len(store.objects["in/g"].body) == size
    assert writer.abort() == stored


def test_writers_of_one_endpoint_share_the_room_for_parts(server, store):
    """The memory of a process does not grow with the files that it sends at once: two parts of four writers here."""
    room, held = Room(2 * PART), [0]
    active, most, lock = [0], [0], threading.Lock()
    pause = threading.Event()

    def count(_number):
        with lock:
            active[0] += 1
            most[0] = max(most[0], active[0])
            held[0] = max(held[0], room.taken)
        pause.wait(0.02)
        with lock:
            active[0] -= 1

    store.before_part = count
    contents = {f"f{number}": content_of(4 * PART, seed=number) for number in range(4)}
    with S3Endpoint(Bucket(target_of(server)), PART, room) as far, ThreadPoolExecutor(4) as pool:
        for written in [pool.submit(write, far, path, content) for path, content in contents.items()]:
            written.result()
    assert {path: store.objects[f"in/{path}"].body for path in contents} == contents
    assert most[0] == 2
    # Those that are being filled are among them, and all of it is given back.
    assert (held[0], room.taken) == (2 * PART, 0)


def test_writers_that_hold_all_of_the_room_stop_no_other_for_long(server, store):
    """One thread feeds three writers in turn, and the room is for the part of one: it is exceeded after a while."""
    room = Room(PART, patience=0.05)
    content = content_of(2 * PART)
    with S3Endpoint(Bucket(target_of(server)), PART, room) as far:
        writers = [far.writer(f"f{number}", token=TOKEN, size=len(content)) for number in range(3)]
        for writer in writers:
            writer.begin()
        for start in range(0, len(content), PART // 2):
            for writer in writers:
                writer.feed(content[start : start + PART // 2])
        for writer in writers[:2]:
            assert writer.seal(len(content), "", "size")
            writer.commit()
        writers[2].abort()
    assert [store.objects[f"in/f{number}"].body for number in range(2)] == [content] * 2
    assert room.taken == 0


def test_an_answer_that_proves_the_content_spares_a_request(endpoint, store):
    """The version of a small object is the MD5 of what was sent: nothing is asked about it again."""
    stored = write(endpoint, "f", b"abc")
    assert stored.version == hashlib.md5(b"abc").hexdigest()
    assert store.calls == ["put"]


def test_interim_answers_are_skipped(store):
    """An object that was stored is not sent again because another answer came before the final one."""
    with Web(after_interim_answers(store)) as server, open_s3(target_of(server), part=PART) as far:
        content = content_of(3 * PART)
        assert write(far, "f", content).size == len(content)
        assert write(far, "g", b"abc", if_exists="fail").size == 3
    assert (store.objects["in/f"].body, store.objects["in/g"].body) == (content, b"abc")
    assert store.calls.count("put") == 1


def test_a_body_is_sent_without_asking_before(endpoint, server):
    """A request that waits for 100 Continue costs a round trip for each file and each part."""
    write(endpoint, "f", content_of(3 * PART))
    write(endpoint, "g", b"abc")
    assert len(server.requests) > 4
    assert not [request.path for request in server.requests if "Expect" in request.headers]


@pytest.mark.parametrize("if_exists", ["replace", "fail"])
def test_a_completion_that_is_carried_out_late_is_found(endpoint, store, if_exists):
    """It came between the look and the second request, which the store refuses because the upload is gone."""
    store.late = True
    content = content_of(3 * PART)
    writer = sealed(endpoint, "f", content, if_exists=if_exists)
    with pytest.raises(Transient):
        writer.commit()
    assert writer.commit().size == len(content)
    assert store.objects["in/f"].body == content


def test_a_completion_that_is_carried_out_before_the_abort_is_found(endpoint, store):
    """The abort finds no upload: then the object is looked for once more, and it was delivered."""
    store.late = True
    writer = sealed(endpoint, "f", content_of(3 * PART))
    with pytest.raises(Transient):
        writer.commit()
    assert writer.abort().size == 3 * PART
    assert writer.abort().size == 3 * PART


@pytest.mark.parametrize("wrong", [{"endpoint": "https://not_a_host:80_80"}, {"endpoint": "https://a b"}])
def test_an_address_that_is_none_does_not_heal(wrong):
    """The library refuses it before any request: that is an error of the endpoint, and of the configuration."""
    values = {"key_id": "an-id", "secret": SECRET, **wrong}
    with pytest.raises(BadName):
        open_s3(Target(scheme="s3", host="bucket", **values))


def test_a_part_is_sent_again(endpoint, store):
    """An answer of 503 to a part, and one that is lost, cost that part alone."""
    store.refuse = {"part": 503}
    store.lose = ["part"]
    content = content_of(5 * PART)
    write(endpoint, "f", content)
    assert store.objects["in/f"].body == content
    assert store.calls.count("part") == 7


def test_parts_end_before_the_abort_which_is_repeated(endpoint, store):
    """No abort is sent while a part is on its way, and one that leaves parts behind is sent again (B15)."""
    arrived, gate = threading.Event(), threading.Event()
    active = []

    def hold(number):
        if number == 2:
            active.append(number)
            arrived.set()
            gate.wait(20)
            active.clear()

    store.before_part = hold
    store.stays = 2
    store.before_abort = lambda: aborts.append(list(active))
    aborts = []
    writer = endpoint.writer("f", token=TOKEN, size=5 * PART)
    writer.begin()
    writer.feed(content_of(4 * PART))
    assert arrived.wait(20)
    opener = threading.Timer(0.1, gate.set)
    opener.start()
    assert writer.abort() is None
    opener.join()
    assert aborts == [[], [], []]
    assert not store.uploads


@pytest.mark.parametrize("size", [10, 3 * PART])
def test_a_store_without_conditions_is_looked_at_before(endpoint, store, size):
    """A store that does not know If-None-Match takes the object without it, unless there is one."""
    store.conditions = False
    write(endpoint, "f", content_of(size), if_exists="fail")
    writer = sealed(endpoint, "g", content_of(size), if_exists="fail")
    write(endpoint, "g", b"came meanwhile")
    with pytest.raises(Exists):
        writer.commit()
    writer.abort()
    assert store.objects["in/g"].body == b"came meanwhile"
    assert not store.uploads


@pytest.mark.parametrize("size", [10, 3 * PART])
def test_a_store_that_passes_over_conditions_is_looked_at_before(endpoint, store, size):
    """An object that came during the upload stays, although the store would replace it."""
    store.passes_over = True
    writer = sealed(endpoint, "f", content_of(size), if_exists="fail")
    write(endpoint, "f", b"came meanwhile")
    with pytest.raises(Exists):
        writer.commit()
    assert writer.abort() is None
    assert store.objects["in/f"].body == b"came meanwhile"
    assert not store.uploads


@pytest.mark.parametrize("size", [10, 3 * PART])
def test_a_file_that_came_meanwhile_is_not_replaced(endpoint, store, size):
    """With the condition one of two writers fails, and leaves no upload."""
    writer = sealed(endpoint, "f", content_of(size), if_exists="fail")
    write(endpoint, "f", b"came meanwhile", if_exists="fail")
    with pytest.raises(Exists):
        writer.commit()
    assert writer.abort() is None
    assert store.objects["in/f"].body == b"came meanwhile"
    assert not store.uploads


def test_an_object_that_is_taken_at_once_was_delivered(endpoint, store):
    """A consumer may remove it before its size is compared: that is told, and is no failure."""
    store.opaque = True
    writer = sealed(endpoint, "f", b"abc")
    store.after_put = store.objects.clear
    assert "gone" in writer.commit().warning


def test_an_account_that_may_only_write(endpoint, store):
    """The size of the object cannot be asked for: the commit says so in its warning."""
    store.opaque = True
    writer = sealed(endpoint, "f", b"abc")
    store.refuse = {"head": 403}
    assert writer.commit().warning


def test_an_upload_that_is_gone_is_begun_anew(endpoint, store):
    """A checkpoint of an upload that was aborted gives byte 0; one that vanishes on the way is a Mismatch."""
    writer = endpoint.writer("f", token=TOKEN, size=9 * PART)
    writer.begin()
    writer.feed(content_of(3 * PART))
    checkpoint = writer.flush()
    assert checkpoint.position == 2 * PART
    store.uploads.clear()
    assert endpoint.writer("f", token=TOKEN, resume=checkpoint).begin() == 0
    writer.feed(content_of(PART))
    with pytest.raises(Mismatch):
        writer.flush()


@pytest.mark.parametrize("position", [PART - 1, 3 * PART])
def test_a_checkpoint_that_fits_no_part_begins_anew(endpoint, store, position):
    """Only whole parts are gone on with, and the new parts replace those that are there."""
    content = content_of(4 * PART)
    writer = endpoint.writer("f", token=TOKEN, size=len(content))
    writer.begin()
    writer.feed(content[: 3 * PART])
    state = writer.flush().state
    writer.abort(keep=True)
    writer = endpoint.writer("f", token=TOKEN, size=len(content), resume=Checkpoint(position, state))
    assert writer.begin() == 0
    writer.feed(content)
    writer.seal(len(content), sha256(content), "sha256")
    writer.commit()
    assert store.objects["in/f"].body == content
    assert not store.uploads


def test_a_store_that_accepts_and_never_answers_times_out():
    """The idle limit holds for each request (E37)."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        target = Target(
            scheme="s3", host="bucket", endpoint=url, key_id="an-id", secret=SECRET, timeouts=Timeouts(5, 0.3)
        )
        since = Stopwatch()
        with open_s3(target) as far:
            with pytest.raises(Transient):
                far.stat("f")
            writer = sealed(far, "f", b"abc")
            with pytest.raises(Transient):
                writer.commit()
        assert since.seconds < 5


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, AuthenticationFailed), (403, Denied), (500, Transient), (503, Transient), (507, DiskFull)],
)
def test_statuses_say_whether_waiting_heals(endpoint, store, status, error):
    """Each becomes one class of error, whose text and whose causes' texts hold no secret."""
    writer = sealed(endpoint, "f", b"abc")
    store.refuse = {"put": status}
    with pytest.raises(error) as caught:
        writer.commit()
    assert caught.type is error
    assert SECRET not in f"{caught.value} {caught.value.__cause__!r}"


def test_the_secret_is_in_no_representation(server):
    """Neither the target's nor the endpoint's."""
    target = target_of(server)
    with open_s3(target) as far:
        assert SECRET not in f"{target!r} {far!r} {far.writer('f', token=TOKEN)!r}"


def test_a_certificate_that_is_not_trusted(tls, store):
    """Waiting does not heal it, and no byte is sent."""
    with Web(store, tls) as server, open_s3(target_of(server)) as far, pytest.raises(UntrustedServer):
        far.stat("f")
    assert not store.calls


def test_a_body_that_ends_too_early_and_a_range_from_elsewhere(endpoint, store):
    """Too few bytes are Transient; a store that ignores the range, or changed the object, is Changed (B17)."""
    content = content_of(1000)
    write(endpoint, "f", content)
    entry = endpoint.stat("f")
    store.body_cut = 600
    with contextlib.closing(endpoint.open(entry)) as reader:
        assert len(reader.read(600)) == 600
        with pytest.raises(Transient):
            reader.read()
    store.body_cut = None
    with contextlib.closing(endpoint.open(entry, 600)) as reader:
        assert reader.read() == content[600:]
    store.ranges = False
    with pytest.raises(Changed):
        endpoint.open(entry, 600)
    store.ranges = True
    write(endpoint, "f", content[::-1])
    with pytest.raises(Changed):
        endpoint.open(entry, 600)


def test_names_that_a_bucket_cannot_hold(endpoint):
    """Keys are UTF-8 of at most 1,024 bytes, the endpoint's folder included."""
    with pytest.raises(BadName, match="UTF-8"):
        endpoint.writer("\udcff", token=TOKEN)
    step = "x" * 250
    endpoint.writer("/".join([step] * 4), token=TOKEN)
    with pytest.raises(BadName, match="1024"):
        endpoint.writer("/".join([step] * 5), token=TOKEN)


def test_a_file_of_any_size_fits_into_the_parts():
    """The largest object that Amazon stores has 5 TiB."""
    for size in (1, 8 << 20, 10 << 30, 80 << 30, 5 << 40):
        assert part_size(size) * MOST_PARTS >= size
        assert part_size(size) >= MOTO_PART
    assert part_size(10 << 30) == 8 << 20


@pytest.fixture
def moto(far_servers):
    """A bucket of moto's server."""
    return far_servers("s3")("t")


def through(proxy, target, idle=20.0):
    """Return the same bucket behind a proxy."""
    return replace(target, endpoint=f"https://127.0.0.1:{proxy.port}", timeouts=Timeouts(5, idle))


UPLOAD = """
import sys
from pathlib import Path
from mft_common.endpoints.s3 import open_s3
from mft_common.endpoints.targets import Target, Timeouts
bucket, url, ca, noted = sys.argv[1:]
far = open_s3(Target(scheme="s3", host=bucket, folder="t", endpoint=url, key_id="an-id", secret="a-secret", ca=ca))
writer = far.writer("f", token="0123456789ABCDEF", size=5 << 23)
writer.begin(Path(noted).write_text)
for _ in range(5):
    writer.feed(bytes(1 << 23))
    print(dict(writer.flush().state), flush=True)
"""


def amid_part_2(moto):
    """Return the ids of the uploads that have a stored part."""
    client = moto.server.client
    uploads = client.list_multipart_uploads(Bucket=moto.bucket).get("Uploads", ())
    return [
        each["UploadId"]
        for each in uploads
        if client.list_parts(Bucket=moto.bucket, Key=each["Key"], UploadId=each["UploadId"]).get("Parts")
    ]


@pytest.mark.parametrize("recovery", ["sweep", "by id"])
def test_an_upload_that_is_killed_leaves_no_parts(moto, tmp_path, recovery):
    """A kill -9 amid part 2 of 5: after recovery by the noted name or a checkpoint nothing is listed (B15)."""
    with Proxy(("127.0.0.1", moto.server.port)) as proxy:
        # The first part passes, the second is held where it is half done.
        proxy.stall_after(to_server=12 << 20)
        child = Program(
            [
                *(sys.executable, "-c", UPLOAD, moto.bucket, f"https://127.0.0.1:{proxy.port}", moto.target.ca),
                str(tmp_path / "noted"),
            ],
            tmp_path / "child.log",
            env=dict(os.environ),
        ).start()
        try:
            (upload,) = wait_until(lambda: amid_part_2(moto), within=60, what="the first part")
            child.send_to_all(signal.SIGKILL)
        finally:
            child.kill()
    assert moto.server.unfinished(moto.bucket) == ["t/f"]
    with moto.open() as far:
        if recovery == "sweep":
            assert far.sweep(TOKEN, ((tmp_path / "noted").read_text(),)) == (f"f?uploadId={upload}",)
        else:
            far.writer("f", token=TOKEN, resume=Checkpoint(0, {"upload": upload})).abort()
    assert moto.server.unfinished(moto.bucket) == []
    assert moto.names_outside() == []


def test_an_upload_that_is_cancelled_leaves_no_parts(moto):
    """An abort amid part 2 of 5 (B15)."""
    with Proxy(("127.0.0.1", moto.server.port)) as proxy, open_s3(through(proxy, moto.target)) as far:
        writer = far.writer("f", token=TOKEN, size=5 << 23)
        writer.begin()
        writer.feed(bytes(1 << 23) + b"0")
        writer.flush()
        assert amid_part_2(moto)
        proxy.stall_after(to_server=4 << 20)
        # moto answers nobody while a handshake is stalled: the second part goes over the first one's connection.
        writer.feed(bytes(1 << 23))
        wait_until(lambda: proxy.stalled, what="the stall")
        resumed = threading.Timer(0.2, proxy.resume)
        resumed.start()
        assert writer.abort() is None
        resumed.join()
    assert moto.server.unfinished(moto.bucket) == []
    assert moto.names_outside() == []


def test_a_sweep_leaves_other_keys_alone(moto):
    """Keys that only begin like the swept one are those of others."""
    with moto.open() as far:
        other = far.writer("file.bin", token=TOKEN, size=20 << 20)
        other.begin()
        other.feed(bytes(20 << 20))
        other.flush()
        assert far.sweep(TOKEN, ("file", "file.bi", "file.bin", "file.bin?uploadId=another")) == ()
        assert moto.server.unfinished(moto.bucket) == ["t/file.bin"]
        other.abort()
    assert moto.server.unfinished(moto.bucket) == []


def cut_writes(moto, chance, rounds, size):
    """Upload through connections that are cut once at a random byte, and go on at the last checkpoint."""
    content = chance.randbytes(size)
    for number in range(rounds):
        fed, path = 0, f"f{number}"
        with Proxy(("127.0.0.1", moto.server.port)) as proxy:
            proxy.cut_after(to_server=chance.randrange(size))
            checkpoint, stored = None, None
            while stored is None:
                with open_s3(through(proxy, moto.target), part=MOTO_PART) as far:
                    writer = far.writer(path, token=TOKEN, size=size, resume=checkpoint)
                    try:
                        position = writer.begin()
                        while position < size:
                            block = content[position : position + MOTO_PART]
                            fed += len(block)
                            writer.feed(block)
                            position += len(block)
                            checkpoint = writer.flush()
                        writer.seal(size, sha256(content), "sha256")
                        stored = writer.commit()
                    except Transient:
                        writer.abort(keep=True)
        assert sha256(moto.read_outside(path)) == sha256(content)
        assert fed < size * 1.1
    assert moto.server.unfinished(moto.bucket) == []


def cut_reads(moto, chance, rounds, size):
    """Read through connections that are cut once at a random byte, and go on where they broke."""
    content = chance.randbytes(size)
    moto.write_outside("f", content)
    for _ in range(rounds):
        found, reads = b"", 0
        with Proxy(("127.0.0.1", moto.server.port)) as proxy:
            proxy.cut_after(to_client=chance.randrange(2000, size))
            with open_s3(through(proxy, moto.target)) as far:
                entry = Entry("f")
                for _ in range(5):
                    with contextlib.suppress(Transient):
                        reader = far.open(entry, len(found))
                        entry = reader.entry
                        with contextlib.closing(reader):
                            while block := reader.read(32 << 10):
                                found += block
                                reads += len(block)
                    if len(found) == size:
                        break
        assert sha256(found) == sha256(content)
        assert reads == size


def test_uploads_that_are_cut_at_random_bytes(moto):
    """The object is right, and fewer than a tenth of its bytes are sent again."""
    cut_writes(moto, random.Random(int(os.environ.get("TEST_SEED", "8"))), 2, 60 << 20)


@pytest.mark.slow
def test_fifty_uploads_that_are_cut_at_random_bytes(moto):
    """The same, 50 times."""
    cut_writes(moto, random.Random(int(os.environ.get("TEST_SEED", "9"))), 50, 60 << 20)


def test_fifty_downloads_that_are_cut_at_random_bytes(moto):
    """The bytes are right, and none is delivered twice."""
    cut_reads(moto, random.Random(int(os.environ.get("TEST_SEED", "10"))), 50, 1 << 20)
