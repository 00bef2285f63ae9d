"""Reach the objects below one prefix of a bucket that speaks S3."""

from mft_common.endpoints.s3.endpoint import S3Endpoint, open_s3

__all__ = ["S3Endpoint", "open_s3"]
