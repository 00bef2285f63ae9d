"""Protected files that travel between hubs, each a process of its own with a data folder and a host key of its own."""

import hashlib
import os
import struct
from xml.etree import ElementTree as ET

import pytest

from mft_common.transfer.steps.sealed import SealedHeader
from tests.e2e.clients import IbmMq, Operator
from tests.servers.hub import OneMachine
from tests.servers.processes import wait_until
from tests.servers.task_documents import document, task

CONFIG = Operator.CONFIG
CHUNK = 65_536 + 16
CONTENT = os.urandom(3 * 65_536 + 5)
TIME = 1_700_000_000_123_000_000
# Tasks that restore nothing, and their IDs.
IDS = {"edited": "edited", "moved": "moved", "damaged": "edge"}


class Harbour:
    """A hub with a session, and the folders of its tasks; `begin` is called once it is ready."""

    def __init__(self, folder):
        folder.mkdir()
        self.hub = OneMachine(folder)
        self.root = self.hub.data / "demo/protect"

    def begin(self):
        """Open the session and make a configuration without tasks active."""
        self.call = Operator(self.hub.wait())
        wait_until(lambda: self.call("agentGetStatus")[0] == "Active", within=20, what="the agent")
        self.call("configCreate", CONFIG)

    def run(self, *tasks):
        """Have these tasks active."""
        self.call("configSaveTasks", CONFIG, document(*tasks))
        self.call("configActivate", CONFIG)

    def put(self, path, content, mtime_ns=None):
        """Write a file and let it appear at once, with its time."""
        target, made = self.root / path, self.hub.data / "made"
        made.write_bytes(content)
        if mtime_ns is not None:
            os.utime(made, ns=(mtime_ns, mtime_ns))
        target.parent.mkdir(parents=True, exist_ok=True)
        made.rename(target)

    def wait_for(self, path):
        """Return the content of a file as soon as it is there."""
        target = self.root / path
        wait_until(target.exists, within=30, what=path)
        return target.read_bytes()

    def names(self, folder):
        """Return the paths of all that lies in a folder, hidden and unfinished files included."""
        return sorted(str(path.relative_to(self.root / folder)) for path in (self.root / folder).rglob("*"))

    def wait_for_none(self, folder):
        """Wait until nothing lies in a folder any more: a file system may give a file that moves two names."""
        wait_until(lambda: not self.names(folder), within=30, what=f"an empty folder {folder}")

    def items(self, name):
        """Return the items of the only transfer of a task that has ended, by their sources."""
        client = IbmMq(self.hub.url)
        url, parameters = client.url.replace("/v2/", "/v3/"), {"attributes": "*"}

        def ended():
            found = client.http.get(url, params=parameters, timeout=20).json()["transfer"]
            return [one for one in found if one["job"]["name"] == name and one["statistics"]["endTime"]]

        (found,) = wait_until(ended, within=30, what=f"the end of the transfer of {name}")
        return {item["source"]["file"]["path"]: item for item in found["transferSet"]["item"]}


@pytest.fixture
def harbours(tmp_path):
    """Three hubs that have never met."""
    made = [Harbour(tmp_path / name) for name in "abc"]
    try:
        for one in made:
            one.hub.program.start()
        for one in made:
            one.begin()
        yield made
    finally:
        for one in made:
            one.hub.kill()


def unprotects(name, id_name=None):
    """Return a Change task that restores the files of a folder of its own."""
    folders = {"Failed": f"{name}/failed"}
    return task(
        name, action="AutoUnprotect", source=f"{name}/in", destination=f"{name}/out", Folders=folders, ID=id_name,
        SettleSeconds="0.2",
    )  # fmt: skip


def changed(contents, change):
    """Return an ID after `change` of its root element."""
    root = ET.fromstring(contents)
    change(root)
    return ET.tostring(root, encoding="unicode")


