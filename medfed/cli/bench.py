"""medfed bench: runs the benchmarks, which are part of the source tree and not of an installation."""

import importlib.util
import runpy
import sys

import click

from medfed.cli.output import Failed


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def bench(arguments: tuple[str, ...]) -> None:
    """Measure this machine: each figure is a ratio against a floor measured in the same run."""
    if importlib.util.find_spec("bench") is None or importlib.util.find_spec("bench.__main__") is None:
        raise Failed("the benchmarks are in the source tree; run `make bench` there")
    sys.argv = ["bench", *arguments]
    runpy.run_module("bench", run_name="__main__", alter_sys=True)
