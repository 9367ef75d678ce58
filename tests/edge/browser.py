"""A browser for tests of pages: chromium without a window, driven by its DevTools protocol over a small websocket."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-extensions", "--disable-dev-shm-usage",
    "--remote-debugging-port=0", "--hide-scrollbars",
)  # fmt: skip
WITHIN_S = 20.0


class Browser:
    """One tab."""

    def __init__(self, address: str) -> None:
        host, path = address.removeprefix("ws://").split("/", 1)
        name, port = host.split(":")
        self._socket = socket.create_connection((name, int(port)), timeout=WITHIN_S)
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self._file = self._socket.makefile("rb")
        while self._file.readline().strip():
            pass
        self._number = 0
        self.events: list[dict[str, Any]] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Ask for something; what happens meanwhile is kept in `events`."""
        self._number += 1
        self._send(json.dumps({"id": self._number, "method": method, "params": parameters}).encode())
        while True:
            found = self._receive()
            if found.get("id") == self._number:
                assert "error" not in found, found
                return dict(found["result"])
            self.events.append(found)

    def go(self, url: str) -> None:
        self.events.clear()
        self.call("Page.navigate", url=url)
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def run(self, script: str) -> Any:
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def until(self, script: str) -> None:
        end = time.monotonic() + WITHIN_S
        while True:
            # fails while a page changes
            found = self.call("Runtime.evaluate", expression=f"Boolean({script})", returnByValue=True)
            if "exceptionDetails" not in found and found["result"].get("value"):
                return
            assert time.monotonic() < end, f"it did not come to pass: {script}"
            time.sleep(0.05)

    def look_like(self, width: int, height: int, *, dark: bool = False, phone: bool = False) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def picture(self, path: Path, *, whole: bool = True) -> None:
        found = self.call("Page.captureScreenshot", captureBeyondViewport=whole, **self._clip(whole))
        path.write_bytes(base64.b64decode(found["data"]))

    def complaints(self) -> list[str]:
        """Errors that the browser saw: of scripts, of policies, of loading."""
        logged = (one["params"]["entry"] for one in self.events if one.get("method") == "Log.entryAdded")
        thrown = [str(one["params"]) for one in self.events if one.get("method") == "Runtime.exceptionThrown"]
        return [f"{one['level']}: {one['text']}" for one in logged if one["level"] == "error"] + thrown

    def asked(self) -> set[str]:
        """Every address that was loaded from."""
        sent = (one["params"] for one in self.events if one.get("method") == "Network.requestWillBeSent")
        return {one["request"]["url"] for one in sent}

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def _clip(self, whole: bool) -> dict[str, Any]:
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}} if whole else {}

    def _send(self, data: bytes) -> None:
        mask = os.urandom(4)
        length = len(data)
        size = bytes([0x80 | length]) if length < 126 else b"\xfe" + length.to_bytes(2, "big")
        assert length < 65536
        self._socket.sendall(b"\x81" + size + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(data)))

    def _receive(self) -> dict[str, Any]:
        data = b""
        while True:
            first, second = self._file.read(2)
            length = second & 0x7F
            if length > 125:
                length = int.from_bytes(self._file.read(2 if length == 126 else 8), "big")
            data += self._file.read(length)
            if first & 0x80:
                return dict(json.loads(data))


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser with a home of its own, gone afterwards."""
    assert CHROMIUM is not None
    home = Path(tempfile.mkdtemp(prefix="edge-browser-"))
    process = subprocess.Popen(
        [CHROMIUM, *FLAGS, f"--user-data-dir={home}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(home)},
        start_new_session=True,
    )
    try:
        tab = Browser(_address(home))
        try:
            yield tab
        finally:
            tab.close()
    finally:
        os.killpg(process.pid, 9)
        process.wait()
        shutil.rmtree(home, ignore_errors=True)


def _address(home: Path) -> str:
    end = time.monotonic() + WITHIN_S
    port = home / "DevToolsActivePort"
    while not (port.is_file() and port.read_text().strip()):
        assert time.monotonic() < end, "the browser does not start"
        time.sleep(0.05)
    with urllib.request.urlopen(f"http://127.0.0.1:{port.read_text().split()[0]}/json/list") as found:
        return next(str(one["webSocketDebuggerUrl"]) for one in json.load(found) if one["type"] == "page")
