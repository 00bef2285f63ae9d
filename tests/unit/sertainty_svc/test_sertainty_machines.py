import hashlib
import stat
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from mft_common.config import Reader
from mft_common.errors import ConfigError
from sertainty_svc.errors import InvalidRequest
from sertainty_svc.operations.protection import host_key
from sertainty_svc.operations.protection.host_key import HostKey, HostKeyUnusable
from sertainty_svc.operations.protection.machine import machine_uuid
from sertainty_svc.schemas.configuration import Section, read_sections, sections_reader
from sertainty_svc.schemas.machines import read_fingerprints, to_fingerprint
from sertainty_svc.settings import Settings
from tests.unit.sertainty_svc.made_ids import Host

NOWHERE = Path("/nonexistent/machine-id")
FINGERPRINT = "<Configuration><Device id='d' name='n'/></Configuration>"


def names(folder):
    """Return the names in a folder."""
    return [path.name for path in folder.iterdir()]


def settings(folder, **environ):
    """Return settings with a data folder."""
    return Settings.from_env({"SERTAINTY_DATABASE_URL": "sqlite://", "MFT_DATA": str(folder), **environ})


def test_98_the_host_key_is_made_once_and_its_owner_alone_can_read_it(tmp_path):
    """Item 98: a PEM file below the state folder, mode 0600, the same at every later start."""
    made = host_key.ensure(settings(tmp_path), Section())
    path = tmp_path / "state/sertainty-svc/host.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert host_key.ensure(settings(tmp_path), Section()) == made == HostKey.load(path)
    assert X25519PrivateKey.from_private_bytes(made.private).public_key().public_bytes_raw() == made.public
    assert names(path.parent) == ["host.key"]
    assert repr(made.private) not in repr(made)


def test_98_processes_that_start_together_have_one_key(tmp_path):
    """Item 98: many workers are one machine."""
    with ThreadPoolExecutor(16) as pool:
        keys = list(pool.map(lambda _: host_key.ensure(settings(tmp_path), Section()), range(16)))
    assert len({key.public for key in keys}) == 1
    assert names(tmp_path / "state/sertainty-svc") == ["host.key"]


def test_98_a_given_key_is_used_and_the_environment_wins(tmp_path):
    """Item 98: a key that openssl made, by the configuration or by the environment."""
    for name in ("a.pem", "b.pem"):
        subprocess.run(["openssl", "genpkey", "-algorithm", "x25519", "-out", tmp_path / name], check=True)
    section = Section(host_key_file=str(tmp_path / "a.pem"))
    assert host_key.ensure(settings(tmp_path), section) == HostKey.load(tmp_path / "a.pem")
    environ = {"SERTAINTY_HOST_KEY_FILE": str(tmp_path / "b.pem")}
    assert host_key.ensure(settings(tmp_path, **environ), section) == HostKey.load(tmp_path / "b.pem")
    assert not (tmp_path / "state").exists()


def test_98_107_a_given_key_in_a_folder_that_tasks_reach_is_refused(tmp_path):
    """Items 98 and 107: a task could copy the private key to anywhere; by either setting, and by a link."""
    (tmp_path / "data/root").mkdir(parents=True)
    reached, link = tmp_path / "data/root/h.pem", tmp_path / "link.pem"
    reached.write_bytes(b"")
    link.symlink_to(reached)
    for path in (reached, link, "data/root/h.pem"):
        section = {"data_protector": {"folders": ["root"], "host_key_file": str(path)}}
        with pytest.raises(ConfigError, match=r"data_protector\.host_key_file: tasks reach it"):
            read_sections(section, Reader(tmp_path, {}, data=tmp_path / "data"))
    section = Section(folders=((tmp_path / "data/root").resolve(),))
    with pytest.raises(HostKeyUnusable, match="tasks reach"):
        host_key.ensure(settings(tmp_path, SERTAINTY_HOST_KEY_FILE=str(link)), section)


