"""Store contents as objects of a bucket that speaks S3."""

from filestore_svc.store.bucket.blobs import BucketBlobs
from filestore_svc.store.bucket.client import Bucket, BucketClient

__all__ = ["Bucket", "BucketBlobs", "BucketClient"]
