"""medfed audit."""

from typing import Any

import click

from medfed.cli.actions import config_of, perform
from medfed.cli.output import Failed, json_option, say, show
from medfed.instance import Instance
from medfed.moderation.trail import Trail
from medfed.storage import moderation


@click.group()
def audit() -> None:
    """The trail of what was decided here, and by whom."""


@audit.command("verify")
@json_option
@config_of
def _verify(config: str, *, as_json: bool) -> None:
    """Check that no entry was changed, removed or moved."""
    found = perform(config, "audit.verify")
    if as_json:
        show(found, as_json=True, text=str)
    if not found["intact"]:
        raise Failed(found["cut_off"] or f"the audit trail is broken at entry {found['broken_at']}")
    if not as_json:
        say("the audit trail is intact")


async def verify_trail(instance: Instance) -> dict[str, Any]:
    """Whether the chain of hashes holds, and where it breaks or was cut off."""
    async with instance.store.view() as view:
        broken_at = await moderation.first_broken_link(view)
    cut_off = await Trail(instance.settings.instance.data_dir).doubt(instance.store)
    return {"intact": broken_at is None and cut_off is None, "broken_at": broken_at, "cut_off": cut_off}
