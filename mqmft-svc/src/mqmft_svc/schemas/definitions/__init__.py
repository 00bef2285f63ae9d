"""Read the definitions that the tools of IBM MQ Managed File Transfer write, as entries of crossdock.yaml."""

from mqmft_svc.schemas.definitions.documents import MAX_FILE, Definitions, DefinitionUnreadable, read_definitions

__all__ = ["MAX_FILE", "DefinitionUnreadable", "Definitions", "read_definitions"]
