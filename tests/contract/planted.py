"""Whether the judges of the contract see what is wrong: each is given one fault and must find it.

    .tools/contract/bin/python tests/contract/planted.py
"""

import pathlib
import subprocess
import sys
import tempfile

import day
import fuzz
import middleman
import stage


def fuzzed(operation: str, before: bytes, after: bytes, *more: str) -> str:
    """What Schemathesis says of one operation whose answers are changed on their way."""
    front = middleman.Middleman()
    front.change_answer = lambda exchange: exchange.answer.replace(before, after)
    with front.working(), stage.sandbox(public_url=front.url) as sandbox:
        front.upstream = sandbox
        run = fuzz.schemathesis(front.url, sandbox, 1, 10, "--include-operation-id", operation, *more)
        return run.stdout if run.returncode else ""


def wrong_type() -> str:
    """A text where the document wants a number."""
    return fuzzed("getCapabilities", b'"exponent":2', b'"exponent":"2"', "--phases", "examples")


def accepted_rubbish() -> str:
    """Items of a batch that keep no schema, and are taken all the same."""
    return fuzzed("createPaymentBatch", b'"http_status":422', b'"http_status":201', "--phases", "coverage")


def at_the_till(*commands: dict, **changes) -> str:
    """What prism says between a sandbox and a till that is told to do this, while something changes what passes."""
    with day.line() as (front, back, sandbox, said), tempfile.TemporaryDirectory() as directory:
        code = stage.admin(sandbox, "POST", "/admin/activation-codes", {})["activation_code"]
        for change, where in changes.items():
            if change == "answer":
                back.change_answer = lambda exchange: exchange.answer.replace(*where)
            elif change == "request":
                front.change_request = lambda exchange: exchange.body.replace(*where)
            else:
                front.upstream = sandbox
        with stage.till(directory, front.url) as till:
            till.ask(cmd="activate", code=code)
            for command in commands:
                till.ask(**command)
        return "\n".join(day.violations(front, back, said))


SIGN_ON = {"cmd": "sign_on"}
OFFLINE = {"cmd": "charge", "amount_minor": 1250, "order": "A-1", "mode": "offline", "card": {"first": "411111", "last_four": "1234"}}


def linted() -> str:
    """What redocly says of a document whose example has a text where its own schema wants a number."""
    with tempfile.TemporaryDirectory() as directory:
        copy = pathlib.Path(directory) / "openapi.yaml"
        text = stage.DOCUMENT.read_text()
        fault = text.replace("amount: { amount: 12800, currency: CNY }", "amount: { amount: '12800', currency: CNY }", 1)
        assert fault != text
        copy.write_text(fault)
        redocly = stage.TOOLS / "node/node_modules/.bin/redocly"
        words = [redocly, "lint", "--config", stage.DOCUMENT.parent / "redocly.yaml", copy]
        run = subprocess.run(words, capture_output=True, text=True, timeout=60)
        return run.stdout + run.stderr if run.returncode else ""


FAULTS = [
    ("Schemathesis, nothing wrong", lambda: fuzzed("getCapabilities", b"", b"", "--phases", "examples"), ""),
    ("Schemathesis, a wrong type in an answer", wrong_type, "Response violates schema"),
    ("Schemathesis, rubbish in a batch accepted", accepted_rubbish, "a spoilt item was accepted"),
    ("prism, nothing wrong", lambda: at_the_till(SIGN_ON, OFFLINE, {"cmd": "sync"}), ""),
    ("prism, a wrong word in an answer", lambda: at_the_till(answer=(b'"currency":"CNY"', b'"currency":"yuan"')), "property currency"),
    (
        "prism, a member missing in an answer",
        lambda: at_the_till(SIGN_ON, OFFLINE, {"cmd": "sync"}, answer=(b'"arrival":', b'"arival":')),
        "arrival",
    ),
    ("prism, a member missing in a request", lambda: at_the_till(SIGN_ON, request=(b'"queue":', b'"queues":')), "queue"),
    ("prism, not in the way", lambda: at_the_till(aside=True), "0 came out of it"),
    ("redocly, an example that breaks its schema", linted, "amount"),
]


def main() -> None:
    """Plants them all."""
    blind = []
    for name, plant, wanted in FAULTS:
        found = plant()
        if bool(found) != bool(wanted) or wanted not in found:
            blind.append(f"{name}: {found[-2000:] or 'not seen'}")
    if blind:
        sys.exit("\n".join(blind))
    print(f"the judges find all of {sum(bool(wanted) for *_, wanted in FAULTS)} planted faults, and none where none is")


if __name__ == "__main__":
    main()
