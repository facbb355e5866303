"""Everything that can go wrong, as one tree.

    SimsaError                      1   a bug of ours
    ├── InputError                  2   the user's input is wrong
    │   ├── ConfigError                 simsa.toml or a flag
    │   ├── DataError                   a test set, a predictions file, a labels file
    │   ├── RubricError                 a rubric or prompt file
    │   ├── AdapterError                an adapter or checkpoint folder that cannot be served
    │   ├── RunError                    a run folder that is missing, damaged, locked or too new
    │   └── MissingExtra                an optional library is not installed
    ├── GateFailed                  3   a gate was evaluated and did not hold
    ├── Unusable                    5   an endpoint or engine can't be used
    │   ├── EndpointError               unreachable, refused, gone
    │   ├── EngineError                 vLLM did not start, or died
    │   └── AdapterWithoutEffect        an adapter that answers just as its base does
    └── Interrupted               130   stopped by the user; resumable

A finished run in which rows stayed without a prediction or a score is not an
error: it ends with exit code `EXIT_INCOMPLETE`.

Foreign exceptions are translated into these once, where they enter.
"""

from __future__ import annotations

from simsa.text import one_line

EXIT_OK = 0
EXIT_INCOMPLETE = 4


class SimsaError(Exception):
    """A failure with a place and a remedy.

    `message` says what is wrong; `where` the file (and line or row); `field` the
    key; `found` what stood there; `hint` what to do about it. `str()` joins them.
    """

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        where: str | None = None,
        field: str | None = None,
        found: object = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.field = field
        self.found = found
        self.hint = hint

    def __str__(self) -> str:
        place = ": ".join(part for part in (self.where, self.field) if part)
        text = f"{place}: {self.message}" if place else self.message
        if self.found is not None:
            text += f" (found {_short(self.found)})"
        if self.hint:
            text += f"\n  → {self.hint}"
        return text


class InputError(SimsaError):
    exit_code = 2


class ConfigError(InputError):
    pass


class DataError(InputError):
    pass


class RubricError(InputError):
    pass


class AdapterError(InputError):
    pass


class RunError(InputError):
    pass


class MissingExtra(InputError):
    """An optional library is not installed; the hint is the command that installs it."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} needs a library that is not installed",
            hint=f"pip install 'simsa[{extra}]'",
        )


class GateFailed(SimsaError):
    exit_code = 3


class ServiceError(SimsaError):
    exit_code = 5


class EndpointError(ServiceError):
    pass


class EngineError(ServiceError):
    pass


class AdapterWithoutEffect(ServiceError):
    pass


class Interrupted(SimsaError):
    exit_code = 130


def _short(found: object, limit: int = 80) -> str:
    return one_line(found if isinstance(found, str) else repr(found), limit)
