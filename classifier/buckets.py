"""How often something may be done: a bucket of permissions that fills by so many a second."""

import time


class Bucket:
    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._held = float(burst)
        self._filled = time.monotonic()

    def take(self) -> float:
        """Takes one and returns 0; or returns the seconds until there is one."""
        now = time.monotonic()
        self._held = min(self._burst, self._held + (now - self._filled) * self._rate)
        self._filled = now
        if self._held < 1:
            return (1 - self._held) / self._rate
        self._held -= 1
        return 0.0

    def give_back(self) -> None:
        self._held = min(self._burst, self._held + 1)
