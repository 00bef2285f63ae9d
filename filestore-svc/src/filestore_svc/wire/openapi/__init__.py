"""Describe the HTTP MFT REST API 2.0 of this service as an OpenAPI 3.1 document."""

from filestore_svc.wire.openapi.document import document

__all__ = ["document"]
