"""What requests do when the API server, or the way to it, misbehaves."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from tests.fakes.fake_access import User
from tests.fakes.fake_apiserver import Drop, FakeApiServer, Write
from tpconfig.cluster import failures
from tpconfig.cluster.api import Api, open_api
from tpconfig.cluster.paths import path_of
from tpconfig.cluster.transport import Patience
from tpconfig.errors import ExitCode, UnreachableError

MAPS = path_of("configmap", "default")
BODY = {"metadata": {"name": "a"}}


def kubeconfig(folder: Path, server: str) -> str:
    file = folder / "config"
    file.write_text(
        f"""
current-context: c
contexts: [{{name: c, context: {{cluster: c, user: u}}}}]
clusters: [{{name: c, cluster: {{server: "{server}"}}}}]
users: [{{name: u, user: {{}}}}]
"""
    )
    return str(file)


@asynccontextmanager
async def server_that(behave: object, folder: Path, **patience: float) -> AsyncIterator[Api]:
    """Open the API at a bare TCP server."""
    server = await asyncio.start_server(behave, "127.0.0.1", 0)  # type: ignore[arg-type]
    host, port = server.sockets[0].getsockname()[:2]
    file = kubeconfig(folder, f"http://{host}:{port}")
    async with (
        server,
        open_api(context=None, kubeconfig=file, patience=Patience(**patience)) as api,
    ):
        yield api


async def test_throttled_request_is_repeated(fake: FakeApiServer, api: Api) -> None:
    """429 with Retry-After is waited for, for a write as well: it was not carried out."""
    fake.throttle(2)
    await api.create(MAPS, BODY)
    assert [method for method, _ in fake.requests] == ["POST", "POST", "POST"]


async def test_throttling_has_an_end(fake: FakeApiServer, tmp_path: Path) -> None:
    """A server that asks for more patience than there is gets an error."""
    fake.throttle(1, retry_after_s=60)
    file = fake.write_kubeconfig(tmp_path)
    async with open_api(context=None, kubeconfig=file) as api:
        with pytest.raises(failures.ThrottledError):
            await api.get("/version")


async def test_unavailable_with_retry_after_is_repeated(fake: FakeApiServer, api: Api) -> None:
    """503 with Retry-After is waited for."""

    def refuse_once(write: Write) -> web.Response | None:
        if write.number == 1:
            return web.Response(status=503, headers={"Retry-After": "0"})
        return None

    fake.before_write = refuse_once
    assert (await api.create(MAPS, BODY))["metadata"]["name"] == "a"


async def test_server_error_without_retry_after_is_raised(fake: FakeApiServer, api: Api) -> None:
    """500 without Retry-After is a ServerError at once."""
    fake.before_write = lambda _: web.Response(status=500, text="boom\n")
    with pytest.raises(failures.ServerError) as caught:
        await api.create(MAPS, BODY)
    assert caught.value.message == "boom"
    assert fake.writes == 1


async def test_lost_answer_of_a_change_is_not_repeated(fake: FakeApiServer, api: Api) -> None:
    """A change whose answer got lost is reported as perhaps done, and was sent once."""

    def drop(_: Write) -> None:
        raise Drop

    fake.after_write = drop
    with pytest.raises(failures.AnswerLostError) as caught:
        await api.create(MAPS, BODY)
    assert fake.writes == 1
    assert fake.store.find("configmap", "default", "a") is not None
    assert caught.value.exit_code == ExitCode.UNREACHABLE
    assert "create configmaps" in caught.value.message


async def test_lost_answer_of_a_conditioned_delete_is_repeated(
    fake: FakeApiServer, api: Api
) -> None:
    """Deleting one very object twice is the same as once: the second answer is 404."""
    made = await api.create(MAPS, BODY)

    def drop_first(write: Write) -> None:
        if write.method == "DELETE" and write.number == 2:
            raise Drop

    fake.after_write = drop_first
    with pytest.raises(failures.NotFoundError):
        await api.delete(f"{MAPS}/a", uid=made["metadata"]["uid"])
    assert fake.writes == 3


async def test_lost_answer_of_a_question_is_repeated(tmp_path: Path) -> None:
    """A read, and a review (a POST that changes nothing), are asked again."""
    asked: list[bytes] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n")).split()[0])
        if len(asked) % 2:
            writer.transport.abort()
            return
        body = b'{"kind":"X","apiVersion":"v1"}'
        head = b"HTTP/1.1 201 Created\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
        writer.write(head % len(body) + body)
        writer.close()

    async with server_that(behave, tmp_path) as api:
        await api.get("/version")
        await api.create(path_of("selfsubjectreview"), {})
    assert asked == [b"GET", b"GET", b"POST", b"POST"]


async def test_dead_address_is_unreachable(tmp_path: Path) -> None:
    """Nobody listens: which address, how long it was tried, and why."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    file = kubeconfig(tmp_path, f"http://127.0.0.1:{port}")
    patience = Patience(first_s=0.2)
    async with open_api(context=None, kubeconfig=file, patience=patience) as api:
        with pytest.raises(UnreachableError) as caught:
            await api.create(MAPS, BODY)
    assert f"http://127.0.0.1:{port}" in caught.value.message
    assert "tried for 0." in caught.value.message
    assert "refused" in caught.value.details[0].lower() or "connect" in caught.value.details[0]
    assert caught.value.hint


async def test_unknown_name_is_unreachable(tmp_path: Path) -> None:
    """A name that does not resolve is named."""
    file = kubeconfig(tmp_path, "http://no-such-host.invalid:6443")
    patience = Patience(first_s=0.0)
    async with open_api(context=None, kubeconfig=file, patience=patience) as api:
        with pytest.raises(UnreachableError) as caught:
            await api.get("/version")
    assert caught.value.details == ("the name no-such-host.invalid does not resolve",)


