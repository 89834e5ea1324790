#!/usr/bin/env python3
"""Counts what a till waits for: system calls that sync, between the markers of `till-cli --markers`, seen by strace.

    tests/parts/fsync.py TILL [--sandbox FILE] [--key HEX] [--keep FILE]     TILL: a till-cli; --key for an encrypted build

The first commit after a reset of the write-ahead log syncs twice (its header, then the commit). So a till is warmed up with
charges that are not counted, and where a checkpoint came between two charges, these two count as one.

What the reader says for the receipt shares the commit of the acquirer's answer. Where the answer was faster it has a commit
of its own, after it: which of the two happened is in the payment's history.
"""

import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
SYNCS = ("fsync", "fdatasync", "sync_file_range", "sync", "syncfs", "msync")
TRACED = ",".join((*SYNCS, "write", "writev", "sendto", "sendmsg", "open", "openat"))
LOG, FILE = "ledger.db-wal", "ledger.db"
CHARGES = 10
BATCH = 50
# Most live charges meet an acquirer that takes its time: a reader is heard before it. One may be held up all the same.
SLOW = 8
SLOW_MS = 500
MOST_HELD_UP = 1
# The ends of a contact: nothing to erase, or the log written back, emptied and the note about it.
EMPTYINGS = ([], ["-wal", "", "-wal", "-wal"])

# What happened, in order: ("mark", name), ("sync", file), ("send", "POST /v1/…"), ("said", command).
Happening = tuple[str, str]


class Till:
    """A till under strace."""

    def __init__(self, arguments: argparse.Namespace, directory: pathlib.Path, log: pathlib.Path, url: str) -> None:
        till = [arguments.till, "--markers", "--dir", directory, "--acquirer", url]
        till += ["--key", arguments.key] if arguments.key else []
        strace = ["strace", "--follow-forks", "--decode-fds=path", "--string-limit=4096", "--quiet=all",
                  f"--trace={TRACED}", "--output", log]
        # A file, because nobody reads the marks while the till runs.
        self.complaints = log.with_suffix(".err")
        with self.complaints.open("w") as complaints:
            self.process = subprocess.Popen([*strace, *till], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=complaints, text=True)
        self.hear("event")

    def hear(self, wanted: str) -> dict:
        """The next line that has this member."""
        heard = None
        while line := self.process.stdout.readline():
            heard = json.loads(line)
            if wanted in heard:
                return heard
        sys.exit(f"the till ended: {heard} {self.complaints.read_text()}")

    def ask(self, **command) -> dict:
        """A command that has to work."""
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        answer = self.hear("ok")
        if not answer["ok"]:
            sys.exit(f"{command}: {answer}")
        return answer

    def charge(self, mode: str, outcome: str, number: int) -> str:
        """A charge that has to end so. Its payment."""
        card = {"last_four": str(2000 + number)}
        answer = self.ask(cmd="charge", amount_minor=1000 + 100 * number, mode=mode, card=card)
        if answer["outcome"]["outcome"] != outcome:
            sys.exit(f"charge {number} should be {outcome}: {answer}")
        return answer["payment_id"]

    def heard_late(self, payment_id: str) -> bool:
        """Whether the acquirer answered before the reader had said what the receipt needs."""
        timeline = self.ask(cmd="payment", id=payment_id)["timeline"]
        kinds = [entry["kind"] for entry in timeline]
        return kinds.index("receipt_data_read") > kinds.index("payment_reported")

    def end(self) -> None:
        """Lets it end in order."""
        self.ask(cmd="shutdown")
        self.process.communicate()


def admin(url: str, path: str, body: dict) -> dict:
    """Asks the sandbox's administration."""
    with urllib.request.urlopen(urllib.request.Request(url + path, json.dumps(body).encode()), timeout=30) as answer:
        return json.load(answer)


