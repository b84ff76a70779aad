"""What can go wrong on the way to a provider, and what follows from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

from orchestrator.errors import RetinueError
from orchestrator.model.base import ModelSpec
from orchestrator.model.providers import Provider

_WORDS = 300
"""Characters of a provider's own message that are shown."""

_STATUS_OF_TYPE = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "insufficient_quota": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "api_error": 500,
    "server_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""What an error inside a stream, which has no status of its own, amounts to."""


class ProviderFault(RetinueError):
    """A provider, or the way to it, failed; the words quote no secret.

    What a builder's model raises while it streams. It never leaves this room: a chain turns it
    into ModelRefusedError or ModelUnavailable.
    """

    def __init__(
        self, words: str, *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        self.words = words
        self.status = status
        self.retry_after = retry_after
        """Seconds the provider asks to wait."""
        super().__init__(words if status is None else f"{status}: {words}")

    @property
    def final(self) -> bool:
        """Asking the same model the same thing again would fail again."""
        return self.status is not None and 400 <= self.status < 500 and self.status not in _PASSING


_PASSING = (408, 409, 425, 429)


def fault_from_response(
    status: int | None, body: object, headers: Mapping[str, str], *, fallback: str, secret: str
) -> ProviderFault:
    """The fault an error response, or an error event inside a stream, amounts to.

    `fallback` are the words when the body has none; `secret` is taken out of all words.
    """
    error = _error_object(body)
    kinds = [str(error.get(name)) for name in ("type", "code") if error.get(name)]
    named = next((_STATUS_OF_TYPE[kind] for kind in kinds if kind in _STATUS_OF_TYPE), None)
    if named == 402 or status is None or status < 400:
        code = error.get("code")
        status = named or (code if isinstance(code, int) and code >= 400 else 500)
    words = error.get("message")
    return ProviderFault(
        plain(words if isinstance(words, str) and words else fallback, secret),
        status=status,
        retry_after=_seconds(headers),
    )


def plain(words: str, secret: str) -> str:
    """The words on one line, shortened, without the secret."""
    line = " ".join((words.replace(secret, "…") if len(secret) >= 8 else words).split())
    return line if len(line) <= _WORDS else line[: _WORDS - 1] + "…"


def explain(provider: Provider, spec: ModelSpec, base_url: str | None, fault: ProviderFault) -> str:
    """One sentence for a person: who failed, how, and what to do about it."""
    said = f"({fault.status}: {fault.words})" if fault.status else f"({fault.words})"
    where = "in the environment or in the profile's .env"
    match fault.status:
        case 401 if provider.key:
            return f"{provider.title} refuses the key {said}; set a valid {provider.key} {where}"
        case 402:
            behind = f" behind {provider.key}" if provider.key else ""
            return (
                f"{provider.title}: the account{behind} is out of credit {said}; "
                "add credit there, or name another model"
            )
        case 401 | 403:
            return f"{provider.title} does not allow {str(spec)!r} {said}; name another model"
        case 404 if provider.name == "ollama":
            return f"Ollama does not have {spec.model!r} {said}; run: ollama pull {spec.model}"
        case 404:
            at = f" at {base_url}" if base_url and base_url != provider.base_url else ""
            return (
                f"{provider.title}{at} does not know the model {spec.model!r} {said}; "
                "check its name, or name another"
            )
        case _ if fault.final:
            return f"{provider.title} rejects the request to {str(spec)!r} {said}"
        case _:
            at = f" at {base_url}" if base_url and fault.status is None else ""
            return f"{spec}{at}: {fault}"


def _error_object(body: object) -> dict[str, Any]:
    """The object with `message`, `type` and `code`, at whichever depth a provider puts it."""
    if not isinstance(body, dict):
        return {}
    outer = cast("dict[str, Any]", body)
    inner = outer.get("error")
    if isinstance(inner, dict):
        return cast("dict[str, Any]", inner)
    return {"message": inner} if isinstance(inner, str) else outer


def _seconds(headers: Mapping[str, str]) -> float | None:
    """`Retry-After` in seconds: a number or a date (RFC 9110, 10.2.3)."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            when = parsedate_to_datetime(text)
        except ValueError:
            return None
        seconds = (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None
