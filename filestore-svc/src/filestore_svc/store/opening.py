"""Open the store of bytes that the settings name."""

from pathlib import Path

from filestore_svc.settings import Settings
from filestore_svc.store.blobs import Blobs
from filestore_svc.store.local_blobs import LocalBlobs


def open_blobs(settings: Settings) -> Blobs:
    """Return the folder or the bucket; ConfigError where the settings name neither."""
    kind, place = settings.bytes_place
    if kind == "file":
        return LocalBlobs(Path(place))
    # Imported here because it takes a good part of a start, and most hubs have no bucket.
    from filestore_svc.store.bucket import Bucket, BucketBlobs, BucketClient

    name, _, prefix = place.partition("/")
    bucket = Bucket(
        name=name,
        prefix=prefix,
        endpoint=settings.s3_endpoint,
        key_id=settings.s3_key_id,
        secret=settings.s3_secret or "",
    )
    return BucketBlobs(BucketClient(bucket))
