"""Messages and definitions with faults anywhere are read or refused, and never end in another error."""

import contextlib
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from mqmft_svc.domain.transfers import new_transfer
from mqmft_svc.schemas.definitions import Definitions, DefinitionUnreadable, read_definitions
from mqmft_svc.schemas.documents import whole_document
from mqmft_svc.schemas.transferlog import MessageUnreadable, read_message
from tests.unit.mqmft_svc import definition_samples, transferlog_messages

MESSAGES = (
    transferlog_messages.started(),
    transferlog_messages.progress(50, [transferlog_messages.FROM_QUEUE, transferlog_messages.FROM_DATASET]),
    transferlog_messages.completed(supplement="BFGRP0032I: well"),
    transferlog_messages.status(30, 1, 64),
)
DEFINITIONS = tuple(
    document.encode()
    for document in (
        definition_samples.TEMPLATE,
        definition_samples.REQUEST,
        definition_samples.SCHEDULES,
        definition_samples.monitor(),
        definition_samples.monitor("<queueNotEmpty/>", resource="<queue>IN</queue>"),
    )
)
# What is put in the place of a part of a document; most of it is well-formed, and reaches the code behind the parser.
PIECES = st.one_of(
    st.sampled_from(
        [b"", b"-1", b"9" * 30, b"\xd9\xa3", b"&#9;", b"<a/>", b"</a>", b'"', b"true", b"T", b"Z", b"0000", b"\xff"]
    ),
    st.binary(max_size=3),
    st.text(max_size=3).map(lambda text: text.encode("utf-8", "surrogatepass")),
)


VALUES = re.compile(rb'(?<==")[^"]*(?=")|(?<=>)[^<]+(?=<)|<[^>]*>')


@st.composite
def damaged(draw, documents):
    """A document with up to three parts replaced: whole values or tags, or a few bytes anywhere."""
    body = draw(st.sampled_from(documents))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(body)))
        end = draw(st.integers(start, min(len(body), start + 8)))
        parts = [found.span() for found in VALUES.finditer(body)]
        if parts and draw(st.booleans()):
            start, end = draw(st.sampled_from(parts))
        body = body[:start] + draw(PIECES) + body[end:]
    return body


@settings(max_examples=600)
@given(damaged(MESSAGES))
def test_193_a_damaged_message_is_read_or_refused(body):
    """Item 193: what is read of it makes a transfer whose numbers a database can hold."""
    with contextlib.suppress(MessageUnreadable):
        change = read_message(body, "mq")
        if change is None:
            return
        transfer = new_transfer(change, "QM1")
        transfer.apply(change)
        whole_document(transfer, change.items)
        numbers = [*change.counters.values(), change.time, change.sequence, *(one.position for one in change.items)]
        assert all(-1 <= number < 2**63 for number in numbers)


@settings(max_examples=600)
@given(damaged(DEFINITIONS))
def test_a_damaged_definition_is_read_or_refused(body):
    """Each part that is not carried over is noted in one line."""
    found = Definitions()
    with contextlib.suppress(DefinitionUnreadable):
        read_definitions(body, "d.xml", found)
        found.finish()
    assert all("\n" not in note for note in found.notes)
