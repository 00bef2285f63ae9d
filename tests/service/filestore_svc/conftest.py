"""Gives each test a store of its own, and a module one server."""

import pytest

from filestore_svc.domain.scanning import Scan, ScannerPlace
from filestore_svc.settings import Settings
from filestore_svc.wire.icap import Scanner
from tests.servers.icap import IcapServer
from tests.servers.s3 import KEY_ID, SECRET, S3Server
from tests.servers.scanner import VirusScanner
from tests.service.filestore_svc.filestore_lab import Lab, Server


@pytest.fixture
def lab(tmp_path):
    """The service in this process."""
    made = Lab(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The service as a server."""
    made = Server(tmp_path_factory.mktemp("server"))
    yield made.start()
    made.program.kill()


@pytest.fixture(scope="session")
def s3(tmp_path_factory):
    """An S3 server."""
    made = S3Server(tmp_path_factory.mktemp("s3"))
    yield made
    made.program.kill()


@pytest.fixture(scope="session")
def virus_scanner():
    """A scanner that knows one virus."""
    made = VirusScanner()
    made.start()
    yield made
    made.close()


@pytest.fixture
def icap():
    """An ICAP server that does as it is told."""
    made = IcapServer()
    yield made
    made.close()


@pytest.fixture(params=["folder", "bucket"])
def scanned(request, tmp_path):
    """Makes the service with a scanner, over either store; `left` returns the bytes that the store holds."""
    settings = None
    if request.param == "bucket":
        s3 = request.getfixturevalue("s3")
        bucket = s3.bucket()
        place = {"bytes_url": f"s3://{bucket}/hub", "s3_endpoint": s3.url}
        settings = Settings(data=str(tmp_path), s3_key_id=KEY_ID, s3_secret=SECRET, **place)
    made = []

    def make(url, *, more=None, **scan):
        made.append(Lab(tmp_path, settings=settings, scan={"url": url, **scan}, **(more or {})))
        return made[-1]

    def left():
        if request.param == "bucket":
            return s3.keys(bucket) + s3.unfinished(bucket)
        partial = (tmp_path / "state/filestore-svc/partial").iterdir()
        return [*made[-1].leftovers(), *made[-1].blobs(), *partial]

    make.left = left
    yield make
    for each in made:
        each.close()


@pytest.fixture
def icap_client():
    """A function that makes clients of ICAP servers, which are closed at the end."""
    made = []

    def make(url, tls=None, **scan):
        made.append(Scanner(Scan(place=ScannerPlace.of(url), **{"timeout": 10.0, **scan}), tls))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def scanner(icap, icap_client):
    """A client of the ICAP server."""
    return icap_client(icap.url())


@pytest.fixture(params=["folder", "bucket"])
def stored(request, tmp_path):
    """The service over each kind of store."""
    settings = None
    if request.param == "bucket":
        s3 = request.getfixturevalue("s3")
        place = {"bytes_url": f"s3://{s3.bucket()}/hub", "s3_endpoint": s3.url}
        settings = Settings(data=str(tmp_path), s3_key_id=KEY_ID, s3_secret=SECRET, **place)
    made = Lab(tmp_path, settings=settings)
    yield made
    made.close()
