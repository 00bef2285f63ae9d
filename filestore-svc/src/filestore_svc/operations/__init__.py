"""Do what the calls of the HTTP MFT REST API and of the internal interface ask for: one method for each."""

from filestore_svc.operations.heart import Operations
from filestore_svc.operations.internal import Internal

__all__ = ["Internal", "Operations"]
