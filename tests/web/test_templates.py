"""Every page, in both languages: complete, accessible, safe, and worded by a person."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from jinja2 import UndefinedError
from markupsafe import Markup

from medfed.kernel.clock import DAY, HOUR, MINUTE
from medfed.web import views, when, words
from medfed.web.render import LANGUAGES, Pages, negotiate
from tests.web.samples import CASE, HELENE, LYON, NOW, WELLENS, Sample, frame, post, samples, stamp

WEB: Final = Path(__file__).parent.parent.parent / "medfed" / "web"
TEMPLATES: Final = WEB / "templates"
FRENCH: Final = WEB / "locale" / "fr" / "LC_MESSAGES" / "medfed.po"
VOID: Final = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})
LABELLED: Final = frozenset({"input", "select", "textarea"})
PAGES: Final = Pages()
SAMPLES: Final = [
    pytest.param(sample, id=f"{name}-{language}")
    for language in LANGUAGES
    for name, sample in samples(language).items()
]


@dataclass
class Node:
    """An element with its attributes and whatever it holds."""

    tag: str
    attributes: dict[str, str]
    parent: "Node | None" = None
    children: list["Node"] = field(default_factory=list)
    text: str = ""

    def walk(self) -> Iterator["Node"]:
        """It and everything in it."""
        yield self
        for child in self.children:
            yield from child.walk()

    def words(self) -> str:
        """All its text."""
        return (self.text + "".join(child.words() for child in self.children)).strip()

    def inside(self, tag: str) -> bool:
        """Whether some ancestor is such an element."""
        return self.parent is not None and (self.parent.tag == tag or self.parent.inside(tag))


class Tree(HTMLParser):
    """Builds the tree and refuses what a browser would have to repair."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Node("root", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"twice the same attribute on {tag}"
        node = Node(tag, {name: value or "" for name, value in attrs}, self._open[-1])
        self._open[-1].children.append(node)
        if tag not in VOID:
            self._open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, f"{tag} closes {self._open[-1].tag}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].text += data


def rendered(sample: Sample) -> str:
    """The page of a sample."""
    return PAGES.page(sample.template, sample.frame, **sample.views)


def parsed(sample: Sample) -> list[Node]:
    """All elements of the page."""
    tree = Tree()
    tree.feed(rendered(sample))
    tree.close()
    assert tree._open == [tree.root], "something stays open"
    return list(tree.root.walk())


def of(nodes: list[Node], *tags: str) -> list[Node]:
    """Those of these names."""
    return [node for node in nodes if node.tag in tags]


# ------------------------------------------------------------------------------------------ every page


def test_every_template_has_a_sample() -> None:
    shown = {sample.template for sample in samples("en").values()}
    assert shown == set(PAGES.templates())


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_page_says_its_language_and_has_one_title_and_its_landmarks(sample: Sample) -> None:
    nodes = parsed(sample)
    assert of(nodes, "html")[0].attributes["lang"] == sample.frame.language
    assert len(of(nodes, "h1")) == 1
    assert of(nodes, "title")[0].words().endswith(sample.frame.instance.name)
    assert len(of(nodes, "main")) == 1
    skip = next(node for node in of(nodes, "a") if node.attributes.get("class") == "skip")
    assert skip.attributes["href"] == f"#{of(nodes, 'main')[0].attributes['id']}"
    for landmark in of(nodes, "nav", "aside"):
        assert landmark.attributes.get("aria-label")


@pytest.mark.parametrize("sample", SAMPLES)
def test_headings_descend_one_step_at_a_time(sample: Sample) -> None:
    levels = [int(node.tag[1]) for node in of(parsed(sample), "h1", "h2", "h3", "h4")]
    assert levels[0] in {1, 2}
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_field_has_a_label_and_every_description_exists(sample: Sample) -> None:
    nodes = parsed(sample)
    labels = {node.attributes["for"] for node in of(nodes, "label") if "for" in node.attributes}
    ids = [node.attributes["id"] for node in nodes if "id" in node.attributes]
    assert len(ids) == len(set(ids)), sorted(name for name in ids if ids.count(name) > 1)
    for node in of(nodes, *LABELLED):
        if node.attributes.get("type") == "hidden":
            continue
        assert node.inside("label") or node.attributes.get("id") in labels, node
    for node in nodes:
        for name in ("aria-describedby", "aria-labelledby"):
            assert set(node.attributes.get(name, "").split()) <= set(ids)
    for name in labels:
        assert name in ids
    for link in of(nodes, "a"):
        target = link.attributes.get("href", "")
        if target.startswith("#") and not target.startswith(("#att-", "#post-")):
            assert target[1:] in ids, target


