"""Limit the rate of requests of each client."""

import threading
import time
from collections.abc import Callable

_MAX_CLIENTS = 20_000


class RateLimiter:
    """A token bucket for each client: `burst` requests at once, `rate` a second in the long run."""

    def __init__(self, rate: int, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = max(burst, 1)
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait(self, client: str) -> int:
        """Count a request of a client; return 0, or the whole seconds after which it may try again."""
        if not self._rate:
            return 0
        now = self._clock()
        with self._lock:
            tokens, at = self._buckets.pop(client, (float(self._burst), now))
            tokens = min(self._burst, tokens + (now - at) * self._rate)
            allowed = tokens >= 1
            # Inserted last, so that the first entry is the client that has sent nothing for the longest time.
            self._buckets[client] = (tokens - 1 if allowed else tokens, now)
            if len(self._buckets) > _MAX_CLIENTS:
                del self._buckets[next(iter(self._buckets))]
        return 0 if allowed else max(1, int((1 - tokens) / self._rate) + 1)
