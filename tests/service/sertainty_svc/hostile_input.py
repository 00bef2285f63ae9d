"""Hostile input for the Data Protector service, from a seeded generator: the same cases in each run."""

import base64
import json
import random

from sertainty_svc.domain.functions import FUNCTIONS
from tests.service.sertainty_svc.protector import b64

NAMES = (
    "night", "a.iic", "a.py", "*", "n", "seal", "Unrestricted", "Auto-Protect (change)", "", " ", ".", "..",
    "../../etc/passwd", "/etc/passwd", "a/b", "a\\b", "..\\..\\x", "C:\\x", "a:b", "CON", "nul.txt", "COM1",
    "com9.a.b", ".hidden", "a ", "a.", "a\x00b", "a\nb", "a\x7f", "a\x85", "a\u2028b", "\ufeffa", "a\u202eb",
    "\uffff", "\U0001f600" * 63, "é" * 127, "é" * 128, "x" * 255, "x" * 256, "%2e%2e%2f", "${jndi:x}",
    "'; DROP TABLE task; --", "&amp;", "<b/>", "]]>", '"', "a\tb", "\ud7ff", "\ue000", "NaN", "-1", "None",
    "filestore:/a", "~", "$HOME", "`id`", "a|b",
)  # fmt: skip
TOKENS = (
    b"<", b">", b"&", b"&amp;", b"&x;", b"&#0;", b"&#xFFFF;", b"&#x110000;", b"]]>", b"<![CDATA[", b"<!--", b"-->",
    b"<?x?>", b"<!DOCTYPE a>", b'<!DOCTYPE a [<!ENTITY b "c">]>', b'<?xml version="1.0" encoding="utf-16"?>',
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"=", b"==", b"_",
    b"-", b"<Argument/>", b"<Argument>", b"</Argument>", b"<Session/>", b"<Function>", b"</ArgList>",
    b'name="session-id"', b" xmlns='urn:x'", b"xml:lang='x'", b"x:y", b"\x0b", b"\x1f", b"\x7f", b"\r", b"\n",
    b"<a>" * 40, b"9" * 400, b"-1", b"1e999", b"0x10", b"true", b"TRUE", b"..", b"../", b"/etc", b"filestore:/",
    b"*", b"[", b"[!", b"(?P<", b"{}",
)  # fmt: skip
VALUES = (
    "", " ", "true", "false", "TRUE", "1", "0", "-1", "-2", "23", "24", "59", "60", "31", "32", "86400", "86401",
    "1.5", "1e5", "٣", "1" * 18, "1" * 19, "1" * 5000, "NaN", "inf", "0x1", "+1", "1_0", "00", "02:30", "24:00",
    "2:30", "UTC", "utc", "Europe/Amsterdam", "Europe", "../../etc/passwd", "/etc/localtime", "localtime",
    "posixrules", "x" * 5000, "a\nb", "in", "out", "/", "//", "/etc", ".", "./in", "in/../../x", "in/..x",
    "filestore:", "filestore:/", "filestore:a", "filestore:/a/../b", "Change", "Time", "Copy", "Move", "Script",
    "AutoProtect", "AutoUnprotect", "Delete", "Archive", "[", "[!]", "[z-a]", "***", "*a" * 400, "a.iic", "a.py",
    "CON", "2026-12-31T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-12-31",
    "1970-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-W01-1T00:00:00Z",
)  # fmt: skip
DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
WINDOW = (
    *("Enabled", "TimeZone", *(f"Day{day}" for day in DAYS)),
    *(f"{end}{part}" for end in ("Start", "End") for part in ("Hour", "Minute", "Day", "Month", "Year")),
)
TASK = {
    "": (
        "Enabled", "Description", "Action", "ID", "Script", "SettleSeconds", "AfterSuccess", "Replace", "TimeLimit",
        "Retries",
    ),
    "Folders": ("Source", "Destination", "Failed", "Archive"),
    "Filter": ("Include", "Exclude", "Recurse"),
    "Schedule": ("Interval", "At", *WINDOW),
    "Parameters": ("Parameter",),
}  # fmt: skip
RULES = {
    "GeneralSetup": ("Expiration", "ExpirationDays"),
    "RestrictionsSetup": ("HardwareDeny", "ScheduleDeny"),
    "ScheduleSetup": WINDOW,
}
GOOD = {
    "Enabled": "true", "Action": "Copy", "Source": "in", "Destination": "out", "Failed": "failed", "Archive": "done",
    "Interval": "60", "Recurse": "false", "Replace": "false", "ScheduleDeny": "true", "HardwareDeny": "false",
    "Expiration": "2030-01-01T00:00:00Z", "ExpirationDays": "30", "TimeZone": "UTC", "StartHour": "8", "EndHour": "18",
}  # fmt: skip
REQUIRED = frozenset(("Action", "Source", "Destination"))
KNOWN = {"config-name": "night", "task-name": "seal"}
# The arguments that hold a document, and what a client sends in them.
_FINGERPRINT = (
    "<Configuration id='c' name='n'><Device id='d' name='n'><MachineUUID>u</MachineUUID><PublicKey algorithm='X25519'>"
    f"{base64.b64encode(bytes(32)).decode()}</PublicKey></Device></Configuration>"
)