@pytest.mark.parametrize("sample", SAMPLES)
def test_no_page_needs_more_than_the_strict_content_policy(sample: Sample) -> None:
    nodes = parsed(sample)
    for node in nodes:
        assert "style" not in node.attributes
        assert not [name for name in node.attributes if name.startswith("on")]
        assert not node.attributes.get("href", "").startswith(("javascript:", "data:"))
    assert not of(nodes, "style", "iframe", "object", "embed", "base")
    assert all(not node.words() and node.attributes["src"].startswith("/static/") for node in of(nodes, "script"))


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_form_that_changes_something_carries_its_token(sample: Sample) -> None:
    for form in of(parsed(sample), "form"):
        names = {node.attributes.get("name"): node for node in form.walk()}
        if form.attributes.get("method") == "post":
            assert names["csrf"].attributes["value"] == sample.frame.csrf
            assert form.attributes["action"].startswith("/")
        else:
            assert form.attributes["method"] == "get"
            assert "csrf" not in names
        if any(node.attributes.get("type") == "file" for node in form.walk()):
            assert form.attributes["enctype"] == "multipart/form-data"


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_image_has_a_text_and_every_control_a_name(sample: Sample) -> None:
    nodes = parsed(sample)
    for image in of(nodes, "img"):
        assert "alt" in image.attributes
        assert image.attributes["alt"] or image.parent is None or "av" in image.parent.attributes["class"].split()
        assert image.attributes["width"]
        assert image.attributes["height"]
    for control in of(nodes, "a", "button", "summary"):
        pictures = [node.attributes.get("alt", "") for node in control.walk() if node.tag == "img"]
        assert control.words() or any(pictures), (control.tag, control.attributes)
    for drawing in of(nodes, "svg"):
        assert drawing.attributes.get("aria-hidden") == "true" or drawing.attributes.get("role") == "img"
    for graphic in of(nodes, "svg"):
        assert graphic.attributes.get("role") != "img" or graphic.attributes["aria-label"]


@pytest.mark.parametrize("sample", SAMPLES)
def test_times_can_be_read_by_machines(sample: Sample) -> None:
    for node in of(parsed(sample), "time"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", node.attributes["datetime"])


@pytest.mark.parametrize("sample", SAMPLES)
def test_only_known_icons_are_drawn(sample: Sample) -> None:
    for node in of(parsed(sample), "svg"):
        if "i" in node.attributes.get("class", "").split():
            assert node.children[0].attributes["d"]


def test_search_engines_are_sent_away_unless_the_author_invited_them() -> None:
    sample = samples("en")["post-stranger"]
    invited = replace(sample, frame=replace(sample.frame, indexed=True, alternate="https://chu-lyon.example/posts/1"))
    assert "noindex" in rendered(sample)
    assert "noindex" not in rendered(invited)
    assert 'type="application/activity+json" href="https://chu-lyon.example/posts/1"' in rendered(invited)


# ------------------------------------------------------------------------------------------- safety


def test_nothing_but_sanitised_fields_is_ever_marked_safe() -> None:
    for template in TEMPLATES.rglob("*.html"):
        text = template.read_text()
        assert not re.search(r"\|\s*safe\b|autoescape|Markup", text), template.name


def test_a_hostile_peer_cannot_write_markup_into_a_page() -> None:
    evil = '"><script>alert(1)</script>'
    person = replace(HELENE, name=evil, handle=evil, stamps=(stamp(title=evil, issuer=evil),))
    card = replace(WELLENS, title=evil, excerpt=evil, question=evil, author=person, outcome=evil, language='"x')
    hostile = post(author=person, summary=evil, answers_to=evil, relayed_by=person)
    sample = samples("fr")["home"]
    html = PAGES.page("home", sample.frame, **{**sample.views, "items": (card, hostile), "awaiting": (card,)})
    assert "<script>alert" not in html
    assert html.count("<script") == 1


def test_sanitised_content_is_the_only_markup_that_passes() -> None:
    sample = samples("en")["post"]
    plain = post(content_html=Markup("<p>kept</p>"), summary=None)
    html = PAGES.page("post", sample.frame, **{**sample.views, "post": plain})
    assert "<p>kept</p>" in html


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Yanis Belkacem ✅", "Yanis Belkacem"),
        ("\N{WHITE HEAVY CHECK MARK}\N{BLACK STAR} Dr Renard \N{ROSETTE}", "Dr Renard"),
        ("Renard\N{RIGHT-TO-LEFT OVERRIDE}eugolodraC", "RenardeugolodraC"),
        ("Anne\n\n  Marie", "Anne Marie"),
        ("✓✔☑", "@anne"),
        ("Nadia Bensaïd", "Nadia Bensaïd"),
        ("田中 さくら", "田中 さくら"),
        ("x" * 200, "x" * 60),
    ],
)
def test_a_name_cannot_imitate_a_stamp(name: str, shown: str) -> None:
    assert views.display_name(name, "@anne") == shown


