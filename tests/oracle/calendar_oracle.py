#!/usr/bin/env python3
"""When the money is due, told by code that shares nothing with the core: the PyPI package `chinesecalendar`.

As a module it is what other judges import: `business_date`, `expected_date`, `overdue_after_ms`.
As a program it asks the core for random instants and compares; the seed is printed and can be given again.

    .tools/venv/bin/python tests/oracle/calendar_oracle.py [--seed N] [--count N] [--core PATH]
"""

import argparse
import collections
import datetime as dt
import json
import pathlib
import random
import subprocess
import sys
import time
import zoneinfo

import chinese_calendar

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHANGHAI = zoneinfo.ZoneInfo("Asia/Shanghai")
DAY = dt.timedelta(days=1)
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)

# Years the core has data for; outside them it must say "provisional".
KNOWN_YEARS = range(2024, 2027)
# After this day the next notice may still make working days for a New Year's holiday: provisional.
CERTAIN_UNTIL = dt.date(2026, 12, 25)

Terms = collections.namedtuple("Terms", "basis n cut_off")
Expected = collections.namedtuple("Expected", "date provisional")


def weekdays_only(day: dt.date) -> bool:
    """What is left when nobody published anything: Monday to Friday."""
    return day.weekday() < 5


def settles(day: dt.date) -> bool:
    """Whether money moves on this day, as far as the core can know."""
    return chinese_calendar.is_workday(day) if day.year in KNOWN_YEARS else weekdays_only(day)


def is_guess(day: dt.date) -> bool:
    """Whether nobody published this day."""
    return day.year not in KNOWN_YEARS or day > CERTAIN_UNTIL


def local(at_ms: int) -> dt.datetime:
    """The instant on the acquirer's clock."""
    return (EPOCH + dt.timedelta(milliseconds=at_ms)).astimezone(SHANGHAI)


def business_date(accepted_at_ms: int, cut_off: dt.time) -> dt.date:
    """The day a payment accepted at this instant counts for."""
    shown = local(accepted_at_ms)
    return shown.date() + DAY if shown.time() >= cut_off else shown.date()


def expected_date(accepted_at_ms: int, terms: Terms) -> Expected:
    """The day its money is due by these terms, and whether a later notice may move it."""
    day = business_date(accepted_at_ms, terms.cut_off)
    if terms.basis == "calendar_day":
        return Expected(day + terms.n * DAY, False)
    looked_at = []
    if terms.n == 0:
        looked_at.append(day)
        while not settles(looked_at[-1]):
            looked_at.append(looked_at[-1] + DAY)
    else:
        left = terms.n
        while left:
            day += DAY
            looked_at.append(day)
            left -= settles(day)
    return Expected(looked_at[-1], any(map(is_guess, looked_at)))


def overdue_after_ms(due: dt.date) -> int:
    """Midnight on the acquirer's clock after one settlement day of grace."""
    day = due + DAY
    while not settles(day):
        day += DAY
    midnight = dt.datetime.combine(day + DAY, dt.time(0), SHANGHAI)
    return (midnight - EPOCH) // dt.timedelta(milliseconds=1)


def days_of(year: int) -> list[dt.date]:
    """Every day of the year."""
    first = dt.date(year, 1, 1)
    return [first + index * DAY for index in range((dt.date(year + 1, 1, 1) - first).days)]


def questions(seed: int, count: int) -> list[dict]:
    """Random instants: of any day, of days around an unusual one, of years nobody knows; a tenth at the cut-off.

    Uniform days alone would hardly ever meet the one day of a year that is wrong.
    """
    stream = random.Random(seed)
    known = [day for year in KNOWN_YEARS for day in days_of(year)]
    unusual = [day for day in known if settles(day) != weekdays_only(day)]
    unknown = [day for year in (2015, 2022, 2023, 2027, 2028, 2035) for day in days_of(year)]
    asked = []
    for _ in range(count):
        kind = stream.random()
        if kind < 0.3:
            day = stream.choice(known)
        elif kind < 0.9:
            day = stream.choice(unusual) + stream.randint(-3, 1) * DAY
        else:
            day = stream.choice(unknown)
        cut_off = dt.time(stream.choice([0, 12, 22, 23]), stream.choice([0, 30]))
        start = dt.datetime.combine(day, dt.time(0), SHANGHAI)
        if stream.random() < 0.1:
            start += dt.timedelta(hours=cut_off.hour, minutes=cut_off.minute, milliseconds=stream.choice([-1, 0, 1]))
        else:
            start += dt.timedelta(milliseconds=stream.randrange(86_400_000))
        asked.append({
            "accepted_at_ms": (start - EPOCH) // dt.timedelta(milliseconds=1),
            "basis": stream.choice(["business_day", "business_day", "calendar_day"]),
            "n": stream.choice([0, 1, 1, 2, 3, 5]),
            "cut_off": cut_off.isoformat(),
            "timezone": "Asia/Shanghai",
        })
    return asked


def ask_core(core: str | None, asked: list[dict]) -> list[dict]:
    """The core's answers, in the order asked."""
    command = [core] if core else ["cargo", "run", "-q", "-p", "takings-domain", "--example", "expected_days"]
    lines = "".join(json.dumps(question) + "\n" for question in asked)
    done = subprocess.run(command, cwd=ROOT, input=lines, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"the core did not answer: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def differences(question: dict, answer: dict) -> list[str]:
    """What the core says otherwise than this module."""
    cut_off = dt.time.fromisoformat(question["cut_off"])
    at_ms = question["accepted_at_ms"]
    due = expected_date(at_ms, Terms(question["basis"], question["n"], cut_off))
    told = answer.get("expected", {})
    pairs = {
        "error": (answer.get("error"), None),
        "business_date": (answer.get("business_date"), business_date(at_ms, cut_off).isoformat()),
        "date": (told.get("date"), due.date.isoformat()),
        "provisional": (told.get("provisional"), due.provisional),
        "basis": (told.get("basis"), "computed"),
        "overdue_after_ms": (told.get("overdue_after_ms"), overdue_after_ms(due.date)),
    }
    found = [f"{name}: core {core}, oracle {ours}" for name, (core, ours) in pairs.items() if core != ours]
    if not found and not told["earliest"] <= told["date"] <= told["latest"]:
        found.append(f"window {told['earliest']} to {told['latest']} does not hold {told['date']}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--core", help="the built example expected_days; default: cargo run")
    args = parser.parse_args()
    print(f"calendar oracle: seed {args.seed}, {args.count} instants")
    asked = questions(args.seed, args.count)
    answers = ask_core(args.core, asked)
    if len(answers) != len(asked):
        sys.exit(f"asked {len(asked)}, answered {len(answers)}")
    failed = 0
    for question, answer in zip(asked, answers, strict=True):
        found = differences(question, answer)
        if found:
            failed += 1
            shown = local(question["accepted_at_ms"]).isoformat()
            print(f"  accepted {shown} {json.dumps(question)}: {'; '.join(found)}")
    guesses = sum(answer["expected"]["provisional"] for answer in answers if "expected" in answer)
    print(f"{len(asked) - failed} agree, {failed} differ, {guesses} provisional")
    if failed or not guesses:
        sys.exit(1)


if __name__ == "__main__":
    main()