def damaged(sealed):
    """Return variants of a protected file by their names."""
    head = SealedHeader.parse(sealed)
    one = head.length + struct.unpack(">I", sealed[12:16])[0] + 16
    two, three = one + CHUNK, one + 2 * CHUNK
    flipped = bytearray(sealed)
    flipped[two + 7] ^= 1
    return {
        "flipped.sealed": bytes(flipped),
        "cut-at-a-chunk.sealed": sealed[:three],
        "cut-in-a-chunk.sealed": sealed[:-1],
        "swapped.sealed": sealed[:one] + sealed[two:three] + sealed[one:two] + sealed[three:],
    }


def test_89_90_100_a_file_that_was_protected_for_another_hub_opens_there_alone_and_unchanged(harbours):
    """Items 89, 90 and 100: the exchange by hostGetMachine, configNewID, configGetID and configSaveID."""
    a, b, c = harbours
    (fingerprint,) = b.call("hostGetMachine")
    rules = ("preset-name", "Expires in 30 days")
    a.call("configNewID", CONFIG, "edge.iic", fingerprint, rules)
    a.call("configNewID", CONFIG, "other.iic", fingerprint, rules)
    archive = {"Archive": "done"}
    protects = task(action="AutoProtect", ID="edge.iic", AfterSuccess="Archive", Folders=archive, SettleSeconds="0.2")
    for one in harbours:
        (one.root / "open/in").mkdir(parents=True)
    a.run(protects, unprotects("open"))
    a.put("in/crate.bin", CONTENT, TIME)
    sealed = a.wait_for("out/crate.bin.sealed")
    assert CONTENT[:64] not in sealed
    assert a.wait_for("done/crate.bin") == CONTENT
    a.wait_for_none("in")
    (edge,) = a.call("configGetID", CONFIG, "edge.iic")
    (other,) = a.call("configGetID", CONFIG, "other.iic")

    b.call("configSaveID", CONFIG, "edge.iic", edge)
    b.run(unprotects("open"))
    b.put("open/in/crate.bin.sealed", sealed)
    assert b.wait_for("open/out/crate.bin") == CONTENT
    assert (b.root / "open/out/crate.bin").stat().st_mtime_ns == TIME
    source = a.items("seal")["in/crate.bin"]["source"]
    destination = b.items("open")["open/in/crate.bin.sealed"]["destination"]
    digest = hashlib.sha256(CONTENT).hexdigest().upper()
    assert [side["checksum"]["value"] for side in (source, destination)] == [digest] * 2

    c.call("configSaveID", CONFIG, "edge.iic", edge)
    c.run(unprotects("open"))
    for one in (a, c):
        one.put("open/in/crate.bin.sealed", sealed)
        assert one.wait_for("open/failed/crate.bin.sealed") == sealed
        assert "not made for this machine" in one.items("open")["open/in/crate.bin.sealed"]["status"]["description"]
        one.wait_for_none("open/in")
        assert one.names("open/out") == []

    def edited(root):
        root.find(".//Expiration").text = "2999-12-31T23:59:59Z"

    def moved(root):
        root.find("Wraps/Wrap").text = ET.fromstring(other).findtext("Wraps/Wrap")

    for name, change in (("edited", edited), ("moved", moved)):
        b.call("configSaveID", CONFIG, f"{name}.iic", changed(edge, change))
        b.put(f"{name}/in/crate.bin.sealed", sealed)
    for name, content in damaged(sealed).items():
        b.put(f"damaged/in/{name}", content)
    b.run(*(unprotects(name, f"{id_name}.iic") for name, id_name in IDS.items()))
    for name in ("edited", "moved"):
        assert b.wait_for(f"{name}/failed/crate.bin.sealed") == sealed
        status = b.items(name)[f"{name}/in/crate.bin.sealed"]["status"]
        assert (status["state"], "it was changed after it was made" in status["description"]) == ("failed", True)
    for name, content in damaged(sealed).items():
        assert b.wait_for(f"damaged/failed/{name}") == content
    for name in IDS:
        b.wait_for_none(f"{name}/in")
        assert b.names(f"{name}/out") == []
    assert b.names("open/out") == ["crate.bin"]
