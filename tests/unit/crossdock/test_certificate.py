"""The self-signed certificate of the HTTPS port, over the years."""

import datetime
import ssl

import pytest
from cryptography import x509

from crossdock import certificate

NOW = datetime.datetime(2026, 11, 28, tzinfo=datetime.UTC)


def loaded(folder):
    return x509.load_pem_x509_certificate((folder / "tls.crt").read_bytes())


def test_it_is_kept_until_a_month_before_its_end(tmp_path):
    """Clients that trust the file need not fetch it anew at each start."""
    path, key = certificate.ensure(tmp_path, NOW)
    made = path.read_bytes()
    assert key.stat().st_mode & 0o777 == 0o600
    assert not certificate.renew(tmp_path, NOW + datetime.timedelta(days=790))
    assert path.read_bytes() == made


@pytest.mark.parametrize("days", [800, 825, 3000])
def test_it_is_renewed_before_and_after_its_end_with_the_key_that_it_had(tmp_path, days):
    """The new one is valid from then on for as long as the first one was."""
    _, key = certificate.ensure(tmp_path, NOW)
    first, secret = loaded(tmp_path), key.read_bytes()
    later = NOW + datetime.timedelta(days=days)
    assert certificate.renew(tmp_path, later)
    assert loaded(tmp_path).not_valid_before_utc <= later
    assert loaded(tmp_path).not_valid_after_utc == later + datetime.timedelta(days=825)
    assert loaded(tmp_path).public_key() == first.public_key()
    assert key.read_bytes() == secret


def test_a_certificate_of_another_key_is_made_anew(tmp_path):
    """A power cut between the two files leaves a new key beside the old certificate."""
    path, key = certificate.ensure(tmp_path, NOW)
    old = path.read_bytes()
    key.unlink()
    certificate.ensure(tmp_path, NOW)
    path.write_bytes(old)
    pair = certificate.ensure(tmp_path, NOW)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*pair)


@pytest.mark.parametrize("name", ["tls.crt", "tls.key"])
@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN"])
def test_a_pair_that_is_incomplete_is_made_whole(tmp_path, name, content):
    """A file that is missing or cut short is no reason not to start."""
    certificate.ensure(tmp_path, NOW)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    pair = certificate.ensure(tmp_path, NOW)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*pair)
