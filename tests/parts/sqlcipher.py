#!/usr/bin/env python3
"""A ledger of the encrypted build in front of whoever has no business with it: another key, no key, the plain build, a SQLite of
somebody else's; and a plain ledger in front of the encrypted build. Each is told why in one line, and nothing is touched.

    tests/parts/sqlcipher.py ENCRYPTED PLAIN     two builds of till-cli; needs target/debug/sandbox-acquirer
"""

import json
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEY, OTHER_KEY = "5c" * 32, "11" * 32
AMOUNTS_MINOR = (500, 700, 1_100)
AT_STAKE = {"currency": "CNY", "count": len(AMOUNTS_MINOR), "amount_minor": sum(AMOUNTS_MINOR)}
# Words that stand in every plain ledger: its format, its tables, its events.
KNOWN = (b"SQLite format 3", b"CREATE TABLE", b"charge_started", b"amount_minor")
START_MS = 1_795_219_200_000
# Two terminals: their ids and keys must differ.
SEEDS = {"clear": "1", "secret": "2"}


def admin(url: str, path: str, body: dict) -> dict:
    """Asks the sandbox's administration."""
    with urllib.request.urlopen(urllib.request.Request(url + path, json.dumps(body).encode()), timeout=30) as answer:
        return json.load(answer)


def run(till: str, directory: pathlib.Path, url: str, key: str | None, commands: tuple = ()) -> tuple[list[dict], int]:
    """A till's whole life: the lines it said and its exit code. Whatever it prints beside its lines is an error."""
    words = [till, "--dir", directory, "--acquirer", url, "--now-ms", str(START_MS), "--seed", SEEDS[directory.name],
             *(["--key", key] if key else [])]
    lines = "".join(json.dumps(command) + "\n" for command in commands)
    ended = subprocess.run(words, input=lines, capture_output=True, text=True, timeout=60, check=False)
    if ended.stderr:
        sys.exit(f"printed on standard error: {ended.stderr.strip()}")
    try:
        return [json.loads(line) for line in ended.stdout.splitlines()], ended.returncode
    except json.JSONDecodeError:
        sys.exit(f"printed between the lines: {ended.stdout.strip()}")


def keep_payments(till: str, directory: pathlib.Path, url: str, key: str | None) -> None:
    """A till in business with some payments kept and none sent."""
    code = admin(url, "/admin/activation-codes", {})["activation_code"]
    charges = [{"cmd": "charge", "amount_minor": amount, "mode": "offline", "card": {"last_four": "1234"}}
               for amount in AMOUNTS_MINOR]
    lines, ended = run(till, directory, url, key, ({"cmd": "activate", "code": code}, {"cmd": "sign_on"}, *charges))
    saved = [line for line in lines if line.get("event") == "saved"]
    if ended != 0 or len(saved) != len(AMOUNTS_MINOR):
        sys.exit(f"{till} does not keep payments: {lines}")


def files(directory: pathlib.Path) -> dict[str, bytes]:
    """What the ledger is: the file, its log, the witness. The index of the log is no part of it."""
    return {path.name: path.read_bytes() for path in sorted((directory / "ledger").iterdir())
            if not path.name.endswith("-shm") and path.name != "lock"}


def readable(directory: pathlib.Path) -> set[bytes]:
    """The known words that stand in the file or its log."""
    found = files(directory)
    return {word for word in KNOWN if any(word in found[name] for name in ("ledger.db", "ledger.db-wal") if name in found)}


def refused(what: str, till: str, directory: pathlib.Path, url: str, key: str | None, wanted: str) -> None:
    """The till does not open, says why and what is at stake in one line, and touches nothing."""
    before = files(directory)
    lines, ended = run(till, directory, url, key)
    if ended != 1 or len(lines) != 1 or lines[0].get("error", {}).get("code") != wanted:
        sys.exit(f"{what}: exit code {ended}, not {wanted} in one line: {lines}")
    if lines[0].get("at_stake", {}).get("unsent") != [AT_STAKE]:
        sys.exit(f"{what}: what is at stake is not said: {lines}")
    if changed := sorted(name for name in before.keys() | files(directory).keys()
                         if before.get(name) != files(directory).get(name)):
        sys.exit(f"{what}: {changed} changed")
    print(f"{what}: {wanted}, nothing printed beside it, nothing touched")


def foreign_sqlite_reads(directory: pathlib.Path) -> bool:
    """Whether Python's own SQLite finds tables in a copy of the file."""
    with tempfile.TemporaryDirectory() as copy:
        path = pathlib.Path(copy) / "ledger.db"
        for name, content in files(directory).items():
            (path.parent / name).write_bytes(content)
        connection = sqlite3.connect(path)
        try:
            return connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] > 0
        except sqlite3.DatabaseError:
            return False
        finally:
            connection.close()


def play(encrypted: str, plain: str, url: str, directory: pathlib.Path) -> None:
    """Everything, one after the other."""
    secret, clear = directory / "secret", directory / "clear"
    keep_payments(plain, clear, url, None)
    keep_payments(encrypted, secret, url, KEY)
    if readable(clear) != set(KNOWN) or not foreign_sqlite_reads(clear):
        sys.exit("a plain ledger is not readable: this check sees nothing")
    if found := readable(secret):
        sys.exit(f"the encrypted ledger holds {sorted(found)}")
    if foreign_sqlite_reads(secret):
        sys.exit("the encrypted ledger is read without its key")
    print("an encrypted ledger and its log hold no word of a plain one's, and another SQLite reads nothing")

    refused("another key", encrypted, secret, url, OTHER_KEY, "wrong_key")
    refused("a lost key", encrypted, secret, url, None, "key_missing")
    refused("the plain build before an encrypted ledger", plain, secret, url, None, "not_a_ledger")
    refused("a key for the plain build", plain, secret, url, KEY, "key_without_encryption")
    refused("a key for the plain build's own ledger", plain, clear, url, KEY, "key_without_encryption")
    refused("the encrypted build before a plain ledger", encrypted, clear, url, KEY, "not_encrypted")

    for till, where, key in ((encrypted, secret, KEY), (plain, clear, None)):
        lines, ended = run(till, where, url, key, ({"cmd": "payments"}, {"cmd": "verify"}))
        if ended != 0 or len(lines[1]["payments"]) != len(AMOUNTS_MINOR) or not lines[2]["report"]["sound"]:
            sys.exit(f"after all that, {till} does not open its own: {lines}")
    print("and each opens its own, whole")


def main() -> None:
    """Runs it once."""
    encrypted, plain = sys.argv[1:]
    acquirer = subprocess.Popen([ROOT / "target/debug/sandbox-acquirer", "--now-ms", str(START_MS)],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        url = json.loads(acquirer.stdout.readline())["listening"]
        with tempfile.TemporaryDirectory(prefix="takings-sqlcipher-") as directory:
            play(encrypted, plain, url, pathlib.Path(directory))
    finally:
        acquirer.stdin.close()
        acquirer.wait()


if __name__ == "__main__":
    main()
