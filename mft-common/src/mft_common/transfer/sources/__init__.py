"""Read-only endpoints that make source files: an archive of files, members of a checked archive, a kept copy."""

from mft_common.transfer.sources.kept_source import KeptSource
from mft_common.transfer.sources.members import MembersSource
from mft_common.transfer.sources.private_target import PrivateTarget
from mft_common.transfer.sources.zip_source import ZippedMember, ZipSource

__all__ = ["KeptSource", "MembersSource", "PrivateTarget", "ZipSource", "ZippedMember"]
