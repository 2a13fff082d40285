"""Chromium, where there is one, by its DevTools protocol."""

from __future__ import annotations

import base64
import io
import itertools
import json
import os
import select
import shutil
import subprocess
import sys
import time

from PIL import Image

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)

#: The browser reads from descriptor 3 and writes to 4.
LAUNCH = """
import fcntl, os, sys
read, write = (fcntl.fcntl(int(n), fcntl.F_DUPFD, 10) for n in sys.argv[1:3])
os.dup2(read, 3)
os.dup2(write, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Browser:
    """Chromium through the pipe of its DevTools protocol: messages of JSON ended by a zero."""

    def __init__(self, profile):
        read, self._to = os.pipe()
        self._from, write = os.pipe()
        options = ["--headless=new", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"]
        options += ["--disable-background-networking", "--hide-scrollbars"]
        options += ["--no-sandbox"] if os.geteuid() == 0 else []
        options += [f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, str(read), str(write), CHROMIUM, *options],
            pass_fds=(read, write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read)
        os.close(write)
        self._numbers, self._rest, self._session = itertools.count(1), b"", None
        self.events = []

    def start(self):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def _message(self, seconds=60.0):
        deadline = time.monotonic() + seconds
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._from], [], [], deadline - time.monotonic())
            chunk = os.read(self._from, 1 << 16) if ready else b""
            if not chunk:
                raise TimeoutError("the browser does not answer")
            self._rest += chunk
        raw, self._rest = self._rest.split(b"\0", 1)
        return json.loads(raw)

    def call(self, method, **parameters):
        sent = {"id": next(self._numbers), "method": method, "params": parameters}
        if self._session is not None:
            sent["sessionId"] = self._session
        os.write(self._to, json.dumps(sent).encode() + b"\0")
        while True:
            got = self._message()
            if got.get("id") == sent["id"]:
                assert "error" not in got, got
                return got["result"]
            self.events.append(got)

    def open(self, path, width, scheme):
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **metrics)
        self.media("screen", scheme)
        self.events.clear()
        self.call("Page.navigate", url=path.as_uri())
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self._message())

    def media(self, media, scheme="light"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", media=media, features=[feature])

    def evaluate(self, expression):
        got = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in got, got
        return got["result"].get("value")

    def screenshot(self):
        return Image.open(io.BytesIO(self._data("Page.captureScreenshot")))

    def pdf(self):
        return self._data("Page.printToPDF", paperWidth=8.27, paperHeight=11.69)

    def _data(self, method, **parameters):
        return base64.b64decode(self.call(method, **parameters)["data"])

    def complaints(self):
        """What the console got, and every address asked for."""
        told = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
        asked = [e for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        addresses = [e["params"]["request"]["url"] for e in asked]
        return [e for e in self.events if e.get("method") in told], addresses

    def close(self):
        self._process.terminate()
        self._process.wait(30)
        os.close(self._to)
        os.close(self._from)
