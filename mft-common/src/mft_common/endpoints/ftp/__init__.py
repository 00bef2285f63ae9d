"""Reach files over FTP and FTPS, explicit and implicit, on the standard library's ftplib."""
