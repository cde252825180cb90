"""Real clients against the websocket demo: raw HTTP, python3-websockets, Node, Chromium.

usage: clients_test.py DEMO ARTEFACTS. Prints a line for each test that fails or is skipped, and as its last line
"N passed, N failed, N skipped". Screenshots go to ARTEFACTS.
"""
import asyncio
import base64
import hashlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from demo import PATIENCE, Demo, receive_all, split

try:
    import websockets
except ImportError:
    websockets = None

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM, ARTEFACTS = sys.argv[1], pathlib.Path(sys.argv[2])
SANITIZED = os.environ.get("RINGWIRE_SANITIZE", "none") != "none"
TESTS = []


class Skip(Exception):
    """What a test needs is not there."""


def test(function):
    TESTS.append(function)
    return function


def need_websockets():
    if websockets is None:
        raise Skip("python3-websockets is not installed")


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 3 * PATIENCE))


async def closed_with(connection):
    """Reads until the server closes; answers its code."""
    try:
        while True:
            await asyncio.wait_for(connection.recv(), PATIENCE)
    except websockets.ConnectionClosed as end:
        return end.rcvd.code if end.rcvd else None


# -- plain HTTP

@test
def the_page_is_served_with_its_length_and_a_policy_that_names_its_script():
    with Demo(PROGRAM) as demo:
        status, headers, body = split(demo.ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
    assert status == 200 and headers["content-type"] == "text/html; charset=utf-8", headers
    assert int(headers["content-length"]) == len(body)
    assert body.startswith(b"<!doctype html>")
    script = re.search(b"<script>(.*?)</script>", body, re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(script).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


@test
def head_answers_the_same_header_without_a_body():
    with Demo(PROGRAM) as demo:
        get = split(demo.ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
        head = split(demo.ask(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"))
    assert head[:2] == get[:2] and head[2] == b"", head


@test
def other_paths_are_404_and_other_methods_405_with_allow():
    with Demo(PROGRAM) as demo:
        for path in (b"/nothing", b"//", b"/echo/", b"/../etc/passwd"):
            assert split(demo.ask(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n"))[0] == 404, path
        for request in (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", b"DELETE / HTTP/1.1\r\n\r\n",
                        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"):
            status, headers, _ = split(demo.ask(request))
            assert status == 405 and headers["allow"] == "GET, HEAD", headers
        status, headers, _ = split(demo.ask(b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n"))
        assert status == 426 and headers["upgrade"] == "websocket"


@test
def malformed_requests_are_400_and_the_connection_ends():
    with Demo(PROGRAM) as demo:
        for request in (b"BLAH\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
                        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
                        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"):
            with demo.connect() as connection:
                connection.sendall(request)
                assert split(receive_all(connection))[0] == 400, request


@test
def a_frame_that_does_not_wait_for_the_upgrade_is_400():
    with Demo(PROGRAM) as demo, demo.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
                           b"\x81\x82\x00\x00\x00\x00hi")
        assert split(receive_all(connection))[0] == 400


@test
def a_header_that_is_too_large_is_431():
    with Demo(PROGRAM) as demo, demo.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000)
        assert split(receive_all(connection))[0] == 431


@test
def a_connection_is_kept_for_the_next_request():
    with Demo(PROGRAM) as demo, demo.connect() as connection:
        connection.sendall(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n" * 3 +
                           b"GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert receive_all(connection).count(b"HTTP/1.1 404") == 4
        assert split(demo.ask(b"GET / HTTP/1.0\r\n\r\n"))[1].get("connection", "close") == "close"


@test
def an_upgrade_elsewhere_is_404_and_one_of_an_unknown_version_is_refused():
    upgrade = (b"GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: %s\r\n\r\n")
    with Demo(PROGRAM) as demo:
        assert split(demo.ask(upgrade % (b"/nothing", b"13")))[0] == 404
        status, headers, _ = split(demo.ask(upgrade % (b"/echo", b"12")))
        assert status == 426 and headers["sec-websocket-version"] == "13"
        assert split(demo.ask(upgrade % (b"/echo?x=1", b"13")))[0] == 101


@test
def a_client_that_never_finishes_its_request_is_closed():
    with Demo(PROGRAM, "--idle-timeout", "1") as demo, demo.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        try:
            assert receive_all(connection) == b""
        except ConnectionResetError:
            pass
        demo.wait_for_count(0)


# -- the program

@test
def help_names_every_flag_and_a_wrong_one_fails():
    text = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, check=True).stdout
    for flag in ("--host", "--port", "--multicore", "--loops", "--deflate", "--message-max", "--idle-timeout", "--log"):
        assert flag in text, flag
    assert subprocess.run([PROGRAM, "--nonsense"], capture_output=True).returncode != 0


@test
def a_taken_port_is_said_so():
    with Demo(PROGRAM) as demo:
        second = subprocess.run([PROGRAM, "--host", demo.host, "--port", str(demo.port)], capture_output=True,
                                text=True, timeout=PATIENCE)
        assert second.returncode == 1 and str(demo.port) in second.stderr, second.stderr


@test
def multicore_off_and_loops_are_obeyed():
    for arguments, loops in ((["--multicore=false"], "on 1 loop;"), (["--loops", "3"], "on 3 loops;")):
        with Demo(PROGRAM, *arguments) as demo:
            assert loops in demo.lines[0], demo.lines
            assert demo.interrupt()[0] == 0


@test
def without_a_host_it_listens_for_ipv4_and_ipv6():
    with Demo(PROGRAM, host="") as demo:
        for host in ("127.0.0.1", "::1"):
            try:
                connection = socket.create_connection((host, demo.port), PATIENCE)
            except OSError as error:
                if host == "::1":
                    raise Skip(f"no IPv6 here: {error}") from error
                raise
            with connection:
                connection.sendall(b"HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n")
                assert split(receive_all(connection))[0] == 200


@test
def the_count_follows_the_connections():
    with Demo(PROGRAM) as demo:
        connections = [demo.connect() for _ in range(5)]
        demo.wait_for_count(5)
        for connection in connections:
            connection.close()
        demo.wait_for_count(0)


@test
def both_signals_end_it_within_a_second_with_exit_code_0():
    for number in (signal.SIGINT, signal.SIGTERM):
        with Demo(PROGRAM) as demo, demo.connect(), demo.connect():
            code, seconds = demo.interrupt(number)
            assert code == 0, code
            assert seconds < (10 if SANITIZED else 1), seconds


# -- python3-websockets

@test
def python_gets_its_messages_back():
    need_websockets()

    async def talk(demo):
        async with websockets.connect(demo.ws_url, max_size=None) as connection:
            assert not connection.extensions
            for size in (0, 1, 125, 126, 127, 65535, 65536, 1_000_000):
                for message in ("é" * (size // 2), os.urandom(size)):
                    await connection.send(message)
                    assert await connection.recv() == message, size
            await connection.send(["frag", "men", "ts"])
            assert await connection.recv() == "fragments"
            await asyncio.wait_for(await connection.ping(b"hello"), PATIENCE)
        assert connection.close_code == 1000

    with Demo(PROGRAM, "--log", "debug") as demo:
        run(talk(demo))
        demo.wait_for_line(" opened")
        demo.wait_for_line(" closed: ")
        demo.wait_for_count(0)


@test
def python_gets_its_messages_back_compressed():
    need_websockets()

    async def talk(demo):
        async with websockets.connect(demo.ws_url, max_size=None) as connection:
            assert "permessage-deflate" in connection.response_headers["Sec-WebSocket-Extensions"]
            for message in ("text " * 50_000, os.urandom(100_000), "", "x"):
                await connection.send(message)
                assert await connection.recv() == message

    with Demo(PROGRAM, "--deflate") as demo:
        run(talk(demo))


@test
def many_pythons_at_once_get_their_messages_back():
    need_websockets()

    async def talk(demo, index):
        async with websockets.connect(demo.ws_url, compression=None) as connection:
            for size in range(1, 40_000, 2_000):
                message = bytes([index]) * size
                await connection.send(message)
                assert await connection.recv() == message

    async def talk_all(demo):
        await asyncio.gather(*(talk(demo, index) for index in range(40)))

    with Demo(PROGRAM, "--loops", "2") as demo:
        run(talk_all(demo))
        demo.wait_for_count(0)


@test
def an_oversize_message_closes_with_1009():
    need_websockets()

    async def talk(demo):
        async with websockets.connect(demo.ws_url) as connection:
            await connection.send("a" * 1000)
            assert await connection.recv() == "a" * 1000
            await connection.send("a" * 1001)
            assert await closed_with(connection) == 1009

    with Demo(PROGRAM, "--message-max", "1000") as demo:
        run(talk(demo))


@test
def an_idle_websocket_is_closed():
    need_websockets()

    async def talk(demo):
        async with websockets.connect(demo.ws_url, ping_interval=None) as connection:
            await connection.send("hello")
            assert await connection.recv() == "hello"
            await closed_with(connection)

    with Demo(PROGRAM, "--idle-timeout", "1") as demo:
        run(talk(demo))
        demo.wait_for_count(0)


@test
def ctrl_c_closes_open_websockets_with_1001():
    need_websockets()

    async def talk(demo):
        connections = [await websockets.connect(demo.ws_url, ping_interval=None) for _ in range(20)]
        ends = [asyncio.create_task(closed_with(connection)) for connection in connections]
        code, seconds = await asyncio.to_thread(demo.interrupt)
        assert await asyncio.gather(*ends) == [1001] * 20
        assert code == 0
        assert seconds < (10 if SANITIZED else 1), seconds

    with Demo(PROGRAM) as demo:
        run(talk(demo))
        demo.wait_for_line("bye")


# -- Node and Chromium

@test
def node_gets_its_messages_back():
    if shutil.which("node") is None:
        raise Skip("node is not installed")
    with Demo(PROGRAM) as demo:
        for flags in ([], ["--experimental-websocket"]):  # Built in from 20.10 behind this flag, from 22 without.
            result = subprocess.run(["node", *flags, HERE / "node_client.js", demo.ws_url], capture_output=True,
                                    text=True, timeout=60 + PATIENCE)
            if result.returncode == 77 or "bad option" in result.stderr:
                continue
            assert result.returncode == 0 and "14 messages echoed" in result.stdout, result.stdout + result.stderr
            return
    raise Skip("this node has neither npm's ws nor a client of its own")


@test
def a_browser_shows_the_page_sends_and_sees_the_echo():
    need_websockets()
    from browser import Browser, find
    if find() is None:
        raise Skip("chromium is not installed")
    if SANITIZED:
        raise Skip("a browser adds nothing under a sanitizer")

    async def browse(demo):
        async with Browser() as browser:
            await browser.open(demo.url)
            await browser.wait_until("document.querySelector('#state').dataset.state === 'open'")
            for text in ("hello ringwire", "<b>not bold</b>"):
                await browser.click("#message")
                await browser.type(text)
                await browser.press_enter()
                await browser.wait_until(f"document.querySelector('#log li span').textContent === '{text}'")
            assert await browser.evaluate("document.querySelectorAll('#log b').length") == 0
            await browser.click("#burst")
            await browser.wait_until("document.querySelector('#count').textContent === '102'")
            await browser.wait_until("document.querySelector('#log li span').textContent === 'burst 100'")
            assert float(await browser.evaluate("document.querySelector('#median').textContent")) > 0
            # The plot has ink in the accent colour, not only its scale.
            assert await browser.evaluate(
                "(() => { const c = document.querySelector('#plot'), d = c.getContext('2d')"
                ".getImageData(0, 0, c.width, c.height).data; let n = 0;"
                " for (let i = 0; i < d.length; i += 4) if (d[i + 1] > d[i] + 60) ++n; return n; })()") > 100
            for scheme in ("light", "dark"):
                await browser.scheme(scheme)
                await browser.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")
                await browser.screenshot(ARTEFACTS / f"page-{scheme}.png")
            assert browser.complaints == [], browser.complaints
            await asyncio.to_thread(demo.interrupt)
            await browser.wait_until("document.querySelector('#log').textContent.includes('code 1001')")

    with Demo(PROGRAM) as demo:
        run(browse(demo))


def main():
    passed = failed = skipped = 0
    for function in TESTS:
        name = function.__name__.replace("_", " ")
        try:
            function()
            passed += 1
        except Skip as why:
            print(f"SKIPPED: {name}: {why}")
            skipped += 1
        except Exception:
            print(f"FAILED: {name}\n{traceback.format_exc()}")
            failed += 1
        sys.stdout.flush()
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
