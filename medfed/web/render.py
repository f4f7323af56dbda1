"""Turns views into HTML: one Jinja environment for each language, nothing in it that knows about requests."""

from collections.abc import Mapping, Sequence
from functools import cache, partial
from gettext import GNUTranslations, NullTranslations
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from medfed.domain.cases import STAGES, stage_name
from medfed.domain.codes import PROFESSIONS, SPECIALTIES, Language
from medfed.kernel.clock import Millis, iso
from medfed.web import when, words
from medfed.web.static import address
from medfed.web.views import AudienceView, Frame, PatientView, StampView

LANGUAGES: Final = ("en", "fr")
"""English is what the templates say; every other one has a catalogue."""
_CATALOGUES: Final = resources.files("medfed.web") / "locale"


class Pages:
    """Every page in every language. Make one for each instance; it is safe to share between requests."""

    def __init__(self) -> None:
        self._environments = {language: _environment(language) for language in LANGUAGES}

    def page(self, template: str, frame: Frame, **views: object) -> str:
        """The HTML of `pages/TEMPLATE.html`. Raises jinja2.UndefinedError when a view is missing."""
        environment = self._environments[frame.language]
        return environment.get_template(f"pages/{template}.html").render(frame=frame, **views)

    def say(self, language: str, message: str, **values: object) -> str:
        """A message outside of a template (flash, form error), in that language, as plain text."""
        translated = self.translations(language).gettext(message)
        return translated % values if values else translated

    def word(self, language: str, vocabulary: str, code: str) -> str:
        """The word for a code."""
        return _Speaker(language, self.translations(language)).word(vocabulary, code)

    def age(self, language: str, band: str) -> str:
        """An age band in words."""
        return _Speaker(language, self.translations(language)).age_words(band)

    def translations(self, language: str) -> NullTranslations:
        """The catalogue of that language."""
        return _translations(language)

    def templates(self) -> list[str]:
        """The names that `page` accepts."""
        names = self._environments["en"].list_templates(filter_func=lambda name: name.startswith("pages/"))
        return [name.removeprefix("pages/").removesuffix(".html") for name in names]


def negotiate(accept_language: str | None, *, chosen: str | None = None, default: str = "en") -> str:
    """The member's choice, else what the browser prefers (RFC 9110 §12.5.4), else `default`."""
    if chosen in LANGUAGES:
        return str(chosen)
    ranked = sorted(_preferences(accept_language or ""), key=lambda pair: -pair[1])
    for tag, quality in ranked:
        primary = tag.split("-")[0]
        if primary in LANGUAGES and quality > 0:
            return primary
    return default


def _preferences(header: str) -> Sequence[tuple[str, float]]:
    pairs = []
    for item in header[:1_000].split(","):
        tag, _, parameters = item.partition(";")
        _, _, weight = parameters.partition("q=")
        pairs.append((tag.strip().lower(), _quality(weight.strip())))
    return pairs


def _quality(text: str) -> float:
    if not text:
        return 1.0
    try:
        return float(text)
    except ValueError:
        return 0.0


@cache
def _translations(language: str) -> NullTranslations:
    catalogue = _CATALOGUES / language / "LC_MESSAGES" / "medfed.mo"
    if not catalogue.is_file():
        return NullTranslations()
    with catalogue.open("rb") as file:
        return GNUTranslations(file)


def _environment(language: str) -> Environment:
    environment = Environment(
        loader=PackageLoader("medfed.web"),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        cache_size=-1,
        auto_reload=False,
    )
    translations = _translations(language)
    environment.install_gettext_callables(  # type: ignore[attr-defined]  # added by the i18n extension
        translations.gettext, translations.ngettext, newstyle=True, pgettext=translations.pgettext
    )
    speaker = _Speaker(language, translations)
    environment.globals.update(speaker.vocabulary())
    environment.globals.update(
        clock=_clock,
        day=_day,
        short=_short,
        full=_full,
        ago=_ago,
        left=_left,
        iso=iso,
        static=address,
        vocabularies={**words.VOCABULARIES, "stage": STAGES},
    )
    environment.filters["number"] = partial(when.number, language=language)
    environment.filters["percent"] = partial(when.percent, language=language)
    return environment


