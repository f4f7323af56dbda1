"""Turns a host name into addresses that policy has checked, once per minute per name however many ask."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import TypeAlias

from medfed.kernel import limits
from medfed.kernel.errors import Blocked, RemoteFailure, Unreachable
from medfed.kernel.kept import Kept
from medfed.net.guard import Address, Policy, Url

Resolver: TypeAlias = Callable[[str, int], Awaitable[Sequence[Address]]]
"""Looks up a name for a port. Raises OSError."""

_Verdict: TypeAlias = Sequence[Address] | RemoteFailure


class SystemResolver:
    """The machine's resolver, on threads of its own: when it hangs, nobody else runs out of threads."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(limits.DNS_THREADS, thread_name_prefix="dns")

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        """Every address of the name, in the system's order of preference. Raises OSError."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _getaddrinfo, host, port)

    def close(self) -> None:
        """Let the threads go; lookups still waiting are dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _getaddrinfo(host: str, port: int) -> Sequence[Address]:
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ip_address(answer[4][0]) for answer in answers))


class CheckedAddresses:
    """Names to checked addresses. Remembers both verdicts, good and bad, for DNS_CACHE_SECONDS."""

    def __init__(self, policy: Policy, resolver: Resolver, *, timeout: float = limits.DNS_TIMEOUT) -> None:
        self._policy = policy
        self._resolver = resolver
        self._timeout = timeout
        self._known: Kept[tuple[str, str, int], tuple[float, _Verdict]] = Kept(limits.DNS_CACHE_HOSTS)
        self._asking: dict[tuple[str, str, int], asyncio.Task[_Verdict]] = {}

    async def of(self, url: Url) -> Sequence[Address]:
        """All addresses to which a connection for `url` may go. Raises Blocked, Unreachable."""
        key = (url.scheme, url.host, url.port)
        verdict = self._remembered(key)
        if verdict is None:
            task = self._asking.get(key)
            if task is None:
                task = self._asking[key] = asyncio.create_task(self._ask(url))
                task.add_done_callback(lambda _: self._asking.pop(key, None))
            # The lookup belongs to all who wait for it: one of them giving up must not end it.
            verdict = await asyncio.shield(task)
        if isinstance(verdict, RemoteFailure):
            raise _again(verdict)
        return verdict

    async def aclose(self) -> None:
        """Give up the lookups that are under way."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _remembered(self, key: tuple[str, str, int]) -> _Verdict | None:
        known = self._known.get(key)
        if known is None:
            return None
        if known[0] < asyncio.get_running_loop().time():
            del self._known[key]
            return None
        return known[1]

    async def _ask(self, url: Url) -> _Verdict:
        verdict = await self._look_up(url)
        expires = asyncio.get_running_loop().time() + limits.DNS_CACHE_SECONDS
        self._known[url.scheme, url.host, url.port] = (expires, verdict)
        return verdict

    async def _look_up(self, url: Url) -> _Verdict:
        try:
            addresses = await self._addresses(url)
            self._policy.check(url, addresses)
        except TimeoutError:
            return Unreachable("the name service did not answer in time", host=url.authority)
        except (OSError, UnicodeError) as error:
            return Unreachable(f"no address: {error}", host=url.authority)
        except Blocked as error:
            return error
        if not addresses:
            return Unreachable("no address", host=url.authority)
        return addresses

    async def _addresses(self, url: Url) -> Sequence[Address]:
        literal = url.literal
        if literal is not None:
            return [literal]
        async with asyncio.timeout(self._timeout):
            return await self._resolver(url.host, url.port)


def _again(failure: RemoteFailure) -> RemoteFailure:
    """A fresh exception for each who hears it, so that tracebacks do not pile up on the remembered one."""
    return type(failure)(str(failure), host=failure.host)
