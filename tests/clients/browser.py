"""A headless Chromium, driven over its DevTools protocol: real clicks and key presses, real layout.

Leaves to others: what the page must do. Invariant: the browser and its profile are gone after the `with` block.
"""
import asyncio
import base64
import json
import re
import shutil
import subprocess
import tempfile

import websockets

from demo import PATIENCE

# Everything that would go out to the network is off: the tests run on closed machines.
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
         "--remote-debugging-port=0", "--window-size=900,1000"]


def find():
    """The browser's path, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Browser:
    """One browser with one page."""

    async def __aenter__(self):
        self._profile = tempfile.mkdtemp(prefix="ringwire-chromium-")
        self._process = subprocess.Popen([find(), *FLAGS, f"--user-data-dir={self._profile}", "about:blank"],
                                         text=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                         stderr=subprocess.PIPE)
        try:
            await asyncio.wait_for(self._attach(), PATIENCE)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_):
        if hasattr(self, "_reader"):
            self._reader.cancel()
            await self._socket.close()
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._profile, ignore_errors=True)

    async def _attach(self):
        address = await asyncio.to_thread(self._find_address)
        self._socket = await websockets.connect(address, max_size=None, ping_interval=None, compression=None)
        self._answers, self._next_id, self._session = {}, 0, None
        self.complaints = []  # Exceptions, and what the security policy refused.
        self._reader = asyncio.create_task(self._read())
        target = (await self.call("Target.createTarget", url="about:blank"))["targetId"]
        self._session = (await self.call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            await self.call(domain + ".enable")

    def _find_address(self):
        for line in self._process.stderr:
            if found := re.search(r"DevTools listening on (ws://\S+)", line):
                return found.group(1)
        raise RuntimeError("the browser did not start")

    async def _read(self):
        async for text in self._socket:
            message = json.loads(text)
            if "id" in message:
                self._answers.pop(message["id"]).set_result(message)
            elif message["method"] in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.complaints.append(json.dumps(message["params"]))

    async def call(self, method, **parameters):
        self._next_id += 1
        request = {"id": self._next_id, "method": method, "params": parameters}
        if self._session:
            request["sessionId"] = self._session
        answer = self._answers[self._next_id] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps(request))
        message = await asyncio.wait_for(answer, PATIENCE)
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']}")
        return message["result"]

    async def open(self, url):
        await self.call("Page.navigate", url=url)

    async def evaluate(self, expression):
        """The value of a JavaScript expression in the page; a promise is waited for."""
        result = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(json.dumps(result["exceptionDetails"]))
        return result["result"].get("value")

    async def wait_until(self, condition):
        """Waits until a JavaScript condition holds, looking at every frame the page draws."""
        found = await self.evaluate(
            "new Promise(done => { const end = performance.now() + %d; const look = () => "
            "{ let held = false; try { held = Boolean(%s); } catch (ignored) {} "
            "if (held || performance.now() > end) done(held); else setTimeout(look, 10); }; look(); })"
            % (int(PATIENCE * 500), condition))
        if not found:
            raise AssertionError(f"the page never had: {condition}; it shows: "
                                 + str(await self.evaluate("document.body.innerText")))

    async def click(self, selector):
        x, y = await self.evaluate(
            f"(() => {{ const box = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
            " return [box.x + box.width / 2, box.y + box.height / 2]; })()")
        for kind in ("mousePressed", "mouseReleased"):
            await self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    async def type(self, text):
        await self.call("Input.insertText", text=text)

    async def press_enter(self):
        for kind in ("keyDown", "keyUp"):
            await self.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r",
                            windowsVirtualKeyCode=13)

    async def scheme(self, name):
        """Shows the page as in a system that prefers "light" or "dark"."""
        await self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    async def screenshot(self, path):
        """Saves what the page looks like."""
        picture = await self.call("Page.captureScreenshot", format="png")
        with open(path, "wb") as file:
            file.write(base64.b64decode(picture["data"]))