class _Speaker:
    """Codes to words, in one language."""

    def __init__(self, language: str, translations: NullTranslations) -> None:
        self._language = language
        self._spoken: Language = "fr" if language == "fr" else "en"
        self._translations = translations

    def vocabulary(self) -> Mapping[str, Any]:
        """The functions that templates call."""
        return {
            "word": self.word,
            "audience_words": self.audience_words,
            "stamp_claim": self.stamp_claim,
            "stamp_by": self.stamp_by,
            "patient_words": self.patient_words,
            "age_words": self.age_words,
        }

    def word(self, vocabulary: str, code: str) -> str:
        """The word for a code."""
        if vocabulary == "stage":
            return stage_name(code, self._spoken)
        if code in words.VOCABULARIES[vocabulary]:
            return self._say(words.english(vocabulary, code))
        return self._coded(vocabulary, code) or words.english(vocabulary, code)

    def _coded(self, vocabulary: str, code: str) -> str:
        """What our own code lists call it, where the pages have no word of their own."""
        if vocabulary == "practitioner" and code in PROFESSIONS:
            return PROFESSIONS[code].label(self._spoken)
        if vocabulary == "specialty" and code in SPECIALTIES:
            return SPECIALTIES[code].label(self._spoken)
        if vocabulary == "specialist" and code in SPECIALTIES:
            return SPECIALTIES[code].holder(self._spoken)
        return ""

    def audience_words(self, audience: AudienceView) -> str:
        """Who can read it: "Attested physicians · 6 instances"."""
        who = audience.requirement or self.word("readers", audience.code)
        if audience.instances is None:
            return who
        where = self._translations.ngettext("%(num)s instance", "%(num)s instances", audience.instances)
        return f"{who} · {where % {'num': when.number(audience.instances, self._language)}}"

    def stamp_claim(self, stamp: StampView) -> str:
        """What the stamp says in bold: the claim, unless it counts for nothing here."""
        if stamp.look == "unknown":
            return self._say(words.N_("Not recognised here"))
        if stamp.claim is None:
            return stamp.title or ""
        return self.word(*stamp.claim)

    def stamp_by(self, stamp: StampView, day_text: str | None) -> str:
        """Behind the bar: the issuer, or why the stamp does not count. `day_text` is the day it ended."""
        plain = {
            "pseudonymous": words.N_("under a pseudonym"),
            "stale": words.N_("to reconfirm"),
            "key-discontinuity": words.N_("to reconfirm"),
            "revoked": words.N_("withdrawn"),
            "suspended": words.N_("suspended"),
            "expired": words.N_("expired"),
        }
        dated = {
            "revoked": words.N_("withdrawn %(day)s"),
            "suspended": words.N_("suspended %(day)s"),
            "expired": words.N_("expired %(day)s"),
        }
        if stamp.state not in plain:
            return stamp.issuer
        if day_text is None or stamp.state not in dated:
            return self._say(plain[stamp.state])
        return self._say(dated[stamp.state]) % {"day": day_text}

    def patient_words(self, patient: PatientView) -> str:
        """ "Woman, 50–54 years", "Boy, 5–9 years", or nothing."""
        band = patient.age_band
        young = band in {"newborn", "infant", "1-4", "5-9", "10-14"}
        sexes = words.CHILD_SEXES if young else words.SEXES
        sex = self._say(sexes.get(patient.sex or "", ""))
        return ", ".join(part for part in (sex, self.age_words(band) if band else "") if part)

    def age_words(self, band: str) -> str:
        """An age band in words."""
        if band in _AGES:
            return self._say(_AGES[band])
        return self._say(words.N_("%(ages)s years")) % {"ages": band.replace("-", "–")}

    def _say(self, message: str) -> str:
        return self._translations.gettext(message) if message else ""


_AGES: Final = {
    "newborn": words.N_("newborn"),
    "infant": words.N_("infant"),
    "90+": words.N_("90 years and over"),
}


def _frame(context: Context) -> Frame:
    frame = context["frame"]
    if not isinstance(frame, Frame):
        raise TypeError("a page needs its frame")
    return frame


@pass_context
def _clock(context: Context, at: Millis) -> str:
    frame = _frame(context)
    return when.clock(at, frame.zone, frame.language)


@pass_context
def _day(context: Context, at: Millis) -> str:
    frame = _frame(context)
    return when.day(at, frame.zone, frame.language, now=frame.now)


@pass_context
def _short(context: Context, at: Millis) -> Markup:
    frame = _frame(context)
    return _time(at, when.short(at, frame.zone, frame.language, now=frame.now), frame)


@pass_context
def _full(context: Context, at: Millis) -> Markup:
    frame = _frame(context)
    return _time(at, when.full(at, frame.zone, frame.language), frame)


@pass_context
def _ago(context: Context, at: Millis) -> Markup:
    frame = _frame(context)
    return _time(at, when.ago(at, frame.language, now=frame.now), frame)


@pass_context
def _left(context: Context, until: Millis) -> str:
    frame = _frame(context)
    return when.span(max(0, until - frame.now), frame.language)


def _time(at: Millis, text: str, frame: Frame) -> Markup:
    whole = when.full(at, frame.zone, frame.language)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(iso(at), whole, text)
