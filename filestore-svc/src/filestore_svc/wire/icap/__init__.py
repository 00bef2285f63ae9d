"""Have contents scanned over ICAP (RFC 3507)."""

from filestore_svc.wire.icap.errors import Blocked, ScannerAway, ScannerSilent
from filestore_svc.wire.icap.scanner import Scanner
from filestore_svc.wire.icap.transactions import ScanTransaction

__all__ = ["Blocked", "ScanTransaction", "Scanner", "ScannerAway", "ScannerSilent"]
