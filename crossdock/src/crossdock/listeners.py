"""Open the sockets that the hub listens on, and find the certificate of the HTTPS one."""

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from crossdock import certificate
from crossdock.errors import CannotStart

_BACKLOG: Final = 2048


@dataclass(frozen=True)
class Listeners:
    """The plain socket and, with `tls` (certificate, key), the one for HTTPS.

    `certificates` is the folder of the self-signed certificate, None where the operator gave another one.
    """

    sockets: tuple[socket.socket, ...]
    tls: tuple[Path, Path] | None = None
    certificates: Path | None = None

    @property
    def ports(self) -> list[int]:
        """The port of each socket."""
        return [listener.getsockname()[1] for listener in self.sockets]

    def renew_certificate(self) -> bool:
        """Renew the self-signed certificate where it is due; return whether it was renewed."""
        return self.certificates is not None and certificate.renew(self.certificates)

    def close(self) -> None:
        """Close the sockets in this process."""
        for listener in self.sockets:
            listener.close()


def listen(host: str, port: int, https_port: int | None, settings: Mapping[str, str], certificates: Path) -> Listeners:
    """Bind and listen; CannotStart names the port that is taken, or the certificate that cannot be used."""
    tls = None if https_port is None else _given_certificate(settings)
    ports = (port,) if https_port is None else (port, https_port)
    sockets = tuple(_bound(host, number) for number in ports)
    if https_port is None or tls is not None:
        return Listeners(sockets, tls)
    return Listeners(sockets, certificate.ensure(certificates), certificates)


def _bound(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        raise CannotStart(f"cannot listen on {host} port {port}: {error.strerror}") from error
    listener.listen(_BACKLOG)
    return listener


def _given_certificate(settings: Mapping[str, str]) -> tuple[Path, Path] | None:
    """Return the paths of the operator's certificate and key; CannotStart where they cannot be used together."""
    given = settings.get("MFT_TLS_CERT"), settings.get("MFT_TLS_KEY")
    if any(given) and not all(given):
        raise CannotStart("MFT_TLS_CERT and MFT_TLS_KEY belong together: set both or neither")
    if given[0] and given[1]:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(given[0], given[1])
        except (OSError, ssl.SSLError) as error:
            raise CannotStart(f"MFT_TLS_CERT and MFT_TLS_KEY are no pair that can be used: {error}") from error
        return Path(given[0]), Path(given[1])
    return None
