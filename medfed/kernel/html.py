"""The one place where HTML is made safe: what peers send, what members type, and names that could deceive.

`clean` never fails and never takes long. nh3 is quadratic in the depth of a document, and formatting that is left
open multiplies in it, so a linear pass first rebuilds the document flat and well-formed (H07).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache
from html import escape, unescape
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias
from urllib.parse import urlsplit

import nh3

from medfed.kernel import limits
from medfed.kernel.text import Found, find, fold_hashtag

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_VOID: Final = frozenset({"br", "hr"})
_TAGS: Final = frozenset({
    "p", "br", "hr", "a", "span", "strong", "em", "b", "i", "u", "del", "sub", "sup", "code", "pre", "blockquote",
    "ul", "ol", "li", "h3", "h4", "ruby", "rt", "rp",
})  # fmt: skip
# A post is a part of a page that has headings of its own.
_RENAMED: Final = {"h1": "h3", "h2": "h3", "h5": "h4", "h6": "h4", "s": "del", "strike": "del", "ins": "u"}
_BLOCKS: Final = frozenset({
    "p", "div", "br", "hr", "pre", "blockquote", "ul", "ol", "li", "h1", "h2", "h3", "h4", "h5", "h6", "table", "tr",
    "section", "article", "header", "footer", "figure", "figcaption", "dl", "dt", "dd", "details", "summary",
})  # fmt: skip
_PARAGRAPHS: Final = frozenset({"p", "pre", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6"})
_DROPPED_WHOLE: Final = frozenset({
    "script", "style", "template", "iframe", "object", "svg", "math", "noscript", "title", "textarea", "select",
    "noembed", "noframes", "xmp", "plaintext", "audio", "video", "canvas",
})  # fmt: skip
_CLASSES: Final = frozenset({"u-url", "mention", "hashtag", "invisible", "ellipsis", "h-card"})
QUOTE_LINE: Final = "quote-inline"
"""The class of a paragraph that names what is quoted, for those whose client shows no quotes; Mastodon's word."""
_DEEPEST: Final = 32
_ROUNDS: Final = 4

_REL: Final = "nofollow noopener noreferrer"

_CLEANER: Final = nh3.Cleaner(
    tags=set(_TAGS),
    attributes={"a": {"href"}, "ol": {"start", "reversed"}, "li": {"value"}},
    allowed_classes={"a": set(_CLASSES), "span": set(_CLASSES), "p": {QUOTE_LINE}},
    url_schemes={"http", "https"},
    url_relative="deny",
    link_rel=_REL,
)
_KEPT_ATTRIBUTES: Final = frozenset({"href", "class", "start", "reversed", "value"})

# An attribute's `<` is refused outside quotes: otherwise "<a <a <a" would be read to its end once for each "<a".
_MARKUP: Final = re.compile(
    r"""<!--.*?(?:-->|\Z)
      | <[!?][^>]*+(?:>|\Z)
      | <(?P<close>/?)(?P<name>[a-zA-Z][a-zA-Z0-9:-]*+)(?P<attributes>(?:[^<>"']++|"[^"]*+"|'[^']*+')*+)>""",
    re.VERBOSE | re.DOTALL,
)
_ATTRIBUTE: Final = re.compile(
    r"""(?P<name>[a-zA-Z][a-zA-Z-]*+)\s*+(?:=\s*+(?:"(?P<double>[^"]*+)"|'(?P<single>[^']*+)'|(?P<bare>[^\s"'=<>`]++)))?"""
)
_NEVER: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_TURNING: Final = "\u202a-\u202e\u2066-\u2069"
_STACKING: Final = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_DIRECTION: Final = re.compile(f"[{_TURNING}]")
_MARKS: Final = re.compile(f"([{_STACKING}]{{8}})[{_STACKING}]+")
_UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff\ud800-\udfff]"
)
_JOINERS_IN_LATIN: Final = re.compile("(?<![^\x00-\u024f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\u024f])")


def clean(html: str) -> str:
    """A peer's HTML with nothing left in it but what a post may hold. Cleaning twice changes nothing.

    What the sanitiser cannot digest is kept as its text (E09).
    """
    html = _rebuilt(_without_controls(html[: limits.CONTENT_IN]))
    for _ in range(_ROUNDS):
        cleaned = _sanitised(html)
        if cleaned is None:
            break
        if cleaned == html:
            return cleaned
        html = cleaned
    return _as_paragraphs(plain(html))


def plain(html: str) -> str:
    """The text of HTML, with line breaks where it has blocks."""
    parts: list[str] = []
    for token in _tokens(html):
        if isinstance(token, str):
            parts.append(unescape(token))
        elif token.name == "br":
            parts.append("\n")
        elif token.name in _BLOCKS:
            parts.append("\n\n" if token.name in _PARAGRAPHS else "\n")
    text = _NEVER.sub("", "".join(parts)).replace("\r", "")
    return re.sub("\n{3,}", "\n\n", text).strip()


