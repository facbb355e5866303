"""The exceptions of simsa, as one tree, with the exit code of each.

    SimsaError                      1   a bug of ours
    ├── InputError                  2   the user's input is wrong
    │   ├── ConfigError                 simsa.toml or a flag
    │   ├── DataError                   a test set, a predictions file, a labels file
    │   ├── RubricError                 a rubric or prompt file
    │   ├── AdapterError                an adapter or checkpoint folder that cannot be served
    │   ├── RunError                    a run folder that is missing, damaged, locked or too new
    │   └── MissingExtra                an optional library is not installed
    ├── GateFailed                  3   a gate was evaluated and did not hold
    ├── ServiceError                5   an endpoint or engine can't be used
    │   ├── EndpointError               unreachable, refused, gone
    │   ├── EngineError                 vLLM did not start, or died
    │   └── AdapterWithoutEffect        an adapter that answers just as its base does
    └── Interrupted               130   stopped by the user; resumable

A finished run in which some rows have no prediction or no score is not an error: it ends
with exit code `EXIT_INCOMPLETE`. Exceptions of other libraries are translated into these at
the edge, where the library is called.
"""

from __future__ import annotations

from simsa.i18n.language import LANGUAGES, Language, LocalizedText, localize
from simsa.i18n.messages import msg
from simsa.text import one_line

EXIT_OK = 0
EXIT_INCOMPLETE = 4


class SimsaError(Exception):
    """An error with its place and a remedy.

    `message` says what is wrong, `where` names the file (and line or row), `field` the key, `found` is the
    value that was read, `hint` says what to do. `message` and `hint` may be texts of `simsa.i18n.msg`. `str()` joins all
    parts in English, `localized()` in both languages.
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
        return self._in("en")

    def localized(self) -> LocalizedText:
        """The whole text in both languages."""
        ko, en = (self._in(language) for language in LANGUAGES)
        return LocalizedText(en, ko)

    def _in(self, language: Language) -> str:
        parts = [self.where, self.field, localize(self.message, language)]
        text = ": ".join(part for part in parts if part)
        if self.found is not None:
            text += f" ({localize(msg('error.found', found=_short(self.found)), language)})"
        if self.hint:
            text += f"\n  → {localize(self.hint, language)}"
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
        super().__init__(msg("error.missing_extra", what=what), hint=f"pip install 'simsa[{extra}]'")


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
