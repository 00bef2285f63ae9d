"""Read a message of the topics `SYSTEM.FTE/Log` or `SYSTEM.FTE/Transfers` as the change that it stands for."""

import hashlib
from collections import Counter
from typing import Final
from xml.etree.ElementTree import Element

from mft_common import xml
from mqmft_svc.domain.ids import is_id
from mqmft_svc.domain.states import is_final
from mqmft_svc.domain.transfers import COUNTERS, FINAL_SEQUENCE, LOG_SEQUENCE, Change, Head, Item
from mqmft_svc.schemas.transferlog.items import current_leaves, read_item
from mqmft_svc.schemas.transferlog.outcomes import state_of, supplement_of
from mqmft_svc.schemas.transferlog.values import MessageUnreadable, attribute, moment, number, text_of

MAX_MESSAGE: Final = 4 << 20
_MAX_ELEMENTS: Final = 200_000
_PROTOCOL: Final = "ibm-mq-mft"
# Keys of metadata that the agents themselves set; every other key is the user's.
_SYSTEM_KEYS: Final = "com.ibm.wmqfte."
# Messages of the same topics that are no transfer's: their roots begin so.
_OTHER_ROOTS: Final = ("monitor", "schedule")
# Messages of one millisecond are ordered by their content, so that the order of arrival never matters.
_TIE_BITS: Final = 12
_TIME_LIMIT: Final = 1 << 48


def read_message(body: bytes, network: str) -> Change | None:
    """Return the change of the record that a message of the network `network` stands for.

    None for messages of monitors, schedules and calls (196). MessageUnreadable for everything that is none of these:
    too large, not well-formed, with a DTD, without an id, a time or a known action.
    """
    if len(body) > MAX_MESSAGE:
        raise MessageUnreadable(f"the message has {len(body)} bytes; at most {MAX_MESSAGE} are read")
    try:
        root = xml.parse(body, max_elements=_MAX_ELEMENTS)
    except xml.XmlError as error:
        raise MessageUnreadable(str(error)) from error
    if root.tag.rpartition("}")[2].lower().startswith(_OTHER_ROOTS):
        return None
    if root.tag != "transaction":
        raise MessageUnreadable(f"the root element is {root.tag[:60]!r}, not 'transaction'")
    if root.find("sourceAgent") is None and root.find("agent") is not None:
        return None
    action = root.find("action")
    tie = int.from_bytes(hashlib.sha256(body).digest()[:2]) >> (16 - _TIE_BITS)
    if action is None:
        return _status_change(root, network, tie)
    return _log_change(root, action, network, tie)


def _id(root: Element) -> str:
    id_ = attribute(root, "ID").upper()
    if not is_id(id_):
        raise MessageUnreadable(f"the id {id_[:60]!r} is not 1 to 48 letters and digits")
    return id_


def _time(text: str) -> int:
    at = moment(text)
    if at is None:
        raise MessageUnreadable(f"the message has no time: {text[:60]!r}")
    return at


def _sequence(time: int, tie: int) -> int:
    return (min(time, _TIME_LIMIT - 1) << _TIE_BITS) | tie


def _log_change(root: Element, action: Element, network: str, tie: int) -> Change:
    word, time = (action.text or "").strip(), _time(attribute(action, "time"))
    transfer_set = root.find("transferSet")
    found = [] if transfer_set is None else list(transfer_set.iterfind("item"))
    read = [read_item(one, "inProgress" if word == "progress" else "") for one in found]
    status = root.find("status")
    state = state_of(word, status, Counter(outcome for _leaves, outcome in read))
    over = is_final(state)
    sequence = FINAL_SEQUENCE if over else LOG_SEQUENCE + _sequence(time, tie)
    first = number(attribute(transfer_set, "index")) or 0
    items = tuple(
        Item(position=first + place, sequence=sequence, leaves=leaves) for place, (leaves, _outcome) in enumerate(read)
    )
    began_at = moment(attribute(transfer_set, "startTime"))
    known = (moment(text_of(root, "statistics/actualStartTime")), began_at)
    return Change(
        id=_id(root),
        protocol=_PROTOCOL,
        network=network,
        time=time,
        sequence=sequence,
        state=state,
        description=supplement_of(status),
        counters=_counters(root, transfer_set),
        items=items,
        head=_head(root, 2 if over else 1, min((at for at in known if at is not None), default=time)),
        began_at=began_at,
        ended_at=time if over else None,
    )


def _status_change(root: Element, network: str, tie: int) -> Change:
    """Return the change of a status message: it shows one item on its way, and says nothing else of the transfer."""
    transfer_set = root.find("transferSet")
    if transfer_set is None:
        raise MessageUnreadable("the message has neither an action nor a transfer set")
    time = _time(attribute(transfer_set, "time"))
    current = transfer_set.find("current")
    items: tuple[Item, ...] = ()
    place = _current_place(transfer_set.find("stats"))
    if current is not None and place is not None:
        items = (Item(position=place, sequence=_sequence(time, tie), leaves=current_leaves(current)),)
    return Change(
        id=_id(root),
        protocol=_PROTOCOL,
        network=network,
        time=time,
        sequence=-1,
        state="started",
        description="",
        counters=dict.fromkeys(COUNTERS, 0),
        items=items,
        head=_head(root, 0, time),
    )


def _current_place(stats: Element | None) -> int | None:
    """Return the place of the item that a status message shows; None where it does not tell which of several it is."""
    told = number(attribute(stats, "currentItem"))
    if told is None:
        return 0 if number(attribute(stats, "totalItems")) == 1 else None
    # Items are counted from 1 here, and from 0 in the log.
    return told - 1 if told else None


def _counters(root: Element, transfer_set: Element | None) -> dict[str, int]:
    """Return what a message counts; how many files arrived follows from the end of the record."""
    files = number(attribute(transfer_set, "total")) or 0
    counters = dict.fromkeys(COUNTERS, 0) | {
        "files": files,
        "bytes_sent": number(attribute(transfer_set, "bytesSent")) or 0,
    }
    statistics = root.find("statistics")
    if statistics is not None:
        counters |= {
            "failures": number(text_of(statistics, "numFileFailures")) or 0,
            "warnings": number(text_of(statistics, "numFileWarnings")) or 0,
            "retries": number(text_of(statistics, "retryCount")) or 0,
        }
    return counters


def _head(root: Element, rank: int, submitted_at: int) -> Head:
    metadata = {
        attribute(each, "key"): (each.text or "").strip() for each in root.iterfind("transferSet/metaDataSet/metaData")
    }
    source, destination, originator = (root.find(each) for each in ("sourceAgent", "destinationAgent", "originator"))

    def known(given: str, key: str) -> str:
        return given or metadata.get(f"{_SYSTEM_KEYS}{key}", "")

    texts = {
        "source_agent": attribute(source, "agent"),
        "source_qmgr": attribute(source, "QMgr"),
        "destination_agent": attribute(destination, "agent"),
        "destination_qmgr": attribute(destination, "QMgr"),
        "host": known(text_of(originator, "hostName"), "OriginatingHost"),
        "account": known(text_of(originator, "userID"), "OriginatingUser"),
        "mqmd_user": known(text_of(originator, "mqmdUserID"), "MqmdUser"),
        "job_name": known(text_of(root, "job/name"), "JobName"),
    }
    own = {key: value for key, value in metadata.items() if key and not key.startswith(_SYSTEM_KEYS)}
    return Head(rank=rank, submitted_at=submitted_at, texts=texts, user_properties=own)
