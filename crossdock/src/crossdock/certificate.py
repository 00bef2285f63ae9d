"""Make and renew the self-signed certificate of the HTTPS port."""

import datetime
import ipaddress
import os
import socket
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFE: Final = datetime.timedelta(days=825)
_RENEWED_BEFORE: Final = datetime.timedelta(days=30)


def ensure(folder: Path, now: datetime.datetime | None = None) -> tuple[Path, Path]:
    """Return the paths of certificate and key in `folder`, made or renewed where that is due; the key has mode 0600."""
    renew(folder, now)
    return folder / "tls.crt", folder / "tls.key"


def renew(folder: Path, now: datetime.datetime | None = None) -> bool:
    """Make the certificate where it is missing, unreadable, of another key or near its end; return whether it was made.

    The key stays, so that clients that pinned it are not cut off.
    """
    now = now or datetime.datetime.now(datetime.UTC)
    certificate, key = folder / "tls.crt", folder / "tls.key"
    secret = _load_key(key)
    if secret is not None and _suits(certificate, secret, now + _RENEWED_BEFORE):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    if secret is None:
        secret = ec.generate_private_key(ec.SECP256R1())
        private = secret.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        _write(key, private, 0o600)
    _write(certificate, _make(secret, now).public_bytes(serialization.Encoding.PEM), 0o644)
    return True


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey | None:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError):
        return None
    return key if isinstance(key, ec.EllipticCurvePrivateKey) else None


def _suits(path: Path, secret: ec.EllipticCurvePrivateKey, moment: datetime.datetime) -> bool:
    """Return whether the certificate in `path` is that of the key, and ends after `moment`."""
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
        return found.not_valid_after_utc > moment and found.public_key() == secret.public_key()
    except (OSError, ValueError, UnsupportedAlgorithm):
        return False


def _make(secret: ec.EllipticCurvePrivateKey, now: datetime.datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Crossdock hub")])
    names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.DNSName(socket.gethostname())]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in ("127.0.0.1", "::1")]
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(secret, hashes.SHA256())
    )


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a file whole or not at all: a web process may read it at any time."""
    temporary = path.with_name(f".{path.name}.part")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