async def test_silent_server_is_given_up(tmp_path: Path) -> None:
    """A server that takes the request and never answers costs a bounded time."""

    async def behave(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with server_that(behave, tmp_path, answer_s=0.2, first_s=0.1) as api:
        with pytest.raises(UnreachableError) as caught:
            await api.get("/version")
        assert caught.value.details == ("no answer",)
        with pytest.raises(failures.AnswerLostError):
            await api.patch(f"{MAPS}/a", {})


async def test_server_that_comes_back_is_waited_for(fake: FakeApiServer, tmp_path: Path) -> None:
    """A connection that cannot be made yet is tried again, for a write as well."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    file = kubeconfig(tmp_path, f"http://127.0.0.1:{port}")
    patience = Patience(first_s=30.0)
    async with open_api(context=None, kubeconfig=file, patience=patience) as api:
        async with asyncio.TaskGroup() as group:
            creating = group.create_task(api.create(MAPS, BODY))
            await asyncio.sleep(0.2)
            app = web.Application()
            app.router.add_route("*", "/{path:.*}", fake.serve)
            runner = web.AppRunner(app, shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", port).start()
            made = await creating
        await runner.cleanup()
    assert made["metadata"]["name"] == "a"
    assert fake.writes == 1


async def test_answer_that_is_not_json_is_an_error(tmp_path: Path) -> None:
    """A login page in place of the API is reported by its first line."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n<html>log in\n<br/>")
        writer.close()

    async with server_that(behave, tmp_path) as api:
        with pytest.raises(failures.ServerError) as caught:
            await api.get("/version")
    assert caught.value.message == "<html>log in"


async def test_warnings_are_told_once(fake: FakeApiServer, api: Api) -> None:
    """What the server warns of reaches the callback once, unquoted."""
    heard: list[str] = []
    api.on_warning = heard.append
    fake.warnings = ['spec: "x" is deprecated', "and another"]
    await api.create(MAPS, BODY)
    await api.delete(f"{MAPS}/a")
    assert heard == ['spec: "x" is deprecated', "and another"]


async def test_server_time_follows_the_servers_clock(fake: FakeApiServer, api: Api) -> None:
    """A server whose clock is wrong by ten minutes is believed, and time goes on in between."""
    fake.store.clock_offset_s = 600
    await api.get("/version")
    first = api.server_time()
    assert 595 < (first - datetime.now(UTC)).total_seconds() < 605
    await asyncio.sleep(0.01)
    assert api.server_time() > first


async def test_server_time_before_any_answer_is_unknown(api: Api) -> None:
    """Without an answer there is no clock to read."""
    with pytest.raises(RuntimeError):
        api.server_time()


async def test_expired_pages_are_read_again(fake: FakeApiServer, api: Api) -> None:
    """A list whose pages expire while they are turned is read in one piece."""
    for number in range(501):
        fake.store.create("configmap", "default", {"metadata": {"name": f"c{number:03}"}})
    listing = asyncio.ensure_future(api.list(MAPS))
    while len(fake.requests) < 1:
        await asyncio.sleep(0)
    fake.store.create("configmap", "default", {"metadata": {"name": "late"}})
    fake.store.forget()
    found = await listing
    assert len({one["metadata"]["name"] for one in found}) == 502
    assert ["limit" in path for _, path in fake.requests] == [True, True, False]


async def test_fresh_credentials_are_fetched_once(fake: FakeApiServer, tmp_path: Path) -> None:
    """Ten requests that meet 401 at once run the credential plugin once, and all succeed."""
    file, count = plugin_kubeconfig(fake, tmp_path)
    fake.access.tokens = {"token-1": User()}
    async with open_api(context=None, kubeconfig=file) as api:
        await api.get(MAPS)
        fake.access.tokens = {"token-2": User()}
        async with asyncio.TaskGroup() as group:
            for number in range(10):
                group.create_task(api.create(MAPS, {"metadata": {"name": f"c{number}"}}))
    assert len(fake.store.list("configmap", "default")) == 10
    assert count.read_text() == "xx"


async def test_credentials_that_stay_bad_are_reported(fake: FakeApiServer, tmp_path: Path) -> None:
    """Where fresh credentials are refused too, that is the end."""
    file, _ = plugin_kubeconfig(fake, tmp_path)
    fake.access.tokens = {}
    async with open_api(context=None, kubeconfig=file) as api:
        with pytest.raises(failures.UnauthorizedError):
            await api.get(MAPS)


def plugin_kubeconfig(fake: FakeApiServer, folder: Path) -> tuple[str, Path]:
    """Write a kubeconfig whose plugin prints token-1, then token-2, and so on."""
    count = folder / "count"
    plugin = folder / "plugin"
    plugin.write_text(
        f"""#!/bin/sh
printf x >> {count}
n=$(wc -c < {count})
printf '{{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",'
printf '"status":{{"token":"token-%d"}}}}' $n
"""
    )
    plugin.chmod(0o755)
    file = folder / "config"
    file.write_text(
        f"""
current-context: c
contexts: [{{name: c, context: {{cluster: c, user: u}}}}]
clusters: [{{name: c, cluster: {{server: "{fake.url}"}}}}]
users:
- name: u
  user:
    exec: {{apiVersion: client.authentication.k8s.io/v1, command: ./plugin, interactiveMode: Never}}
"""
    )
    return str(file), count
