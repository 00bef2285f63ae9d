"""Write what `crossdock up` prints when the hub is ready: addresses and, with the demo, a command per protocol."""


def listening(host: str, port: int, https_port: int | None = None) -> str:
    """Return the line with the addresses that the hub listens on."""
    shown = f"[{host}]" if ":" in host else host
    text = f"Crossdock listens on http://{shown}:{port}"
    return f"{text} and https://{shown}:{https_port}" if https_port else text


_OPEN_SESSION = (
    "<Request><Function>hostOpenSession</Function><ArgList><Argument>b3BlcmF0b3I=</Argument></ArgList></Request>"
)
_COMMANDS = (
    (
        "HTTP MFT: log in, upload a file, list its folder",
        "curl -s -c /tmp/crossdock.jar -d 'username=part1&password=partner1' {base}/2.0/login/basic",
        "echo 'hello dock' | curl -s -b /tmp/crossdock.jar -X PUT -F 'file=@-;type=text/plain' {base}/2.0/files/in/x",
        "curl -s -b /tmp/crossdock.jar '{base}/2.0/directories/in'",
    ),
    (
        "Diplomat MFT: connect, run a job, ask for its status",
        "curl -s -c /tmp/crossdock.dip '{dip}=connect&userID=me&userName=Administrator&password=diplomat123'",
        "curl -s -b /tmp/crossdock.dip '{dip}=runNow&transactionName=outboundSample&var=filename%7C301&var=ext%7Ctxt'",
        "curl -s -b /tmp/crossdock.dip '{dip}=transactionStatuses'",
    ),
    (
        "IBM MQ MFT: what has moved so far",
        "curl -s -u mftadmin:mftadmin {base}/ibmmq/rest/v2/admin/mft/transfer",
    ),
    (
        "Data Protector: open a session",
        f"curl -s -d '{_OPEN_SESSION}' {{base}}/dataprotector",
    ),
)


def demo(host: str, port: int) -> str:
    """Return one line of curl commands per protocol; each can be pasted as it is, in any order."""
    base = f"http://{host}:{port}"
    dip = f"{base}/diplomat/APIRequest?requestType"
    lines = [""]
    for title, *calls in _COMMANDS:
        lines += [title, "  " + " && ".join(call.format(base=base, dip=dip) for call in calls), ""]
    return "\n".join(lines)
