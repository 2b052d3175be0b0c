"""A real browser, chromium, spoken to over a pipe: what it sees of a page at a width."""

import json
import os
import select
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

PROGRAM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
SECONDS = 120.0
# Root has no sandbox; pages fetch nothing, so neither does the browser.
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--remote-debugging-pipe",
)
LOOK = """(async () => {
  document.querySelectorAll('details').forEach(each => { each.open = true });
  document.querySelectorAll('img').forEach(each => { each.loading = 'eager' });
  await Promise.all([...document.images].map(each => each.decode().catch(() => {})));
  const width = document.documentElement.clientWidth;
  const scrolls = each => each && each !== document.body &&
    (getComputedStyle(each).overflowX !== 'visible' || scrolls(each.parentElement));
  const name = each => each.tagName.toLowerCase() + (each.id ? '#' + each.id : '') + ' ' +
    (each.alt || each.textContent || '').trim().slice(0, 40);
  return {
    width,
    pictures: document.images.length,
    missing: [...document.images].filter(each => !each.naturalWidth).map(name),
    overflow: document.documentElement.scrollWidth - width,
    beyond: [...document.body.querySelectorAll('*')].filter(each => each.getClientRects().length &&
      each.getBoundingClientRect().right > width + 1 && !scrolls(each.parentElement)).map(name),
  };
})()"""


class Browser:
    """Speaks the protocol of developer tools: a JSON message each way, ended by a zero byte."""

    def __init__(self, reads: int, writes: int):
        self._reads, self._writes = reads, writes
        self._number, self._received = 0, b""
        self.events: list[dict] = []

    def call(self, method: str, *, session: str | None = None, **given: object) -> dict:
        """What the browser answers; events that come before are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": given}
        if session:
            message["sessionId"] = session
        os.write(self._writes, json.dumps(message).encode() + b"\0")
        while (answer := self._message()).get("id") != self._number:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def wait_for(self, method: str) -> None:
        """Until such an event has come."""
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self._message())

    def _message(self) -> dict:
        until = time.monotonic() + SECONDS
        while b"\0" not in self._received:
            ready, _, _ = select.select([self._reads], [], [], max(0.0, until - time.monotonic()))
            assert ready, f"chromium says nothing for {SECONDS:g} s"
            self._received += os.read(self._reads, 1 << 16)
        message, _, self._received = self._received.partition(b"\0")
        return json.loads(message)

    def seen(self, page: Path, width: int) -> dict:
        """What a page looks like at a width: its pictures, what reaches beyond it, what the console says."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable", session=session)
        form = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", session=session, **form)
        self.events.clear()
        self.call("Page.navigate", session=session, url=page.resolve().as_uri())
        self.wait_for("Page.loadEventFired")
        looked = self.call(
            "Runtime.evaluate", session=session, expression=LOOK, returnByValue=True, awaitPromise=True
        )
        self.call("Target.closeTarget", targetId=target)
        return looked["result"]["value"] | {"console": self._said()}

    def _said(self) -> list[str]:
        """Errors and warnings of the console."""
        kept = []
        for event in self.events:
            given = event.get("params", {})
            if event.get("method") == "Runtime.exceptionThrown":
                kept.append(given["exceptionDetails"]["text"])
            if event.get("method") == "Log.entryAdded" and given["entry"]["level"] in ("error", "warning"):
                kept.append(given["entry"]["text"])
            if event.get("method") == "Runtime.consoleAPICalled" and given["type"] in ("error", "warning"):
                kept.append(str([each.get("value") for each in given["args"]]))
        return kept


@contextmanager
def browser(folder: Path):
    """A browser that keeps what it keeps in a folder, ended behind the block."""
    there, writes = os.pipe()
    reads, back = os.pipe()
    line = f'exec "$@" 3<&{there} 4>&{back}'
    command = [
        "bash",
        "-c",
        line,
        "bash",
        PROGRAM,
        *OPTIONS,
        f"--user-data-dir={folder / 'profile'}",
        "about:blank",
    ]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(
        command, pass_fds=(there, back), env=os.environ | {"HOME": str(folder)}, **quiet
    )
    os.close(there)
    os.close(back)
    try:
        yield Browser(reads, writes)
    finally:
        os.close(writes)  # the end of its commands is its own
        os.close(reads)
        process.terminate()
        process.wait(30)