def test_98_107_the_folders_of_a_configuration_that_is_applied_later_do_not_reach_a_given_key(tmp_path):
    """Items 98 and 107: a key that the environment names is as safe from it as at the start."""
    key, reader = tmp_path / "root/keys/h.pem", Reader(tmp_path, {}, data=tmp_path / "data")
    read = sections_reader(str(key))
    assert read({"data_protector": {"folders": [str(tmp_path / "other")]}}, reader).folders
    for folder in (tmp_path / "root", tmp_path / "root/keys"):
        section = {"data_protector": {"folders": [str(folder)]}}
        with pytest.raises(
            ConfigError, match=r"data_protector\.folders: tasks reach the file of SERTAINTY_HOST_KEY_FILE"
        ):
            read(section, reader)
        assert sections_reader(None)(section, reader).folders


@pytest.mark.parametrize("content", [None, b"", b"junk", "rsa", "locked"])
def test_98_a_given_key_that_cannot_be_used_is_never_replaced(tmp_path, content):
    """Item 98: no file, no key, one of another algorithm or with a passphrase; the error has no path."""
    path = tmp_path / "given.pem"
    if content == "rsa":
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", path], check=True)
    elif content == "locked":
        options = ["-aes256", "-pass", "pass:x"]
        subprocess.run(["openssl", "genpkey", "-algorithm", "x25519", *options, "-out", path], check=True)
    elif content is not None:
        path.write_bytes(content)
    before = path.read_bytes() if path.exists() else None
    with pytest.raises(HostKeyUnusable) as caught:
        host_key.ensure(settings(tmp_path, SERTAINTY_HOST_KEY_FILE=str(path)), Section())
    assert str(tmp_path) not in str(caught.value)
    assert (path.read_bytes() if path.exists() else None) == before


def test_99_the_machine_uuid_comes_from_the_machine_id_and_does_not_tell_it(tmp_path):
    """Item 99: the same for the same machine, another for another one, no file, no trace of the machine id."""
    ids = [hashlib.md5(bytes([number])).hexdigest() for number in range(2)]
    found = []
    for text in (ids[0], ids[0] + "\n", ids[1]):
        (tmp_path / "machine-id").write_text(text)
        found.append(machine_uuid(tmp_path / "state", tmp_path / "machine-id"))
    assert found[0] == found[1] != found[2]
    assert uuid.UUID(found[0]).version == 4
    assert uuid.UUID(found[0]) not in [uuid.UUID(one) for one in ids]
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("content", [None, "", "uninitialized\n", "0" * 32, "x" * 32])
def test_99_without_a_machine_id_a_random_uuid_is_kept(tmp_path, content):
    """Item 99: as in containers; the same at each call, another one in each data folder."""
    source = NOWHERE if content is None else tmp_path / "machine-id"
    if content is not None:
        source.write_text(content)
    one = machine_uuid(tmp_path / "a", source)
    assert one == machine_uuid(tmp_path / "a", source) != machine_uuid(tmp_path / "b", source)
    assert str(uuid.UUID(one)) == one


def test_99_the_fingerprint_has_the_shape_of_the_format_and_its_id_is_that_of_key_and_uuid():
    """Item 99: leaves in their order with their types; the id is SHA-256 of both, and nothing else goes into it."""
    host = Host()
    root = ET.fromstring(to_fingerprint(host.machine))
    enabled, device = root
    assert (root.tag, enabled.tag, enabled.text, device.tag) == ("Configuration", "Enabled", "true", "Device")
    assert [child.tag for child in device] == [
        "Architecture", "CpuModel", "MachineName", "MachineUUID", "OsName", "OsVersion", "PublicKey",
    ]  # fmt: skip
    assert {child.get("type") for child in device} == {"string"}
    assert device.find("PublicKey").get("algorithm") == "X25519"
    assert device.get("id") == hashlib.sha256(host.key.public + host.uuid.encode()).hexdigest()[:32]
    assert read_fingerprints([to_fingerprint(host.machine).decode()]) == [host.machine]


