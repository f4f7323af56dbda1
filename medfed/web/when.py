"""Dates and durations as French and English readers write them, without a locale library at run time."""

from datetime import datetime, tzinfo
from typing import Final

from medfed.kernel.clock import DAY, HOUR, MINUTE, Millis

_MONTHS: Final = {
    "en": (
        "January", "February", "March", "April", "May", "June",
        "July", "August", "September", "October", "November", "December",
    ),
    "fr": (
        "janvier", "février", "mars", "avril", "mai", "juin",
        "juillet", "août", "septembre", "octobre", "novembre", "décembre",
    ),
}  # fmt: skip
_UNITS: Final = {
    "en": {"minute": ("minute", "minutes"), "hour": ("hour", "hours"), "day": ("day", "days")},
    "fr": {"minute": ("minute", "minutes"), "hour": ("heure", "heures"), "day": ("jour", "jours")},
}
NBSP: Final = "\N{NO-BREAK SPACE}"
THIN: Final = "\N{NARROW NO-BREAK SPACE}"


def moment(at: Millis, zone: tzinfo) -> datetime:
    """The wall clock of `zone` at that instant."""
    return datetime.fromtimestamp(at / 1000, zone)


def clock(at: Millis, zone: tzinfo, language: str) -> str:
    """The time of day: "22:40", "22 h 40"."""
    local = moment(at, zone)
    if language != "fr":
        return f"{local:%H:%M}"
    minutes = f"{NBSP}{local:%M}" if local.minute else ""
    return f"{local.hour}{NBSP}h{minutes}"


def day(at: Millis, zone: tzinfo, language: str, *, now: Millis) -> str:
    """The date, with the year only when it is another year: "12 November", "1er mars 2027"."""
    local = moment(at, zone)
    number = "1er" if language == "fr" and local.day == 1 else str(local.day)
    text = f"{number}{NBSP}{_MONTHS[language][local.month - 1]}"
    return text if local.year == moment(now, zone).year else f"{text}{NBSP}{local.year}"


def short(at: Millis, zone: tzinfo, language: str, *, now: Millis) -> str:
    """The least that says when: the time today, "yesterday", else the date."""
    days = (moment(now, zone).date() - moment(at, zone).date()).days
    if days == 0:
        return clock(at, zone, language)
    if days == 1:
        return "hier" if language == "fr" else "yesterday"
    return day(at, zone, language, now=now)


def full(at: Millis, zone: tzinfo, language: str) -> str:
    """Date, year and time: "12 novembre 2026, 22 h 40"."""
    local = moment(at, zone)
    number = "1er" if language == "fr" and local.day == 1 else str(local.day)
    date = f"{number}{NBSP}{_MONTHS[language][local.month - 1]}{NBSP}{local.year}"
    return f"{date}, {clock(at, zone, language)}"


def span(length: Millis, language: str) -> str:
    """A duration in its largest whole unit, never less than a minute: "12 minutes", "4 jours"."""
    for unit, size in (("day", DAY), ("hour", HOUR)):
        if length >= size:
            return _counted(length // size, unit, language)
    return _counted(max(1, length // MINUTE), "minute", language)


def ago(at: Millis, language: str, *, now: Millis) -> str:
    """How long since: "12 minutes ago", "il y a 12 minutes"; the future counts as now."""
    if now - at < MINUTE:
        return "à l’instant" if language == "fr" else "just now"
    length = span(now - at, language)
    return f"il y a {length}" if language == "fr" else f"{length} ago"


def number(value: int, language: str) -> str:
    """Thousands apart, a real minus sign: "1 312", "−4"."""
    text = f"{abs(value):,}"
    text = text.replace(",", THIN) if language == "fr" else text
    return f"−{text}" if value < 0 else text


def percent(value: float, language: str) -> str:
    """A share in whole per cent: "41%", "41 %"."""
    return f"{round(value * 100)}{NBSP}%" if language == "fr" else f"{round(value * 100)}%"


def _counted(count: int, unit: str, language: str) -> str:
    one, many = _UNITS[language][unit]
    # French has no plural below two, English has one for everything but one.
    singular = count < 2 if language == "fr" else count == 1
    return f"{count}{NBSP}{one if singular else many}"
