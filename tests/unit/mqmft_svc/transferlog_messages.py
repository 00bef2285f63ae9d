"""Messages of an MFT network, written for these tests from the names of the schema's elements."""

from xml.sax.saxutils import escape, quoteattr

ID = "414d51204d4654484142524f5554452e51a20000c0ffee01"
HEAD = (
    '<sourceAgent agent="QUAY" QMgr="QMHARBOUR"><systemInfo architecture="riscv" name="Plan 9"/></sourceAgent>'
    '<destinationAgent agent="SHED" QMgr="QMINLAND"/>'
    "<originator><hostName> crane-7 </hostName><userID>dana</userID><mqmdUserID>dana        </mqmdUserID></originator>"
)
FROM_QUEUE = """
<item mode="text">
  <source type="queue" disposition="delete"><queue messageCount="4" setMqProps="true">IN@QMHARBOUR</queue></source>
  <destination type="file" exist="error"><file size="7" encoding="UTF-8" EOL="CRLF">/a</file></destination>
  <status resultCode="0"/>
</item>"""
FROM_DATASET = """
<item mode="binary">
  <source type="dataset"><dataset size="80" attributes="RECFM(F)">//HLQ.A</dataset></source>
  <destination type="queue">
    <queue messageCount="2" messageLength="40" messageId="aa" groupId="bb" delimiterType="binary" delimiter="2"
      delimiterPosition="postfix" includeDelimiterInMessage="no">OUT@QMINLAND</queue>
  </destination>
  <status resultCode="0"/>
</item>"""
FROM_MEMBER = '<item mode="binary"><source type="pds"><file size="3">//HLQ.P(M)</file></source></item>'
# A few messages that cannot be read, for tests of what becomes of them.
HOSTILE_BODIES = (
    b"",
    b"\xff\xfe\x00 no text",
    b"<transaction>",
    b"<transaction>" + b"<a>" * 5_000 + b"</a>" * 5_000 + b"</transaction>",
    b'<!DOCTYPE transaction [<!ENTITY a "b">]><transaction ID="A1">&a;</transaction>',
    b'<transaction ID="A1"><action time="2026-05-04T21:00:00Z">paused</action></transaction>',
)
PROPERTIES = {"com.ibm.wmqfte.JobName": "evening", "com.ibm.wmqfte.Priority": "0", "consignment": "K-77"}


def at(millis):
    """Return a time of the test day in the form of the messages."""
    return f"2026-05-04T21:00:{millis // 1000:02d}.{millis % 1000:03d}Z"


def transaction(content, *, id_=ID, schema="TransferLog", scheme="http", version="6.00"):
    """Wrap the content of a message."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><transaction version="{version}" ID="{id_}" agentRole="sourceAgent" '
        f'xmlns:xsi="{scheme}://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="{schema}.xsd" '
        f'xmlns="">{content}</transaction>'
    ).encode()


def transfer_set(items="", *, total=2, index=None, size=None, sent=0, began=20, properties=PROPERTIES):
    """Return the set of a message."""
    place = "" if index is None else f' index="{index}" size="{size}"'
    metadata = "".join(
        f"<metaData key={quoteattr(key)}>{escape(value)}</metaData>" for key, value in properties.items()
    )
    return (
        f'<transferSet startTime="{at(began)}" total="{total}" bytesSent="{sent}"{place}>'
        f"<metaDataSet>{metadata}</metaDataSet>{items}</transferSet>"
    )


def item(number, *, code=0, supplement="", size=100):
    """Return an item that was copied from a file to a file."""
    more = f"<supplement>{escape(supplement)}</supplement>" if supplement else ""
    digest = f"{number:032X}"
    return (
        '<item mode="binary"><source disposition="delete" type="file">'
        f'<file size="{size}" last-modified="{at(5)}">/out/{number}.csv</file>'
        f'<checksum method="MD5">{digest}</checksum></source><destination type="file" exist="overwrite">'
        f'<file size="{size}" last-modified="{at(40)}">/in/{number}.csv</file>'
        f'<checksum method="MD5">{digest}</checksum></destination>'
        f'<status resultCode="{code}">{more}</status></item>'
    )


def log(action, time, content, **more):
    """Return a message of the log."""
    return transaction(f'<action time="{at(time)}">{action}</action>{HEAD}{content}', **more)


def started(time=10, *, total=2, **more):
    """Return the first message of a transfer."""
    return log("started", time, transfer_set(total=total), **more)


def progress(time, items, *, index=0, total=2, sent=0, **more):
    """Return a message about items that are done; `items` is their XML, one text each."""
    content = transfer_set("".join(items), total=total, index=index, size=len(items), sent=sent)
    return log("progress", time, content, **more)


def completed(
    time=90, *, code=0, supplement="", failures=0, warnings=0, retries=0, total=2, sent=200, action="completed", **more
):
    """Return the last message of a transfer."""
    told = f"<supplement>{escape(supplement)}</supplement>" if supplement else ""
    statistics = (
        f"<statistics><actualStartTime>{at(15)}</actualStartTime><retryCount>{retries}</retryCount>"
        f"<numFileFailures>{failures}</numFileFailures><numFileWarnings>{warnings}</numFileWarnings></statistics>"
    )
    content = f'<status resultCode="{code}">{told}</status>{transfer_set(total=total, sent=sent)}{statistics}'
    return log(action, time, content, **more)


def status(time, number, transferred, *, size=100, total=2, **more):
    """Return a message of TransferStatus about item `number`, counted from 0."""
    return transaction(
        '<sourceAgent agent="QUAY" QMgr="QMHARBOUR"/><destinationAgent agent="SHED" QMgr="QMINLAND"/>'
        f'<transferSet time="{at(time)}"><stats bytes="{transferred}" seconds="0.2" currentItem="{number + 1}" '
        f'totalItems="{total}"/><current transferred="{transferred}" size="{size}">'
        f'<source type="file"><file>/out/{number}.csv</file></source>'
        f'<destination type="file"><file>/in/{number}.csv</file></destination></current></transferSet>',
        schema="TransferStatus",
        **more,
    )