Mention: TypeAlias = Callable[[str, str], tuple[str, str] | None]
"""From user name and domain to (URL of the profile, name to show after the @), or None when there is nobody."""
Hashtag: TypeAlias = Callable[[str], str]
"""From a folded hashtag to the URL of its page."""


def from_text(text: str, *, mention: Mention, hashtag: Hashtag) -> str:
    """What a member typed as HTML: paragraphs, line breaks, and links as Mastodon writes them."""
    text = _NEVER.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    parts: list[str] = []
    at = 0
    for found in find(text):
        parts += [escape(text[at : found.start]), _link(found, text[found.start : found.end], mention, hashtag)]
        at = found.end
    parts.append(escape(text[at:]))
    return clean(_in_paragraphs("".join(parts)))


def quote_line(url: str, content: str) -> str:
    """A paragraph that links to what a text quotes; '' when nothing is quoted, or the text links to it itself."""
    if not url or escape(url) in content:
        return ""
    return f'<p class="{QUOTE_LINE}">RE: <a href="{escape(url)}">{escape(url)}</a></p>'


def line_from_text(text: str) -> str:
    """One line that a member typed, such as a field of a profile, as HTML with its URLs as links."""
    found = [each for each in find(text) if each.kind == "url"]
    parts: list[str] = []
    at = 0
    for url in found:
        parts += [escape(text[at : url.start]), _url_link(url.text)]
        at = url.end
    parts.append(escape(text[at:]))
    return clean("".join(parts))


def from_markdown(text: str) -> str:
    """CommonMark, without raw HTML and images, as clean HTML."""
    return clean(str(_markdown().render(_NEVER.sub("", text))))


def neutralise(text: str, limit: int) -> str:
    """One line of plain text that does what it looks like: no direction tricks, nothing unseen, no tower of marks.

    Cut at `limit` characters (E04).
    """
    if not text:
        return ""
    text = " ".join(text[: 20 * limit].replace("\n", " ").replace("\t", " ").split())
    text = _JOINERS_IN_LATIN.sub("", _UNSEEN.sub("", text))
    return _MARKS.sub(r"\1", text)[:limit].strip()


def safe_url(url: str) -> str:
    """The URL if it is an http or https one that a browser reads the same way as we do, else '' (E05)."""
    if not url.isprintable() or " " in url or "\\" in url or not url.lower().startswith(("http://", "https://")):
        return ""
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return ""
    return url if named else ""


# ── reading HTML ─────────────────────────────────────────────────────────────────────────────────────────────


class _Tag(NamedTuple):
    """A tag as it was read, and as it is written again: under `kept`, its name then; '' for what does not stay open.

    `drops`: nothing counts until it is closed.
    """

    name: str
    closes: bool
    kept: str
    html: str
    drops: bool = False


def _tokens(html: str) -> Iterator[str | _Tag]:
    """Text and tags, without comments and without the content of elements that hold no prose."""
    at = 0
    while at < len(html):
        for match in _MARKUP.finditer(html, at):
            start, end = match.span()
            if start > at:
                yield html[at:start]
            at = end
            if match.lastindex is None:
                continue
            tag = (_usual_tag if end - start <= _USUAL_LENGTH else _tag)(*match.groups())
            if tag.drops:
                closing = re.compile(rf"</{tag.name}[\s/>]", re.IGNORECASE).search(html, at)
                at = len(html) if closing is None else closing.start()
                break
            yield tag
        else:
            yield html[at:]
            return


def _tag(close: str, name: str, attributes: str) -> _Tag:
    name = name.lower()
    closes, kept = bool(close), _RENAMED.get(name, name)
    if kept not in _TAGS:
        return _Tag(name, closes, "", "\n" if name in _BLOCKS else "", name in _DROPPED_WHOLE and not closes)
    if kept in _VOID:
        return _Tag(name, closes, "", "" if closes else f"<{kept}>")
    if closes:
        return _Tag(name, closes, kept, f"</{kept}>")
    # The sanitiser would add it, and what it changes it has to look at twice.
    rel = f' rel="{_REL}"' if kept == "a" else ""
    return _Tag(name, closes, kept, f"<{kept}{_attributes(attributes)}{rel}>")


_USUAL_LENGTH: Final = 60
_usual_tag: Final = lru_cache(maxsize=512)(_tag)
"""Most tags of most posts are the same few."""


def _rebuilt(html: str) -> str:
    """The same, well-formed: only tags that may stay, each closed in order, at most so many inside each other."""
    parts: list[str] = []
    open_tags: list[str] = []
    skipped: dict[str, int] = {}
    for token in _tokens(html):
        if isinstance(token, str):
            parts.append(token.replace("<", "&lt;").replace(">", "&gt;"))
        elif not token.kept:
            parts.append(token.html)
        elif token.closes:
            parts.append(_close(token.kept, open_tags, skipped))
        elif len(open_tags) >= _DEEPEST:
            skipped[token.kept] = skipped.get(token.kept, 0) + 1
        else:
            open_tags.append(token.kept)
            parts.append(token.html)
    parts += [f"</{name}>" for name in reversed(open_tags)]
    return "".join(parts)


