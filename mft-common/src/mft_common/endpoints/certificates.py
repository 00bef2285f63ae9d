"""Tell a refused certificate from a broken connection, through the layers of an HTTP library's errors."""

import ssl


def is_certificate_error(error: BaseException) -> bool:
    """Return True when `error`, its cause or an error among its arguments says that a certificate was not accepted."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, ssl.SSLCertVerificationError):
            return True
        inner = (each.__cause__, each.__context__, getattr(each, "reason", None), *each.args)
        waiting += [one for one in inner if isinstance(one, BaseException)]
    return False
