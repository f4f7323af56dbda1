"""The images of a form: taken in, described, taken away, and kept through every mistake elsewhere in the form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from medfed.domain.posts import Attachment
from medfed.kernel import limits
from medfed.kernel.errors import Invalid, MedfedError, TooLarge, Unsupported
from medfed.media import links
from medfed.storage import posts
from medfed.storage.database import View
from medfed.web.present import local_url
from medfed.web.problems import reason
from medfed.web.views import AttachmentView
from medfed.web.visit import Visit
from medfed.web.words import N_

SLOTS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """The images of a form, in order, and what is wrong with them by field."""

    files: tuple[Attachment, ...] = ()
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def ids(self) -> tuple[int, ...]:
        """As the domain wants them."""
        return tuple(file.id for file in self.files)


async def take_in(visit: Visit, *, kept_of: int | None = None) -> Pictures:
    """Store new images of the form, and new descriptions of those that it kept.

    `kept_of` is the post whose own images the form may keep, too.
    """
    files = await _kept(visit, kept_of)
    errors: dict[str, str] = {}
    fresh: list[Attachment] = []
    for slot in range(1, limits.POST_ATTACHMENTS + 1):
        data = visit.sent.files.get(f"image_{slot}")
        if data is None or len(files) + len(fresh) >= limits.POST_ATTACHMENTS:
            continue
        description = visit.sent.text(f"image_{slot}_alt").strip()
        try:
            fresh.append(
                await visit.instance.images.accept(
                    visit.instance.here, visit.account.id, data, description=description[: limits.ALT_TEXT_LOCAL]
                )
            )
        except (Invalid, TooLarge, Unsupported) as error:
            errors[f"image_{slot}"] = _why(visit, error)
    if fresh:
        async with visit.instance.store.transaction("store uploads") as tx:
            for file in fresh:
                await posts.add_attachment(tx, file)
    every = (*files, *fresh)
    for file in every:
        if not file.description:
            errors[f"alt_{file.id}"] = visit.say(N_("Describe the image in one sentence."))
    return Pictures(files=every, errors=errors)


def _why(visit: Visit, error: MedfedError) -> str:
    if isinstance(error, TooLarge):
        return visit.say(N_("An image may have up to 40 MiB."))
    return reason(visit, error.safe)


async def _kept(visit: Visit, kept_of: int | None) -> list[Attachment]:
    wanted = [id_ for id_ in visit.sent.ids("media_ids") if id_ not in visit.sent.ids("drop_media")]
    if not wanted:
        return []
    async with visit.instance.store.transaction("describe images") as tx:
        found = []
        for id_ in wanted[: limits.POST_ATTACHMENTS]:
            file = await posts.find_attachment(tx, id_, visit.account.id)
            if file is None or file.post_id not in (None, kept_of):
                continue
            said = visit.sent.text(f"alt_{id_}", file.description).strip()[: limits.ALT_TEXT_LOCAL]
            if said != file.description:
                focus = (file.focus_x, file.focus_y)
                await posts.describe_attachment(tx, id_, visit.account.id, description=said, focus=focus)
                file = await posts.find_attachment(tx, id_, visit.account.id) or file
            found.append(file)
        return found


async def of_post(view: View, post_id: int) -> Pictures:
    """The images that a post has."""
    return Pictures(files=tuple((await posts.attachments(view, [post_id])).get(post_id, ())), errors={})


def shown(visit: Visit, pictures: Pictures) -> tuple[AttachmentView, ...]:
    """The images as a form shows them, to their owner."""
    here = visit.instance.here
    views = []
    for file in pictures.files:
        url, preview = links.link(here, file, restricted_to=visit.account.id)
        views.append(
            AttachmentView(
                id=str(file.id),
                src=local_url(here, url),
                preview=local_url(here, preview),
                alt=file.description,
                width=file.width or 1200,
                height=file.height or 900,
            )
        )
    return tuple(views)