KEY = "A" * 43 + "="


@pytest.mark.parametrize(
    ("keys", "usable"),
    [
        (f'<PublicKey algorithm="X25519"> {KEY}\n</PublicKey>', True),
        (f"<PublicKey>{KEY}</PublicKey>", False),
        (f'<PublicKey algorithm="RSA">{KEY}</PublicKey>', False),
        (f'<PublicKey algorithm="X25519">{KEY[4:]}</PublicKey>', False),
        (f'<PublicKey algorithm="X25519">{KEY[:-2]}B=</PublicKey>', False),
        ('<PublicKey algorithm="X25519">%%%</PublicKey>', False),
        (f'<PublicKey algorithm="X25519">{KEY}</PublicKey>' * 2, False),
        ("", False),
    ],
)
def test_99_a_device_without_a_usable_key_is_accepted(keys, usable):
    """Item 99: another algorithm, another length, no Base64, two keys, none; unknown elements are ignored."""
    device = f"<Device id='d' name='n'><New/>{keys}<MachineUUID>u</MachineUUID></Device>"
    (machine,) = read_fingerprints([f"<Configuration><New/>{device}</Configuration>"])
    assert (machine.id, machine.name, machine.uuid) == ("d", "n", "u")
    assert (machine.public_key is not None) is usable


def test_99_devices_of_one_id_are_taken_once_and_one_without_an_id_gets_its_own():
    """Item 100: over all documents, the first one counts."""
    first = "<Configuration><Device id='a' name='1'/><Device id='b' name='2'/></Configuration>"
    second = (
        "<Configuration><Device id='b' name='3'/><Device name='4'><MachineUUID>u</MachineUUID></Device></Configuration>"
    )
    machines = read_fingerprints([first, second, second])
    assert [machine.name for machine in machines] == ["1", "2", "4"]
    assert machines[2].id == hashlib.sha256(b"u").hexdigest()[:32]


@pytest.mark.parametrize(
    "document",
    ["", "x", "<Device id='a'/>", "<Configuration/>", "<Configurations><Device/></Configurations>",
     "<!DOCTYPE x><Configuration><Device/></Configuration>", "<Configuration><Device></Configuration>"],
)  # fmt: skip
def test_99_what_is_no_fingerprint_is_an_invalid_request(document):
    """Item 99: not well-formed, another root, no Device, a DTD."""
    with pytest.raises(InvalidRequest, match="machine-fingerprint"):
        read_fingerprints([document])


def test_12_109_the_limit_of_bytes_holds_for_all_fingerprints_together():
    """Items 12 and 109: machines for which no ID has room are refused before a document is parsed."""
    device = "<Device id='a'><OsName>é</OsName></Device>"
    document = f"<Configuration>{device}{' ' * (1 << 20)}</Configuration>"
    (machine,) = read_fingerprints([document, document, document])
    assert machine.os_name == "é"
    for documents in ([document] * 4, ["no XML" * 1_000_000]):
        with pytest.raises(InvalidRequest, match="more than 4194304 bytes together"):
            read_fingerprints(documents)


def test_109_the_limit_of_devices_holds_for_all_fingerprints_together():
    """Item 109: those that are given twice count as well, since each of them takes its time."""
    document = f"<Configuration>{'<Device/>' * 5000}</Configuration>"
    assert len(read_fingerprints([document, document])) == 1
    for documents in ([document, document, FINGERPRINT], [f"<Configuration>{'<Device/>' * 10_001}</Configuration>"]):
        with pytest.raises(InvalidRequest, match="more than 10000 devices are given"):
            read_fingerprints(documents)


def test_12_the_limit_of_elements_holds_for_all_fingerprints_together():
    """Item 12: documents of 200,000 elements each, of which the third one is too many."""
    wide = f"<Configuration><Device id='a'/>{'<x/>' * 200_000}</Configuration>"
    with pytest.raises(InvalidRequest, match="elements"):
        read_fingerprints([wide, wide, wide])