def play(arguments: argparse.Namespace, directory: pathlib.Path, log: pathlib.Path) -> list[bool]:
    """What is counted: stored charges, live ones, a drain. `status` says where each begins.

    Of each live charge: whether the reader was heard only after the answer.
    """
    acquirer = subprocess.Popen([arguments.sandbox], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        url = json.loads(acquirer.stdout.readline())["listening"]
        till = Till(arguments, directory, log, url)
        till.ask(cmd="activate", code=admin(url, "/admin/activation-codes", {})["activation_code"])
        till.ask(cmd="sign_on")
        till.charge("offline", "saved", 1)
        till.charge("prefer_online", "approved", 2)
        till.ask(cmd="sync")
        till.charge("offline", "saved", 3)
        till.charge("prefer_online", "approved", 4)
        till.ask(cmd="status")
        for number in range(5, 5 + CHARGES):
            till.charge("offline", "saved", number)
        till.ask(cmd="status")
        slow = {"on": "POST /v1/payments", "kind": "delay", "delay_ms": SLOW_MS, "after": CHARGES - SLOW, "count": SLOW}
        admin(url, "/admin/faults", slow)
        late = [till.heard_late(till.charge("prefer_online", "approved", number)) for number in range(20, 20 + CHARGES)]
        till.ask(cmd="status")
        for number in range(30, 30 + BATCH - CHARGES - 1):
            till.charge("offline", "saved", number)
        till.ask(cmd="status")
        report = till.ask(cmd="sync")["report"]
        if (report["sent"], report["answered"], report["requests"]) != (BATCH, BATCH, 2):
            sys.exit(f"the drain should be one batch of {BATCH} after a look at the feed: {report}")
        till.end()
        return late
    finally:
        acquirer.stdin.close()
        acquirer.wait()


def happenings(log: str) -> list[Happening]:
    """The log of strace as a list of what happened. A sync counts where it returns."""
    found: list[Happening] = []
    begun: dict[str, tuple[str, int]] = {}
    marks = ""
    for line in log.splitlines():
        thread, _, call = line.partition(" ")
        call = call.strip()
        if resumed := re.match(r"<\.\.\. (\w+) resumed>", call):
            if resumed[1] in SYNCS and thread in begun:
                file, since = begun.pop(thread)
                if any(kind == "mark" for kind, _ in found[since:]):
                    sys.exit(f"a marker passed while {file} was synced: {line}")
                found.append(("sync", file))
            continue
        name = call.partition("(")[0]
        file = match[1] if (match := re.search(r"\d+<([^>]*)>", call)) else "?"
        if name in SYNCS and call.endswith("<unfinished ...>"):
            begun[thread] = (pathlib.Path(file).name, len(found))
        elif name in SYNCS:
            found.append(("sync", pathlib.Path(file).name))
        elif name.startswith("open") and re.search(r"\bO_D?SYNC\b", call):
            sys.exit(f"a file whose every write is a sync: {line}")
        elif name == "write" and call.startswith("write(2<"):
            marks += json.loads(re.search(r'"(?:[^"\\]|\\.)*"', call)[0])
            *whole, marks = marks.split("\n")
            found += [("mark", mark.removeprefix("mark ")) for mark in whole if mark.startswith("mark ")]
        elif said := re.search(r'^write\(1<.*\\"cmd\\":\\"(\w+)\\"', call):
            found.append(("said", said[1]))
        elif sent := re.search(r'"((?:GET|POST) /v1/\S*) HTTP', call):
            found.append(("send", re.sub(r"\?.*", "", sent[1])))
    return found


def beginnings(happened: list[Happening]) -> list[int]:
    """Where each part begins."""
    return [place for place, what in enumerate(happened) if what == ("said", "status")]


def count(part: list[Happening]) -> int:
    """How many syncs."""
    return sum(kind == "sync" for kind, _ in part)


def between(part: list[Happening], first: Happening, last: Happening) -> list[Happening]:
    """What happened after the one and before the other."""
    start = part.index(first)
    return part[start + 1:part.index(last, start)]


def charges(part: list[Happening]) -> list[list[Happening]]:
    """Cut into charges."""
    part = without_resets(part)
    starts = [place for place, what in enumerate(part) if what == ("mark", "charge_start")]
    return [part[start:end] for start, end in zip(starts, [*starts[1:], len(part)])]


def without_resets(part: list[Happening]) -> list[Happening]:
    """A checkpoint between two charges lets the log begin anew: its first commit's two syncs count as one."""
    kept: list[Happening] = []
    written_back = False
    for what in part:
        if what == ("sync", LOG) and written_back and kept[-1] == what:
            written_back = False
            continue
        written_back = written_back or what == ("sync", FILE)
        kept.append(what)
    return kept


def without_write_back(part: list[Happening]) -> list[Happening]:
    """The log is written back when the reader was let go, sometimes: nobody waits for that."""
    kept: list[Happening] = []
    for what in part:
        if what == ("sync", FILE) and kept[-1:] == [("sync", LOG)]:
            kept.pop()
        else:
            kept.append(what)
    return kept


def judge_charge(charge: list[Happening]) -> list[str]:
    """What is wrong with one charge up to its card."""
    wrong = []
    intent = between(charge, ("mark", "charge_start"), ("mark", "intent"))
    if (number := count(intent)) != 1:
        wrong.append(f"{number} syncs for the intent, not 1")
    if ("mark", "reader_write") in charge[:charge.index(("mark", "intent"))]:
        wrong.append("the reader is written to before the intent is on disk")
    reading = between(charge, ("mark", "intent"), ("mark", "card_data_in"))
    if ("mark", "reader_write") not in reading:
        wrong.append("nothing is written to the reader")
    if number := count(reading):
        wrong.append(f"{number} syncs while the card is read, not 0")
    return wrong


def judge_stored(charge: list[Happening]) -> list[str]:
    """One sync from the card data to 'saved'."""
    number = count(between(charge, ("mark", "card_data_in"), ("mark", "saved")))
    return judge_charge(charge) + ([] if number == 1 else [f"{number} syncs from the card data to 'saved', not 1"])


def judge_live(charge: list[Happening], late: bool) -> list[str]:
    """One more sync than a stored payment's, for the answer; the request leaves between the two.

    One more after these, and only then, where the reader was heard late.
    """
    saved = charge.index(("mark", "saved"))
    saving = between(charge, ("mark", "card_data_in"), ("mark", "saved"))
    after = saving + without_write_back(charge[saved:])
    order = [kind for kind, name in after if kind == "sync" or (kind, name) == ("send", "POST /v1/payments")]
    wrong = judge_charge(charge)
    if order != ["sync", "send", "sync"] + late * ["sync"]:
        wrong.append(f"after the card data, the reader heard {'late' if late else 'in time'}: {order}")
    if count(saving) < 2:
        wrong.append("'saved' before the answer was on disk")
    return wrong


def judge_drain(drain: list[Happening]) -> list[str]:
    """One sync before a batch leaves, for all its starts; one after, for all its answers; then the log is emptied.

    A look at a feed without news costs none. The erased card data must not stay in the log: at the end of the contact it
    is written back (log, file) and emptied, and that this was done is noted (the first commit of a new log: two).
    """
    batch = ("send", "POST /v1/payments/batch")
    if drain.count(batch) != 1:
        return [f"{drain.count(batch)} batches"]
    place = drain.index(batch)
    before, after = ([name.removeprefix(FILE) for kind, name in part if kind == "sync"]
                     for part in (drain[:place], drain[place:]))
    right = before == ["-wal"] and after[:1] == ["-wal"] and after[1:] in EMPTYINGS
    return [] if right else [f"synced before the batch: {before}, after it: {after}"]


def judge(happened: list[Happening], late: list[bool]) -> list[str]:
    """Everything that is wrong. `late`: of each live charge, whether the reader was heard only after the answer."""
    places = beginnings(happened)
    if len(places) != 4:
        return [f"{len(places)} parts instead of 4"]
    stored, live, more, drain = (happened[start:end] for start, end in zip(places, [*places[1:], len(happened)]))
    drain = drain[:drain.index(("said", "sync"))]
    wrong = []
    for part in (stored, more):
        for number, charge in enumerate(charges(part), start=1):
            wrong += [f"stored charge {number}: {what}" for what in judge_stored(charge)]
    if len(charges(stored)) != CHARGES or len(charges(live)) != CHARGES or len(late) != CHARGES:
        return [*wrong, "not every charge is there"]
    for number, (charge, was_late) in enumerate(zip(charges(live), late), start=1):
        wrong += [f"live charge {number}: {what}" for what in judge_live(charge, was_late)]
    if sum(late[-SLOW:]) > MOST_HELD_UP:
        wrong.append(f"heard late although the acquirer took its time: {late[-SLOW:]}")
    return wrong + [f"drain: {what}" for what in judge_drain(drain)]


def all_late(happened: list[Happening]) -> tuple[list[Happening], list[bool]]:
    """As if in every live charge the reader was heard after the answer, with the sync that belongs to it."""
    begin = beginnings(happened)
    live = []
    for charge in charges(happened[begin[1]:begin[2]]):
        syncs = count(charge[charge.index(("mark", "card_data_in")):])
        live += [*charge, *[("sync", LOG)] * (3 - syncs)]
    return [*happened[:begin[1] + 1], *live, *happened[begin[2]:]], [True] * CHARGES


def check_the_judge(happened: list[Happening], late: list[bool]) -> None:
    """A fault planted at each kind of place must be seen."""
    first = next(place for place, what in enumerate(happened) if what == ("said", "status"))
    sync = ("sync", "planted")

    def place(what: Happening, start: int) -> int:
        return happened.index(what, start)

    saved = place(("mark", "saved"), first)
    last = len(happened) - 1 - happened[::-1].index(("said", "status"))
    live = place(("send", "POST /v1/payments"), first)
    answered = place(("mark", "saved"), live)
    batch = place(("send", "POST /v1/payments/batch"), last)
    intent = place(("mark", "intent"), first)
    planted = {
        "an extra sync before 'saved'": [*happened[:saved], sync, *happened[saved:]],
        "an extra sync in a live payment": [*happened[:live + 1], sync, *happened[live + 1:]],
        "a log that is written back while a customer waits":
            [*happened[:answered], ("sync", LOG), ("sync", FILE), *happened[answered:]],
        "a live payment that is said before its answer is on disk":
            [*happened[:live + 1], ("mark", "saved"), *happened[live + 1:answered], *happened[answered + 1:]],
        "an extra sync for the intent": [*happened[:intent], sync, *happened[intent:]],
        "an extra sync while the card is read": [*happened[:intent + 1], sync, *happened[intent + 1:]],
        "a reader started before the intent": [*happened[:intent], ("mark", "reader_write"), *happened[intent:]],
        "a missing sync": [what for number, what in enumerate(happened) if number != saved - 1 or what[0] != "sync"],
        "an extra sync after a batch": [*happened[:batch + 1], ("sync", LOG), *happened[batch + 1:]],
        "an extra sync before a batch": [*happened[:batch], ("sync", LOG), *happened[batch:]],
    }
    for what, faulty in planted.items():
        if faulty == happened or not judge(faulty, late):
            sys.exit(f"the count does not see {what}")
    for number in range(CHARGES):
        if not judge(happened, [was_late != (place == number) for place, was_late in enumerate(late)]):
            sys.exit(f"the count does not see another time of the reader's words in live charge {number + 1}")
    if not judge(*all_late(happened)):
        sys.exit("the count does not see receipt data that is kept back until the answer is on disk")
    print(f"{len(planted) + CHARGES + 1} faults planted in the log, all seen")


def tell(happened: list[Happening], late: list[bool]) -> None:
    """The counts, in words."""
    places = beginnings(happened)
    stored, live, _, drain = (happened[start:end] for start, end in zip(places, [*places[1:], len(happened)]))
    drain = drain[:drain.index(("said", "sync"))]
    for name, part in (("stored", stored), ("live", live)):
        saving = [count(between(charge, ("mark", "card_data_in"), ("mark", "saved"))) for charge in charges(part)]
        print(f"{name} payment: syncs from card data to 'saved' {sorted(set(saving))} in {len(saving)} charges, "
              f"{sum(map(count, charges(part))) / len(saving):g} in the whole charge, warmed up, "
              f"{part.count(('sync', FILE))} checkpoints between them")
    print(f"the reader was heard after the answer, with a sync of its own, in {sum(late)} of {len(late)} live payments")
    batch = drain.index(("send", "POST /v1/payments/batch"))
    print(f"a drain of {BATCH} in one batch: {count(drain[:batch])} sync before it leaves, 1 for its answers, "
          f"{count(drain[batch:]) - 1} to empty the log once at the end")


def main() -> None:
    """Plays, counts, judges."""
    parser = argparse.ArgumentParser()
    parser.add_argument("till", type=pathlib.Path)
    parser.add_argument("--sandbox", type=pathlib.Path, default=ROOT / "target/debug/sandbox-acquirer")
    parser.add_argument("--key")
    parser.add_argument("--keep", type=pathlib.Path, help="keep the log of strace here")
    arguments = parser.parse_args()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="takings-fsync-"))
    try:
        log = directory / "strace.log"
        late = play(arguments, directory / "till", log)
        happened = happenings(log.read_text())
        if arguments.keep:
            shutil.copy(log, arguments.keep)
    finally:
        shutil.rmtree(directory)
    tell(happened, late)
    if wrong := judge(happened, late):
        sys.exit("\n".join(wrong))
    check_the_judge(happened, late)
    print("right")


if __name__ == "__main__":
    main()
