"""Have contents scanned over ICAP (RFC 3507)."""

from filestore_svc.wire.icap.errors import Blocked, ScannerAway, ScannerSilent
from filestore_svc.wire.icap.exams import Exam
from filestore_svc.wire.icap.scanner import Scanner

__all__ = ["Blocked", "Exam", "Scanner", "ScannerAway", "ScannerSilent"]
