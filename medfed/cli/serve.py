"""medfed serve, medfed worker: the processes that run for long, from start to a stop that loses nothing."""

import asyncio
import gc
import logging
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Final

import click
import uvicorn
import uvloop

from medfed.app import build_app
from medfed.cli import actions, remote
from medfed.cli.modes import warnings
from medfed.cli.output import failures, say
from medfed.cli.patience import Patience
from medfed.cli.ready import ready
from medfed.cli.setup import make_identity
from medfed.instance import Instance, open_instance
from medfed.kernel.errors import Misconfigured
from medfed.kernel.observe import log_to
from medfed.moderation.trail import Trail
from medfed.posts.ledger import Ledger
from medfed.settings import Settings
from medfed.storage import issuer, migrate
from medfed.storage.newest import newest
from medfed.worker.loop import Worker

log: Final = logging.getLogger(__name__)

KEEP_ALIVE_SECONDS: Final = 65
"""Longer than a proxy keeps its idle connections, so that it is the one to close them."""
STOP_SECONDS: Final = 10
CONNECTIONS: Final = 2_000
FILES: Final = 16_384
_WAITING: Final = 2_048
_GARBAGE: Final = 10_000
"""New objects after which cycles are looked for; what one request makes is not more than a tenth of that."""
_STOPPING: Final = (signal.SIGTERM, signal.SIGINT)


@click.command()
@click.option("--host", default=None, help="Address to bind; default http.host.")
@click.option("--port", default=None, type=click.IntRange(0, 65_535), help="Port to bind; default http.port.")
@click.option("--workers", default=1, type=click.IntRange(1, 64), help="Processes; more than one needs PostgreSQL.")
@click.option("--no-worker", is_flag=True, help="Leave the background work to `medfed worker`.")
@click.option("--fd", default=None, type=int, hidden=True, help="Serve on this inherited socket.")
@click.option("--lifeline", default=None, type=int, hidden=True, help="Stop when this inherited pipe ends.")
@actions.config_of
def serve(
    config: str,
    host: str | None,
    port: int | None,
    workers: int,
    *,
    no_worker: bool,
    fd: int | None,
    lifeline: int | None,
) -> None:
    """Serve, and do the background work in the same process. SIGTERM stops it gracefully."""
    with failures():
        settings = actions.load(config)
        where = (host or settings.http.host, settings.http.port if port is None else port)
        if workers == 1:
            _begin()
            uvloop.run(_serve(settings, *where, work=not no_worker, fd=fd, lifeline=lifeline))
            return
        if settings.database_url.startswith("sqlite"):
            raise Misconfigured("several processes need PostgreSQL: set database.url, or leave out --workers")
        _serve_in_processes(config, *where, workers=workers, no_worker=no_worker)


@click.command()
@actions.config_of
def worker(config: str) -> None:
    """Do background work only, beside `medfed serve --no-worker`. SIGTERM stops it."""
    with failures():
        settings = actions.load(config)
        _begin()
        uvloop.run(_work(settings))


async def _serve(
    settings: Settings, host: str, port: int, *, work: bool, fd: int | None = None, lifeline: int | None = None
) -> None:
    if fd is None:
        await _try_to_listen(host, port)
    if lifeline is not None:
        _stop_at_the_end_of(lifeline)
    async with _opened(settings) as instance:
        for warning in warnings(settings):
            say(f"WARNING: {warning}")
        app = build_app(instance, worker=Worker(instance) if work else None)
        server = _Server(configured(app, host, port, fd))
        _collect_less()
        async with _door(instance):
            await server.serve()


async def _try_to_listen(host: str, port: int) -> None:
    """Raises Misconfigured when the address cannot be had: uvicorn would end the process without closing anything."""
    try:
        server = await asyncio.start_server(lambda _reader, writer: writer.close(), host, port)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise Misconfigured(f"cannot listen on {host}:{port}: {reason}") from None
    server.close()
    await server.wait_closed()


def _door(instance: Instance) -> AbstractAsyncContextManager[None]:
    """Where commands ask for what only the holder of a SQLite file can do."""
    if instance.store.engine != "sqlite":
        return nullcontext()
    socket = instance.settings.instance.data_dir / actions.SOCKET
    return remote.listening(socket, partial(actions.answer, instance))


def _collect_less() -> None:
    """What is there by now stays: the collector need not look at it again, nor as often at what comes."""
    gc.freeze()
    gc.set_threshold(_GARBAGE)


