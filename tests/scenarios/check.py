"""Checks the days and their runners: python3 check.py RUNNER … (each a command that takes files of days).

* Every day holds against the whole of day.schema.json, and the schema, the README and the runners' tables name the same steps.
* Every value that a day expects bites: changed, the day fails at that place.
* Planted faults, in the file and in the world, fail in every runner with the same words and the same exit code.
"""

import copy
import json
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import jsonschema

HERE = Path(__file__).parent
SCHEMA = json.loads((HERE / "day.schema.json").read_text("utf-8"))
DAYS = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted((HERE / "days").glob("*.json"))}
# What is beside these may be changed without contradiction.
LOOSE = ("$not", "$at_least", "$at_most", "why")


def fail(what):
    print(f"error: {what}", file=sys.stderr)
    sys.exit(1)


def forms():
    validator = jsonschema.Draft202012Validator(SCHEMA)
    validator.check_schema(SCHEMA)
    for name, day in DAYS.items():
        for error in validator.iter_errors(day):
            fail(f"{name}: {error.json_path}: {error.message[:300]}")
    steps = sorted(SCHEMA["$defs"]["steps"])
    listed = [way["$ref"].rsplit("/", 1)[1] for way in SCHEMA["$defs"]["step"]["oneOf"]]
    if steps != listed:
        fail(f"the schema's list of steps is not its steps: {set(steps) ^ set(listed)}")
    readme = (HERE / "README.md").read_text("utf-8")
    for step, rule in SCHEMA["$defs"]["steps"].items():
        if rule["properties"]["do"] != {"const": step}:
            fail(f"{step}: the schema's word for it is {rule['properties']['do']}")
        for word in (step, *rule["properties"]):
            if f"`{word}`" not in readme and f"{word}," not in readme and f" {word}`" not in readme:
                fail(f"the README does not name {word} of {step}")
    used = {step["do"] for day in DAYS.values() for step in day["steps"]}
    if used != set(steps):
        fail(f"no day uses {sorted(set(steps) - used)}")
    print(f"{len(DAYS)} days hold against the schema, and use all of its {len(steps)} steps")


def leaves(pattern, path=()):
    """The places of all single values in a pattern."""
    if isinstance(pattern, dict):
        for key, inner in pattern.items():
            if key not in LOOSE:
                yield from leaves(inner, (*path, key))
    elif isinstance(pattern, list):
        for index, inner in enumerate(pattern):
            yield from leaves(inner, (*path, index))
        if not pattern:
            yield path
    else:
        yield path


