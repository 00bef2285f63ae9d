"""Items and payloads of managed transfers, as the worker of mqmft-svc gives them to a child."""

from mqmft_svc.domain.submissions import Destination, ItemRequest, Source

TOKEN = "414D5120514D312020202020202020203F0C71A200000017"


def item(source, destination, *, options=(), source_options=(), destination_options=()):
    """Return an item of two names, with the attributes that are not the defaults."""
    return ItemRequest(
        source=Source(name=source, **dict(source_options)),
        destination=Destination(name=destination, **dict(destination_options)),
        **dict(options),
    )


def payload(endpoints, source, destination, items, **changes):
    """Return the payload of a run between the roots of these URLs."""
    return {
        "transfer_id": TOKEN,
        "token": TOKEN,
        "items": [one.to_json() for one in items],
        "source": source,
        "destination": destination,
        "endpoints": endpoints.only(source, destination).to_json(),
        "retry_count": 0,
        "recover": False,
        "files": None,
        "patience_s": 5.0,
        "confirm_s": 5.0,
        "brokers": {"source": {"agent": "QUAY", "qmgr": "QM1"}, "destination": {"agent": "BANK", "qmgr": "QM2"}},
        "account": "mftadmin",
        "private": str(endpoints.folders.data / "private"),
        **changes,
    }