async def _work(settings: Settings) -> None:
    async with _opened(settings) as instance, _door(instance):
        _collect_less()
        stopped = asyncio.Event()
        for number in _STOPPING:
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        working = asyncio.create_task(Worker(instance).run(), name="worker")
        waiting = asyncio.create_task(stopped.wait(), name="stop")
        ready("working")
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if working.done():
            working.result()
        working.cancel()
        await asyncio.gather(working, waiting, return_exceptions=True)


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Instance]:
    """An instance whose database has the right schema; an empty one is set up."""
    async with open_instance(settings, role="server") as instance:
        if not await _is_set_up(instance):
            await migrate.migrate(instance.store)
            await make_identity(instance)
        await actions.require_schema(instance.store)
        await instance.actor()
        await instance.levels.reload(instance.store)
        async with instance.store.view() as view:
            instance.here.ids.follow(await newest(view))
        ledger = Ledger(settings.instance.data_dir)
        again = await ledger.replay(instance.store, instance.here, instance.levels)
        if again:
            say(f"deleted again, as after the backup: {again}")
        trail = Trail(settings.instance.data_dir)
        doubt = await trail.doubt(instance.store)
        if doubt is not None:
            say(f"WARNING: {doubt}")
        yield instance
        await ledger.keep_up(instance.store, instance.here.now())
        await trail.keep_up(instance.store)


async def _is_set_up(instance: Instance) -> bool:
    """Also False while another process is at it: it holds the migration lock, and who comes second finds it done."""
    if await migrate.is_empty(instance.store):
        return False
    async with instance.store.view() as view:
        return bool(await issuer.keys(view))


def _begin() -> None:
    """Log as a service does, and ask for the open files that many connections need."""
    have, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if most == resource.RLIM_INFINITY else min(FILES, most)
    if have != resource.RLIM_INFINITY and have < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    log_to(sys.stderr, as_json=not sys.stderr.isatty())
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


def configured(app: Any, host: str, port: int, fd: int | None) -> uvicorn.Config:
    """How this server is run; port 0: any that is free."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        fd=fd,
        loop="none",
        http=Patience,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        # Whose forwarding headers count is for medfed.edge to say, from http.trusted_proxies (H13).
        proxy_headers=False,
        forwarded_allow_ips="",
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )


class _Server(uvicorn.Server):
    """Says where it listens, and returns after a signal, so that what was opened is closed in order."""

    async def startup(self, sockets: list[Any] | None = None) -> None:
        """See uvicorn.Server.startup. Raises Misconfigured where that ends the process."""
        try:
            await super().startup(sockets)
        except SystemExit:
            raise Misconfigured("the server could not start; what went wrong is above") from None
        if self.started and self.config.fd is None:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            ready(f"listening on http://{f'[{host}]' if ':' in host else host}:{port}")

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Unlike uvicorn's own, does not raise the signal again: that would end the process on the spot."""
        before = {number: signal.signal(number, self.handle_exit) for number in _STOPPING}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


# ── several processes ────────────────────────────────────────────────────────────────────────────────────────


def _serve_in_processes(config: str, host: str, port: int, *, workers: int, no_worker: bool) -> None:
    """Bind once, let `workers` processes accept, start one anew when it dies, stop all of them on a signal."""
    asyncio.run(_try_to_listen(host, port))  # uvicorn would end the process without our sentence
    bound = uvicorn.Config("medfed", host=host, port=port, log_config=None).bind_socket()
    bound.set_inheritable(True)
    bound.listen(_WAITING)  # from now on callers wait, and are not turned away, until a process is up
    ready(f"listening on http://{host}:{bound.getsockname()[1]} in {workers} processes")
    command = [sys.executable, "-m", "medfed", "--config", str(Path(config)), "serve", "--fd", str(bound.fileno())]
    command += ["--no-worker"] if no_worker else []
    lifeline, _held = os.pipe()  # its other end is ours alone, and closes with us however we die
    command += ["--lifeline", str(lifeline)]
    asyncio.run(_supervise(command, (bound.fileno(), lifeline), workers))


def _stop_at_the_end_of(lifeline: int) -> None:
    """End this process as a SIGTERM does when nobody holds the other end of the pipe: our parent was killed."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        loop.remove_reader(lifeline)
        os.kill(os.getpid(), signal.SIGTERM)

    loop.add_reader(lifeline, stop)


async def _supervise(command: list[str], descriptors: tuple[int, ...], workers: int) -> None:
    stopped = asyncio.Event()
    for number in _STOPPING:
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(_keep_running(command, descriptors, stopped))


async def _keep_running(command: list[str], descriptors: tuple[int, ...], stopped: asyncio.Event) -> None:
    while not stopped.is_set():
        child = await asyncio.create_subprocess_exec(*command, pass_fds=descriptors, env=os.environ)
        ended = asyncio.create_task(child.wait())
        asked = asyncio.create_task(stopped.wait())
        await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if stopped.is_set():
            if child.returncode is None:
                child.terminate()
            await ended
            return
        if child.returncode == 1:
            stopped.set()
            raise Misconfigured("a process of the server could not start; what it said is above")
        log.error("a process of the server ended (%s) and is started again", child.returncode)
        await asyncio.sleep(1)