def spoiled(value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return "something else"
    return ["something else"]


def changed(day, path):
    day = copy.deepcopy(day)
    inner = day
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = spoiled(inner[path[-1]])
    return day


def expectations(day):
    for index, step in enumerate(day["steps"]):
        for key in ("gives", "fails", "that"):
            for path in leaves(step.get(key, {}), ("steps", index, key)):
                yield f"step {index + 1} ({step['do']})", path
    for path in leaves(day["end"], ("end",)):
        yield "end", path


def play(runner, files):
    done = subprocess.run([*shlex.split(runner), *map(str, files)], capture_output=True, text=True, timeout=600)
    return done.returncode, done.stdout, done.stderr


def every_expectation_bites(runner):
    with tempfile.TemporaryDirectory() as directory:
        files, places = [], {}
        for name, day in DAYS.items():
            for number, (place, path) in enumerate(expectations(day)):
                file = Path(directory, f"{name}-{number}.json")
                file.write_text(json.dumps(changed(day, path)), "utf-8")
                files.append(file)
                places[file.name] = place, path
        code, said, wrong = play(runner, files)
        heard = dict(line.split(": ", 1) for line in wrong.splitlines())
        for file, (place, path) in places.items():
            if not heard.get(file, "").startswith(place):
                fail(f"{file}: changed at {path}, and the runner said {heard.get(file)!r}")
        if code != 1 or said:
            fail(f"spoiled days gave exit code {code} and {len(said)} bytes of results")
        print(f"{len(places)} expected values bite")


def with_step(day, index, step):
    day = copy.deepcopy(day)
    day["steps"].insert(index, step)
    return day


def planted():
    """Name, day, exit code, words that must be said."""
    day = DAYS["offline-and-live"]
    steps = len(day["steps"])
    lost = {"do": "admin", "method": "POST", "path": "/admin/faults", "body": {"on": "POST /v1/payments", "kind": "drop_answer"}}
    back = {"do": "admin", "method": "POST", "path": "/admin/bank", "body": {"action": "return", "payout_date": "2026-11-23"}}
    yield "world-line", with_step(day, 6, lost), 1, "step 11 (charge) gives.approved_minor: expected 9900, found null"
    yield "world-bank", with_step(day, steps, back) | {"end": day["end"] | {"book": {"bank": {"lines": {"$count": 1}}}}}, 1, \
        "end.book.bank.lines: expected $count 1, found"
    yield "world-refuses", with_step(day, 0, back | {"body": {"action": "sing"}}), 1, "step 1 (admin): failed:"
    yield "not-failing", with_step(day, 1, {"do": "sync", "fails": {"kind": "sign_in"}}), 1, "step 2 (sync): expected to fail, gave"
    yield "missing-member", day | {"end": {"status": {"mood": "good"}}}, 1, "end.status: expected a member mood, found"
    yield "other-type", day | {"end": {"status": {"unsent_count": False}}}, 1, "end.status.unsent_count: expected false, found 0"
    yield "unknown-step", with_step(day, 2, {"do": "dance"}), 2, 'day steps 3: no step is called "dance"'
    yield "unknown-field", with_step(day, 2, {"do": "sync", "hurry": True}), 2, "day steps 3 (sync): unknown field hurry"
    yield "missing-field", with_step(day, 2, {"do": "charge"}), 2, "day steps 3 (charge): amount_minor is missing"
    yield "wrong-type", with_step(day, 2, {"do": "wait", "days": "two"}), 2, "day steps 3 (wait) days: not of type integer"
    yield "wrong-word", with_step(day, 2, {"do": "line", "state": "slow"}), 2, 'day steps 3 (line) state: "slow" is none of up, down'
    yield "unknown-member", day | {"weather": "rain"}, 2, "day: unknown field weather"
    yield "unknown-name", with_step(day, 1, {"do": "expect", "that": {"status": {"line": "@Z-9"}}}), 2, "no payment is called Z-9"
    yield "unknown-operator", day | {"end": {"alerts": {"$most": 3}}}, 2, "end.alerts: no operator is called $most"
    yield "name-taken", with_step(day, 3, day["steps"][2]), 2, "step 4 (charge): a payment is called A-1 already"
    yield "not-open", with_step(with_step(day, 1, {"do": "kill_app"}), 2, {"do": "sync"}), 2, "step 3 (sync): the app is not open"
    yield "open-twice", with_step(day, 1, {"do": "open_app"}), 2, "step 2 (open_app): the app is open"
    yield "back-in-time", with_step(day, 1, {"do": "wait", "days": -1}), 2, "step 2 (wait): time only passes forward"


def without(day, index):
    day = copy.deepcopy(day)
    del day["steps"][index]
    return day


def where(day, **fields):
    """The place of the first step with these fields in it, or in its body."""
    for index, step in enumerate(day["steps"]):
        if fields.items() <= (step | step.get("body", {})).items():
            return index
    raise KeyError(fields)


def with_body(day, index, **fields):
    day = copy.deepcopy(day)
    day["steps"][index]["body"] |= fields
    return day


def planted_in_the_world():
    """What would go unnoticed if a step about the phone, or a fault, did nothing, or something else."""
    day = DAYS["phone-locked"]
    yield "still-locked", with_body(day, where(day, locked=False), locked=True), 1, "step 10 (open_app): failed:"
    yield "never-locked", without(day, where(day, locked=True)), 1, "step 5 (open_app): expected to fail, gave null"
    day = DAYS["backup-on-another-phone"]
    there = where(day, name="other")
    yield "key-came-along", with_body(day, there, vault_of="first"), 1, \
        'step 8 (open_app) fails.code: expected "wrong_key", found "another_key"'
    yield "same-phone", without(day, there), 1, "step 7 (open_app): expected to fail, gave null"
    day = DAYS["another-merchant"]
    yield "same-merchant", with_body(day, where(day, name="li"), merchant_id="M000001"), 1, \
        'step 8 (activate) gives.merchant_id: expected "M000002", found "M000001"'
    day = DAYS["clear-data"]
    yield "not-cleared", without(day, where(day, action="clear")), 1, 'step 10 (sync): expected to fail, gave'
    day = DAYS["broken-ledger"]
    yield "not-cut", without(day, where(day, action="cut")), 1, "step 7 (open_app): expected to fail, gave null"
    yield "not-put-back", without(day, where(day, action="copy_to", phone="first")), 1, \
        "step 19 (expect): that.payments: expected $count 2, found {}"
    yield "no-such-file", with_body(day, where(day, action="cut"), file="ledger"), 1, "step 7 (admin): failed:"
    yield "no-such-path", with_step(day, 1, {"do": "admin", "method": "GET", "path": "/world/weather"}), 1, "step 2 (admin): failed:"
    day = DAYS["disk-full"]
    yield "room-enough", with_body(day, where(day, free_bytes=400_000), free_bytes=4_000_000), 1, \
        "step 5 (charge): expected to fail, gave"
    yield "never-roomy-again", without(day, where(day, path="/world/disk", body={})), 1, "step 17 (charge): failed:"
    yield "no-rot", without(day, where(day, action="rot")), 1, "step 24 (open_app): expected to fail, gave null"
    day = DAYS["events-twice"]
    yield "events-once", without(day, where(day, problem="cursor-expired")), 1, "step 8 (sync) gives.events: expected 5, found 0"
    day = DAYS["older-after-newer"]
    yield "nothing-older", without(day, where(day, on="GET /v1/payments/*")), 1, "step 11 (expect): that.payments.V-2"
    day = DAYS["lost-request-live"]
    lost = day["steps"][where(day, path="/world/lost_requests")]
    late = where(day, order="H-2") + 1
    yield "lost-for-good", with_step(day, late, {key: lost[key] for key in ("do", "method", "path")}), 1, \
        "gives.answers: expected 2 elements, found []"
    day = DAYS["sale-while-the-queue-drains"]
    yield "fast-line", with_body(day, where(day, kind="delay"), delay_ms=100), 1, "step 11 (sync) gives.approved: expected 2, found 4"
    day = DAYS["brown-out"]
    yield "good-network", without(day, where(day, kind="drop_answer")), 1, "step 6 (charge) gives.outcome: expected"
    day = DAYS["in-progress"]
    yield "not-in-progress", without(day, where(day, problem="request-in-progress")), 1, "step 6 (expect): that."
    day = DAYS["paid-out-before-the-answer"]
    yield "answered-in-time", without(day, where(day, kind="drop_answer")), 1, "step 6 (sync) gives.answered: expected 0, found 2"


def faults_are_found(runners):
    with tempfile.TemporaryDirectory() as directory:
        faults = [*planted(), *planted_in_the_world()]
        for name, day, code, words in faults:
            file = Path(directory, f"{name}.json")
            file.write_text(json.dumps(day), "utf-8")
            heard = {runner: play(runner, [file]) for runner in runners}
            for runner, (ended, said, wrong) in heard.items():
                if ended != code or said or not wrong.startswith(f"{name}.json: ") or words not in wrong:
                    fail(f"{name}: expected exit code {code} and {words!r}; {runner} gave {ended}: {said[:200]}{wrong}")
            if len({wrong for _, _, wrong in heard.values()}) > 1:
                fail(f"{name}: the runners use different words: {heard}")
        print(f"{len(faults)} planted faults are found by {len(runners)} runners in the same words")


if __name__ == "__main__":
    forms()
    faults_are_found(sys.argv[1:])
    every_expectation_bites(sys.argv[1])