def test_stamps_have_a_row_of_their_own_that_names_and_texts_cannot_enter() -> None:
    for parameter in SAMPLES:
        sample = parameter.values[0]
        assert isinstance(sample, Sample)
        for node in parsed(sample):
            if "att" in node.attributes.get("class", "").split():
                assert node.tag == "a"
                assert node.attributes["href"].startswith("/credentials/")
                assert not node.inside("h1")
                assert not node.inside("bdi")


def test_an_answer_that_was_kept_is_shown_once() -> None:
    sample = samples("fr")["case"]
    html = rendered(sample)
    assert html.count("Aspect de Wellens, type A") == 1


def test_a_page_without_one_of_its_views_is_an_error_and_not_a_gap() -> None:
    with pytest.raises(UndefinedError):
        PAGES.page("search", frame("en"), query="")


def test_a_stranger_is_offered_no_action() -> None:
    sample = samples("fr")["case-stranger"]
    card = replace(WELLENS, can_act=False)
    html = PAGES.page("case", sample.frame, case=replace(CASE, card=card, stages=(), can_answer=False, accepted=None,
                      answers=()), form=views.EMPTY_FORM)  # fmt: skip
    assert 'name="do"' not in html


# ------------------------------------------------------------------------------------------ wording


def collected() -> Catalog:
    """What the sources ask to be translated."""
    with (WEB / "locale" / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)  # type: ignore[no-untyped-call]  # babel has no types here
    found = Catalog()
    keywords = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2), "pgettext": ((1, "c"), 2)}
    for _, _, message, _, context in extract_from_dir(WEB, methods, options, keywords=keywords):
        found.add(message, None, context=context)
    return found


def french() -> Catalog:
    """The French catalogue."""
    with FRENCH.open("rb") as file:
        return read_po(file, locale="fr")


def texts(catalogue: Catalog) -> Iterator[tuple[str, str]]:
    """Message and French, each plural form on its own."""
    for message in catalogue:
        if not message.id:
            continue
        ids = message.id if isinstance(message.id, tuple) else (message.id,)
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        yield from zip((str(text) for text in ids), (str(text or "") for text in strings), strict=True)


def test_no_message_lacks_french_and_none_is_left_over() -> None:
    asked = {str(message.id) for message in collected() if message.id}
    known = {str(message.id) for message in french() if message.id}
    assert asked == known
    assert all(translated for _, translated in texts(french()))
    assert not [message.id for message in french() if message.id and message.fuzzy]


def test_the_compiled_catalogue_is_that_of_the_sources() -> None:
    compiled = BytesIO()
    write_mo(compiled, french())
    assert FRENCH.with_suffix(".mo").read_bytes() == compiled.getvalue()


def test_french_keeps_every_placeholder_and_every_tag() -> None:
    for english, translated in texts(french()):
        for pattern in (r"%\(\w+\)s", r"<[^>]+>"):
            assert sorted(re.findall(pattern, translated)) == sorted(re.findall(pattern, english)), english


def test_french_is_set_as_french() -> None:
    for _, translated in texts(french()):
        assert "'" not in translated
        assert '"' not in re.sub(r"<[^>]+>", "", translated)
        assert not re.search(r"[^\N{NARROW NO-BREAK SPACE}][?!;]", translated), translated
        assert not re.search(r"[^\N{NO-BREAK SPACE}]:(?!//)", translated), translated
        assert not re.search(r"«[^\N{NO-BREAK SPACE}]|[^\N{NO-BREAK SPACE}]»", translated), translated
        assert not re.search(r"\b(tu|toi|ton|ta|tes)\b", translated, re.IGNORECASE), translated


def test_the_voice_is_calm() -> None:
    for english, translated in texts(french()):
        assert "!" not in english + translated
        assert not re.search(r"\b(please|oops|sorry|submit|users?|n't|you're|it's)\b", english, re.IGNORECASE), english
        assert not re.search(r"\b(utilisateurs?|veuillez|svp|désolés?)\b", translated, re.IGNORECASE), translated


