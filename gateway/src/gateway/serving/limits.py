"""The limits of time, size and number that the server sets its clients."""

from dataclasses import dataclass

from mft_common.settings import duration, integer, setting, size


@dataclass(frozen=True, kw_only=True)
class ServingLimits:
    """The limits of one worker process. Times are seconds, sizes bytes; there is no limit on a whole transfer.

    A client that sends or takes a body must not pause for `idle`, and must transfer at least `rate` bytes a second of
    the time that the server waits for it, averaged over `rate_window`. While every thread is busy, the server gives up
    a client for which it has waited `saturated_after` and which has sent less than `saturated_rate`.
    """

    head_size: int = setting("GATEWAY_HEAD_SIZE", size, 64 << 10, doc="request line and header fields together")
    line_size: int = setting("GATEWAY_LINE_SIZE", size, 32 << 10, doc="the request line alone")
    head_fields: int = setting("GATEWAY_HEAD_FIELDS", integer, 100, doc="number of header fields")
    head_time: float = setting("GATEWAY_HEAD_TIME", duration, 20.0, doc="from the first byte of a head to its last")
    keepalive: float = setting("GATEWAY_KEEPALIVE", duration, 75.0, doc="idle time of a kept connection")
    idle: float = setting("GATEWAY_IDLE", duration, 60.0, doc="longest pause of a client within a body")
    rate: int = setting("GATEWAY_RATE", size, 256, doc="least bytes a second of a body; 0 is none")
    rate_window: float = setting("GATEWAY_RATE_WINDOW", duration, 30.0, doc="time over which that rate is taken")
    saturated_rate: int = setting("GATEWAY_SATURATED_RATE", size, 4 << 10, doc="least rate while every thread is busy")
    saturated_after: float = setting("GATEWAY_SATURATED_AFTER", duration, 5.0, doc="time over which that rate is taken")
    linger: float = setting("GATEWAY_LINGER", duration, 1.0, doc="how long an unread body is drained before closing")
    linger_size: int = setting("GATEWAY_LINGER_SIZE", size, 1 << 20, doc="how much of it is drained")
    connections: int = setting("GATEWAY_CONNECTIONS", integer, 4096, doc="open connections of one process")
    threads: int = setting("GATEWAY_THREADS", integer, 400, doc="requests in progress at once in one process")
    grace: float = setting("GATEWAY_GRACE", duration, 0.0, doc="how long new requests are taken after SIGTERM")
    drain: float = setting("GATEWAY_DRAIN", duration, 30.0, doc="how long requests in progress may take then")
    https_port: int | None = setting("GATEWAY_HTTPS_PORT", integer, None, doc="the listener that speaks TLS")
    tls_cert: str | None = setting("MFT_TLS_CERT", default=None, doc="PEM file with the certificate chain")
    tls_key: str | None = setting("MFT_TLS_KEY", default=None, doc="PEM file with its private key")
