"""A whole market day with prism between till and sandbox: prism sees no violation, and every request's signature is
verified by http-message-signatures.

    .tools/contract/bin/python tests/contract/day.py [--seed N]

Somebody stands on both sides of prism and keeps copies: till → front → prism → back → sandbox. What prism answers by
itself, what it marks and what it does not pass on are violations.
"""

import argparse
import collections
import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile
import types

import client
import middleman
import signatures
import stage

DAY_S = 120


@contextlib.contextmanager
def line(document=stage.DOCUMENT):
    """Yields (front, back, the sandbox's own address, what prism says)."""
    front, back = middleman.Middleman(), middleman.Middleman()
    with front.working(), back.working(), stage.sandbox(public_url=front.url) as sandbox:
        back.upstream = sandbox
        with stage.prism(back.url, document) as (prism, said):
            front.upstream = prism
            yield front, back, sandbox, said


def violations(front, back, said) -> list[str]:
    """What prism found, by each of its ways of saying so."""
    found = [text.strip() for text in list(said.lines) if "✖" in text]
    for exchange in front.exchanges:
        where = f"{exchange.method} {exchange.path} {exchange.status}"
        if "webhook-signature" not in exchange.answer_headers:
            found.append(f"{where}: prism's own answer: {exchange.answer.decode(errors='replace')[:600]}")
        if "sl-violations" in exchange.answer_headers:
            found.append(f"{where}: {exchange.answer_headers['sl-violations'][:600]}")
    if len(front.exchanges) != len(back.exchanges):
        found.append(f"{len(front.exchanges)} requests went to prism, {len(back.exchanges)} came out of it")
    # Counted, not compared in order: two requests may be under way at once.
    seen = lambda side: collections.Counter((it.method, it.path, it.body, it.status, it.answer) for it in side.exchanges)
    for method, path, _, status, _ in seen(front) - seen(back):
        found.append(f"{method} {path} {status}: not the same on both sides of prism")
    return found


def verify_requests(exchanges) -> int:
    """Every signed request of a till is verified with the key of its activation; how many."""
    jwk, verified = None, collections.Counter()
    for exchange in exchanges:
        if "signature" not in exchange.headers:
            assert exchange.path in ("/v1/capabilities", "/v1/keys", "/v1/health"), f"unsigned: {exchange.path}"
            continue
        if exchange.path == "/v1/terminals":
            jwk = json.loads(exchange.body)["public_key"]
        request = types.SimpleNamespace(method=exchange.method, url=exchange.url, headers=exchange.headers)
        client.verify(request, jwk, exchange.body)
        if not verified[exchange.method, exchange.path]:
            signatures.must_fail(request, jwk, exchange.body)
        verified[exchange.method, exchange.path] += 1
    return verified.total()


def play(seed: int) -> None:
    """A market day; then what passed is judged."""
    with line() as (front, back, sandbox, said), tempfile.TemporaryDirectory() as directory:
        words = [stage.BUILT / "market-day", "--faults", "none", "--seed", str(seed), "--dir", directory]
        words += ["--acquirer", front.url, "--admin", sandbox]
        played = subprocess.run(words, capture_output=True, text=True, timeout=DAY_S)
        found = violations(front, back, said)
        asked = stage.admin(sandbox, "GET", "/admin/ledger")["requests"]
        script = (pathlib.Path(directory) / "script.jsonl").read_text()
    refuse(found)
    if played.returncode:
        sys.exit(f"the day ends with {played.returncode}:\n{played.stdout[-3000:]}{played.stderr}")
    passed, sales = len(front.exchanges), len(script.splitlines()) - 1
    assert sum(sum(by_status.values()) for by_status in asked.values()) == passed > sales, (asked, passed)
    print(f"seed {seed}: a day of {sales} sales; prism passed {passed} requests of {len(asked)} operations on and saw no violation")
    verified = verify_requests(front.exchanges)
    print(f"http-message-signatures verifies the {verified} of them that are signed, and none of them changed")


def every_operation() -> None:
    """What a day does not ask, a client of our own does."""
    with line() as (front, back, sandbox, said):
        signatures.whole_life(sandbox, signatures.activated(front.url, "ed25519", sandbox))
        found = violations(front, back, said)
    refuse(found)
    print(f"prism passed {len(front.exchanges)} requests of all {len(stage.operations())} operations on and saw no violation")


def refuse(found: list[str]) -> None:
    """Ends with what was found."""
    if found:
        sys.exit("\n".join([*found[:20], f"{len(found)} violations"]))


def main() -> None:
    """Both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    play(parser.parse_args().seed)
    every_operation()


if __name__ == "__main__":
    main()