def _close(name: str, open_tags: list[str], skipped: dict[str, int]) -> str:
    if skipped.get(name):
        skipped[name] -= 1
        return ""
    if open_tags and open_tags[-1] == name:
        open_tags.pop()
        return f"</{name}>"
    if name not in open_tags:
        return ""
    closed: list[str] = []
    while open_tags:
        closed.append(open_tags.pop())
        if closed[-1] == name:
            break
    return "".join(f"</{each}>" for each in closed)


def _attributes(raw: str) -> str:
    if not raw or raw.isspace():
        return ""
    parts = []
    for match in _ATTRIBUTE.finditer(raw):
        name, double, single, bare = match.groups()
        name = name.lower()
        if name in _KEPT_ATTRIBUTES:
            parts.append(f' {name}="{_quoted(double or single or bare or "")}"')
    return "".join(parts)


def _quoted(value: str) -> str:
    return value.replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")


def _sanitised(html: str) -> str | None:
    """What nh3 makes of it; None when it panics."""
    try:
        # Only a quotation's line may have a class; of another the empty attribute is left.
        cleaned = str(_CLEANER.clean(html)).replace('<p class="">', "<p>")
    except BaseException as error:
        # A panic in Rust arrives as pyo3_runtime.PanicException, which is no Exception and cannot be imported.
        if type(error).__name__ == "PanicException":
            return None
        raise
    return _without_tricks(cleaned)


def _without_controls(text: str) -> str:
    return text if text.isprintable() else _NEVER.sub("", text)


def _without_tricks(text: str) -> str:
    """No marks that turn the direction of writing, no towers of marks."""
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return _MARKS.sub(r"\1", _DIRECTION.sub("", text))
    return text  # all of these are beyond Latin-1, which is told at a fiftieth of the cost of a search


def _as_paragraphs(text: str) -> str:
    return _in_paragraphs(escape(_without_tricks(text), quote=False))


def _in_paragraphs(html: str) -> str:
    paragraphs = (part.strip("\n").replace("\n", "<br>") for part in re.split("\n{2,}", html))
    return "".join(f"<p>{part}</p>" for part in paragraphs if part.strip())


_TAG_OR_TEXT: Final = re.compile(r'(<(?:[^<>"]|"[^"]*")*>)')
_NAMED: Final = re.compile(r"(?<![A-Za-z0-9_:]):([A-Za-z0-9_+-]{1,64}):(?![A-Za-z0-9_:])")


def with_pictures(html: str, sources: Mapping[str, str]) -> str:
    """Cleaned HTML in which `:name:` is the picture of that name; in texts only, never in a tag (E03).

    `sources` are addresses of ours.
    """
    if not sources or ":" not in html:
        return html

    def picture(match: re.Match[str]) -> str:
        source = sources.get(match[1])
        if source is None:
            return match[0]
        named = escape(match[0])
        return (
            f'<img class="emoji" src="{escape(source)}" alt="{named}" title="{named}" width="20" height="20" '
            'loading="lazy">'
        )

    parts = _TAG_OR_TEXT.split(html)
    return "".join(part if part.startswith("<") else _NAMED.sub(picture, part) for part in parts)


# ── writing HTML ─────────────────────────────────────────────────────────────────────────────────────────────

_SHOWN: Final = 30


def _link(found: Found, typed: str, mention: Mention, hashtag: Hashtag) -> str:
    match found.kind:
        case "url":
            return _url_link(found.text)
        case "hashtag":
            href = escape(hashtag(fold_hashtag(found.text)))
            return f'<a href="{href}" class="mention hashtag">#<span>{escape(found.text)}</span></a>'
        case "mention":
            target = mention(found.username, found.domain)
            if target is None:
                return escape(typed)
            return (
                f'<span class="h-card"><a href="{escape(target[0])}" class="u-url mention">'
                f"@<span>{escape(target[1])}</span></a></span>"
            )


def _url_link(url: str) -> str:
    """The scheme hidden, the rest cut after 30 characters, as Mastodon does and its clients expect."""
    if not safe_url(url):
        return escape(url)
    start = url.index("//") + 2
    start += 4 if url[start : start + 4].lower() == "www." else 0
    hidden, shown, rest = url[:start], url[start : start + _SHOWN], url[start + _SHOWN :]
    look = ' class="ellipsis"' if rest else ""
    return (
        f'<a href="{escape(url)}"><span class="invisible">{escape(hidden)}</span>'
        f'<span{look}>{escape(shown)}</span><span class="invisible">{escape(rest)}</span></a>'
    )


@cache
def _markdown() -> "MarkdownIt":
    # Imported with the first case that is written: it would make every start a tenth slower.
    from markdown_it import MarkdownIt  # noqa: PLC0415

    return (
        MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": 20})
        .enable("strikethrough")
        .disable(["image", "html_block", "html_inline"])
    )