@pytest.mark.parametrize("vocabulary", sorted(words.VOCABULARIES))
def test_every_code_has_a_word_in_french(vocabulary: str) -> None:
    catalogue = PAGES.translations("fr")
    for text in words.VOCABULARIES[vocabulary].values():
        assert vocabulary == "language" or catalogue.gettext(text)


def test_an_unknown_code_shows_itself() -> None:
    assert words.english("specialty", "space-medicine") == "space medicine"


def test_french_and_english_pages_differ_in_words_only() -> None:
    for name, sample in samples("en").items():
        here = [node.tag for node in parsed(sample)]
        there = [node.tag for node in parsed(samples("fr")[name])]
        assert here == there, name


@pytest.mark.parametrize(
    ("header", "chosen", "language"),
    [
        (None, None, "en"),
        ("fr-FR,fr;q=0.9,en;q=0.8", None, "fr"),
        ("de;q=1, en;q=0.3, fr;q=0.7", None, "fr"),
        ("en-GB, fr;q=0.9", None, "en"),
        ("fr;q=0, en;q=0.1", None, "en"),
        ("fr;q=nonsense, en;q=0.1", None, "en"),
        ("de, nl", None, "en"),
        ("en", "fr", "fr"),
        ("fr", "xx", "fr"),
        (",;;q=,", None, "en"),
    ],
)
def test_the_language_is_the_members_then_the_browsers(header: str | None, chosen: str | None, language: str) -> None:
    assert negotiate(header, chosen=chosen) == language


# --------------------------------------------------------------------------------------- dates, numbers


def test_hours_and_dates_are_written_in_each_language() -> None:
    assert when.clock(NOW, LYON, "fr") == "22\N{NO-BREAK SPACE}h\N{NO-BREAK SPACE}34"
    assert when.clock(NOW, LYON, "en") == "22:34"
    on_the_hour = NOW - 34 * MINUTE
    assert when.clock(on_the_hour, LYON, "fr") == "22\N{NO-BREAK SPACE}h"
    assert when.day(NOW, LYON, "fr", now=NOW) == "25\N{NO-BREAK SPACE}novembre"
    assert when.day(NOW + 6 * DAY, LYON, "fr", now=NOW) == "1er\N{NO-BREAK SPACE}décembre"
    assert when.day(NOW + 40 * DAY, LYON, "en", now=NOW) == "4\N{NO-BREAK SPACE}January\N{NO-BREAK SPACE}2027"


def test_the_nearer_a_time_the_shorter_it_is_said() -> None:
    assert when.short(NOW - HOUR, LYON, "en", now=NOW) == "21:34"
    assert when.short(NOW - DAY, LYON, "fr", now=NOW) == "hier"
    assert when.short(NOW - 13 * DAY, LYON, "en", now=NOW) == "12\N{NO-BREAK SPACE}November"


def test_durations_have_their_plural() -> None:
    assert when.ago(NOW - 12 * MINUTE, "fr", now=NOW) == "il y a 12\N{NO-BREAK SPACE}minutes"
    assert when.ago(NOW - DAY, "en", now=NOW) == "1\N{NO-BREAK SPACE}day ago"
    assert when.ago(NOW + DAY, "fr", now=NOW) == "à l’instant"
    assert when.span(0, "en") == "1\N{NO-BREAK SPACE}minute"


def test_numbers_are_grouped_and_signed_as_each_language_does() -> None:
    assert when.number(1_312, "fr") == "1\N{NARROW NO-BREAK SPACE}312"
    assert when.number(-1_312, "en") == "\N{MINUS SIGN}1,312"
    assert when.percent(0.41, "fr") == "41\N{NO-BREAK SPACE}%"


def test_a_patient_is_an_age_band_and_a_sex_and_no_more() -> None:
    sample = samples("fr")["cases"]
    child = replace(WELLENS, patient=views.PatientView(age_band="5-9", sex="male"))
    unknown = replace(WELLENS, patient=views.PatientView(), id="44")
    html = PAGES.page("cases", sample.frame, **{**sample.views, "items": (child, unknown)})
    assert "Garçon, 5–9 ans" in html


def test_initials_skip_titles_and_particles() -> None:
    assert [
        views.initials(name)
        for name in ("Dr Paul Renard", "Société francophone de cardiologie", "Ordre des médecins", "mésange", "Dr", "")
    ] == ["PR", "SF", "OM", "M", "D", "·"]
