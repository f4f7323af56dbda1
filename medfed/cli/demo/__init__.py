"""A small federation on loopback for newcomers: a hospital, a society, and a clinic that nobody trusts yet."""

import asyncio
import sys

import click


@click.command()
@click.option("--exit", "leave", is_flag=True, help="Tell the story, check that everything federated, and stop.")
def demo(*, leave: bool) -> None:
    """Run three instances on loopback, seeded through their client surface. Ctrl-C stops all of it."""
    from medfed.cli.demo.run import run  # noqa: PLC0415 — heavy, and no other command needs it

    sys.exit(asyncio.run(run(leave=leave)))
