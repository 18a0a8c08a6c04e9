"""The languages in which we write to buyers: those of the pages."""

from typing import Literal, get_args

Language = Literal["en", "de", "es"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


def language_of(stored: str | None) -> Language:
    """A stored language if we have texts in it, else English."""
    return next((language for language in LANGUAGES if language == stored), "en")