class Hostile:
    """Makes cases; `random` decides about each of them."""

    def __init__(self, seed, session, known_id):
        self.random = random.Random(seed)
        self.session = session
        self.known_id = known_id

    def mutated(self, data, most=6):
        """Return bytes with some of them changed, left out, repeated, or with tokens between them."""
        data = bytearray(data)
        for _ in range(self.random.randint(1, most)):
            at = self.random.randrange(len(data) + 1)
            match self.random.randrange(5):
                case 0:
                    data[at:at] = self.random.choice(TOKENS)
                case 1:
                    del data[at : at + self.random.choice((1, 1, 2, 8, 64))]
                case 2:
                    data[at : at + 1] = self.random.randbytes(1)
                case 3:
                    data[at:at] = data[at : at + self.random.randint(1, 60)]
                case _:
                    data[at : at + 8] = self.random.choice(TOKENS)
        return bytes(data)

    def leaves(self, tags):
        """Return some leaves of a document, mostly of good form."""
        parts = []
        for tag in tags:
            if tag in REQUIRED or self.random.random() < 0.15:
                good = tag in GOOD and self.random.random() < 0.95
                value = GOOD[tag] if good else self.random.choice(VALUES)
                name = f' name="{self.random.choice(("a", "B_1", "", "1a", "é"))}"' if tag == "Parameter" else ""
                parts.append(f"<{tag}{name}>{value}</{tag}>" * self.random.choice((*[1] * 30, 2)))
        return "".join(parts)

    def task(self):
        """Return a Task."""
        inner = "".join(
            f"<{part}>{self.leaves(tags)}</{part}>" if part else self.leaves(tags)
            for part, tags in TASK.items()
            if part in {"", "Folders"} or self.random.random() < 0.4
        )
        name = (
            self.random.choice((*["seal"] * 40, "n", *NAMES))
            .replace("&", "&amp;")
            .replace("<", "&lt;")
            .replace('"', "&quot;")
        )
        return (
            f'<Task name="{name}" type="{self.random.choice((*["Change"] * 9, "Time", "change", ""))}">{inner}</Task>'
        )

    def preset(self):
        """Return a preset with rules."""
        kinds = [one for one in RULES if self.random.random() < 0.6]
        rules = "".join(f'<Rule name="{kind}">{self.leaves(RULES[kind])}</Rule>' for kind in kinds)
        return f'<Preset name="Mine"><Rules>{rules}</Rules></Preset>'

    def document(self, argument):
        """Return the bytes of a document for an argument, most of them well-formed."""
        match argument:
            case "tasks-contents":
                made = f"<Tasks>{''.join(self.task() for _ in range(self.random.randint(0, 3)))}</Tasks>"
            case "task-definition":
                made = self.task()
            case "preset-contents":
                made = self.preset()
            case "id-contents":
                made = self.known_id
            case "machine-fingerprint":
                made = _FINGERPRINT
            case _:
                made = "#!/bin/sh\nSCRIPT-SECRET\n"
        data = made if isinstance(made, bytes) else made.encode("utf-8", "surrogatepass")
        return self.mutated(data) if self.random.random() < 0.3 else data

    def content(self, function, argument):
        """Return the content of an Argument, mostly Base64."""
        if argument in KNOWN and function != "configDelete" and self.random.random() < 0.7:
            value = KNOWN[argument].encode()
        elif argument.endswith("-name") or argument in {"client-user", "alter-option"}:
            pool = (
                *(one for one in NAMES if one != "night"),
                "operator",
                "reader",
                "auditor",
                "outcast",
                "Enable",
                "DISABLE",
            )
            value = self.random.choice(pool).encode("utf-8", "surrogatepass")
        elif argument == "prompt-n":
            value = self.random.choice(("Rotterdam", "7", "\x00", "x" * 5000)).encode()
        elif argument == "session-id":
            value = self.random.choice((self.session, "x" * 43, "")).encode()
        else:
            value = self.document(argument)
        text = b64(value)
        if self.random.random() < 0.1:
            text = self.random.choice(
                (text[:-1], text + "=", f" {text[:3]}\n{text[3:]}", text.replace("A", "-"), "é", "====")
            )
        return text

    def call(self):
        """Return a call of a function: its name, and the envelope."""
        function = self.random.choice([one for one in FUNCTIONS if one.name != "hostCloseSession"])
        arguments = [one.removesuffix("*") for one in function.args]
        if function.extensions and self.random.random() < 0.6:
            arguments.append(self.random.choice(function.extensions))
        if self.random.random() < 0.1:
            self.random.shuffle(arguments)
            arguments = arguments[: self.random.randint(0, 3)] * self.random.choice((1, 2))
        written = []
        for one in arguments:
            named = one in function.extensions or self.random.random() < 0.3
            name = f' name="{one}"' if named else self.random.choice(("", "", ' name="x"', ' name=""'))
            written.append(f"<Argument{name}>{self.content(function.name, one)}</Argument>")
        session = (
            self.session if self.random.random() < 0.95 else self.random.choice(("", "x" * 43, b64(self.session), "é"))
        )
        return function.name, (
            f"<Request><Session>{session}</Session><Function>{function.name}</Function>"
            f"<ArgList>{''.join(written)}</ArgList></Request>"
        ).encode()

    def metadata(self):
        """Return the clear metadata of a protected file whose writer is not ours."""
        name = self.random.choice(
            (*NAMES, "x" * 1024, "/tmp/evil", "a\u0000", "\ud800", "out/../../evil", 7, None, ["a"])
        )
        size = self.random.choice((3, 3, 3, 0, -1, 1 << 70, 3.0, True, "3", None))
        mtime = self.random.choice((None, 0, 1, -1, 1 << 63, -(1 << 63), 1.5, "x", 1_700_000_000_123_456_789))
        at = self.random.choice(("2026-01-31T12:00:00Z", "2026-01-31", "", 5, "0001-01-01T00:00:00+23:59"))
        value = {"name": name, "size": size, "mtime_ns": mtime, "protected": at}
        if self.random.random() < 0.1:
            value.pop(self.random.choice(tuple(value)))
        data = json.dumps(value).encode()
        return self.mutated(data, 2) if self.random.random() < 0.2 else data
