"""A headless Chromium, where one is installed: it runs a page's own scripts, needs no package and no network."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
needs_browser = pytest.mark.skipif(not BROWSER, reason=f"none of {', '.join(BROWSERS)} is installed")


@contextmanager
def browsing(address: str, folder: Path, *arguments: str) -> Iterator[Path]:
    """Opens a page; the file that comes has what the browser says meanwhile. "CONSOLE" is a message of the page."""
    log = folder / "browser.log"
    with open(log, "wb") as stderr:
        browser = subprocess.Popen(
            [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync", "--lang=de",
             "--accept-lang=de", "--enable-logging=stderr", f"--user-data-dir={folder / 'browser'}", *arguments,
             address],
            stdout=subprocess.DEVNULL, stderr=stderr, env={**os.environ, "LANGUAGE": "de"})
        try:
            yield log
        finally:
            browser.terminate()
            browser.wait(30)
