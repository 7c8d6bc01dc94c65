"""The error tree, sorted by what the caller does about it.

FabriquayError
├── ConfigError   stop at start-up, exit status 2; names file, line, key and what to do
├── Retryable     a peer (store, broker, device) is away: wait with backoff and try again
└── Rejected      this input is malformed or unknown: record why and go on with the next

Anything else that is raised is a bug: it leaves the TaskGroup, the process ends, the supervisor restarts it.
"""

from collections.abc import Iterable


class FabriquayError(Exception):
    """Root of every error that this project raises on purpose."""


class ConfigError(FabriquayError):
    """What is wrong in the configuration, all of it at once; one problem per line.

    Each problem reads ``file:line: key: what is wrong; what to do``.
    """

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems: tuple[str, ...] = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class Retryable(FabriquayError):
    """A peer is away; nothing is lost by waiting."""


class Rejected(FabriquayError):
    """This input can never be accepted; `reason` is a short stable word, `str(error)` the whole story."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason: str = reason
        super().__init__(detail)
