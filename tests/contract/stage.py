"""What stands on the stage: the sandbox, prism, a till. Every process ends with the `with` that started it."""

import contextlib
import functools
import json
import os
import pathlib
import queue
import re
import signal
import subprocess
import sys
import threading
import urllib.request

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILT = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"
TOOLS = ROOT / ".tools"
PYTHON = TOOLS / "contract/bin/python"
DOCUMENT = ROOT / "core/acquirers/openapi.yaml"
# Saturday 2026-11-21, 08:00 in Shanghai.
START_MS = 1_795_219_200_000
# For what must happen soon after it was asked for.
PATIENCE_S = 30

# `timeout` ends a script with SIGTERM; as an exception it ends what the script started, too.
signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))


class Said:
    """The lines a process says, read as they come, so that it never waits for a reader."""

    def __init__(self, stream) -> None:
        self.lines: list[str] = []
        self._queue: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream) -> None:
        for line in stream:
            self.lines.append(line)
            self._queue.put(line)
        self._queue.put(None)

    def until(self, pattern: str) -> re.Match:
        """The first line from here on that matches."""
        while (line := self._queue.get(timeout=PATIENCE_S)) is not None:
            if found := re.search(pattern, line):
                return found
        sys.exit(f"ended before it said {pattern!r}:\n{''.join(self.lines)}")


@contextlib.contextmanager
def process(words, **settings):
    """A process and what it says."""
    child = subprocess.Popen(
        [str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **settings
    )
    try:
        yield child, Said(child.stdout)
    finally:
        with contextlib.suppress(BrokenPipeError):
            child.stdin.close()
        try:
            child.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@contextlib.contextmanager
def sandbox(public_url: str | None = None, seed: int = 7):
    """The sandbox's address. It listens on a port of the system's choosing."""
    words = [BUILT / "sandbox-acquirer", "--seed", seed, "--now-ms", START_MS]
    if public_url:
        words += ["--public-url", public_url]
    with process(words) as (_, said):
        yield said.until(r'"listening":"(.+?)"')[1]


@contextlib.contextmanager
def prism(upstream: str, document=DOCUMENT):
    """prism's address, and what it says."""
    words = [TOOLS / "node/node_modules/.bin/prism", "proxy", "--host", "127.0.0.1", "--port", 0, "--errors", document, upstream]
    with process(words, env={**os.environ, "NO_COLOR": "1", "FORCE_COLOR": "0"}, stderr=subprocess.STDOUT) as (_, said):
        yield said.until(r"listening on (http://127\.0\.0\.1:\d+)")[1], said


class Till:
    """till-cli, asked line by line."""

    def __init__(self, child, said) -> None:
        self._child, self._said = child, said
        said.until('"event":"opened"')

    def ask(self, **command) -> dict:
        """Sends a command; its answer."""
        self._child.stdin.write(json.dumps(command) + "\n")
        self._child.stdin.flush()
        return json.loads(self._said.until('.*"ok":.*')[0])


@contextlib.contextmanager
def till(directory, url: str):
    """A till that talks to `url`."""
    with process([BUILT / "till-cli", "--dir", directory, "--acquirer", url, "--now-ms", START_MS]) as (child, said):
        yield Till(child, said)


def admin(url: str, method: str, path: str, body=None):
    """Asks the sandbox's administration."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data=data, method=method)
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        return json.load(answer)


@functools.cache
def operations() -> set[str]:
    """Every operationId of the document."""
    paths = yaml.safe_load(DOCUMENT.read_text())["paths"]
    return {call["operationId"] for path in paths.values() for call in path.values() if "operationId" in call}
