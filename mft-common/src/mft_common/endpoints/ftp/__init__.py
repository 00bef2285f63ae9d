"""Reach files over FTP and FTPS, explicit and implicit, on the standard library's ftplib."""

from mft_common.endpoints.ftp.endpoint import FtpEndpoint, open_ftp

__all__ = ["FtpEndpoint", "open_ftp"]
