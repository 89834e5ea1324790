"""Schemathesis' hooks: an activated till signs every request over its final bytes, so that the fuzzer reaches behind the
signature; what a schema cannot say (ids that equal each other, the batch in force) is made so in valid data.

Needs SANDBOX (the address requests are signed for) and ADMIN (the sandbox itself).
"""

import itertools
import json
import os
import re

import client
import requests
import schemathesis
import stage
import yaml
from http_message_signatures import HTTPMessageSignaturesException
from jsonschema import Draft202012Validator

SANDBOX, ADMIN = os.environ["SANDBOX"], os.environ["ADMIN"]
DOCUMENT = yaml.safe_load(stage.DOCUMENT.read_text())
UUID = re.compile(r'"?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"?')
ACQUIRER_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
CODE = re.compile(r"[A-Za-z0-9-]{4,64}")
COORDINATE = re.compile(r"[A-Za-z0-9_-]{43}")
# Test cards by the sandbox's published rules: approved, declined, approved in part, referred, processing, undecided.
CARDS = itertools.cycle(["0119", "0051", "0010", "0001", "0068", "0099"])
TURN = itertools.count()
STANS = itertools.count(100)


def activation_code() -> str:
    """A fresh one."""
    return stage.admin(ADMIN, "POST", "/admin/activation-codes", {})["activation_code"]


# A till with a payment that went all the way to the bank, and one of today.
DEVICE = client.Device(SANDBOX, activation_code(), client.Key("ed25519"), stage.START_MS // 1000)
DEVICE.sign_on()
PAYMENT = DEVICE.payment(1, 12800)
DEVICE.send("POST", "/v1/payments", DEVICE.envelope(payment=PAYMENT), 201)
DEVICE.now_s = stage.admin(ADMIN, "PUT", "/admin/clock", {"advance_ms": 51 * 3600 * 1000})["now_ms"] // 1000
DEVICE.sign_on()
PAYOUT = DEVICE.send("GET", "/v1/payouts").json()["data"][0]["payout_id"]
# Fuzzed activations are signed by this key; they ask for it in their bodies.
NEWCOMER = client.Key("ed25519", 13)

# HTTP carries no control characters: a server that meets one ends the talk before the contract begins.
CONTROL = re.compile(r"[\x00-\x1f\x7f]")

unsigned = False


def text(value, pattern) -> bool:
    """Whether this is such a text."""
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def negative(case, *places: str) -> bool:
    """Whether the case was spoilt there on purpose."""
    return case.meta is not None and any(
        part.mode.is_negative for place, part in case.meta.components.items() if place.value in places
    )


def make_plausible(submission: dict) -> None:
    """A payment of today with a test card, instead of one from year 4767 in a currency nobody has."""
    model = DEVICE.payment(next(STANS) % 999_999 + 1, submission["amount"]["amount"] % 20_000 + 1, submission["kind"])
    for name in ("type", "amount", "batch_number", "stan", "captured_at", "captured_on", "entry_mode"):
        submission[name] = model[name]
    submission["card"] |= {"scheme": "visa", "masked_pan": f"476173******{next(CARDS)}"}
    if "offline" in submission or submission["kind"] != "live":
        submission["offline"] = {"approved_by": "merchant", "policy_version": "1"}


def make_fitting(body: dict) -> None:
    """Valid data that also keeps the rules between its members."""
    if "payment" in body:
        make_plausible(body["payment"])
    for item in body.get("items", []):
        make_plausible(item)
    for number, lookup in enumerate(body.get("lookups", [])):
        keys = [name for name in ("payment_id", "natural_key", "rrn") if name in lookup] or ["payment_id"]
        kept = keys[number % len(keys)]
        value = lookup.get(kept, PAYMENT["payment_id"])
        closing = {"close_if_unknown": True} if kept == "payment_id" and lookup.get("close_if_unknown") is True else {}
        lookup.clear()
        lookup |= {"ref": f"r{number}", kept: value, **closing}


def make_activation(body: dict) -> None:
    """A code that exists, and the key that signs; only where code, key and algorithm are of the right form."""
    jwk = body.get("public_key")
    kinds = {"OKP": ("Ed25519", "x"), "EC": ("P-256", "xy")}
    if not isinstance(jwk, dict) or not isinstance(jwk.get("kty"), str) or jwk["kty"] not in kinds:
        return
    curve, coordinates = kinds[jwk["kty"]]
    if jwk.get("crv") != curve or not all(text(jwk.get(name), COORDINATE) for name in coordinates):
        return
    body["public_key"] = NEWCOMER.jwk
    if body.get("alg") in list(client.ALGORITHMS):
        body["alg"] = NEWCOMER.alg
    if text(body.get("activation_code"), CODE):
        body["activation_code"] = activation_code().split(".")[0]


@schemathesis.hook
def before_call(_context, case, _kwargs):
    """Makes valid values fit each other where a schema cannot say so; never makes an invalid one valid."""
    global unsigned
    parameters, body, headers = case.path_parameters or {}, case.body, case.headers
    valid = case.meta is None or not case.meta.generation.mode.is_negative
    # One valid case of four stays as it was drawn.
    mended = valid and next(TURN) % 4 > 0
    if text(parameters.get("terminal_id"), ACQUIRER_ID):
        parameters["terminal_id"] = DEVICE.terminal
    if mended and "payment_id" in parameters:
        parameters["payment_id"] = PAYMENT["payment_id"]
    if mended and "payout_id" in parameters:
        parameters["payout_id"] = PAYOUT
    ids = []
    if case.method.upper() == "POST" and isinstance(body, dict):
        if text(body.get("session_id"), ACQUIRER_ID):
            body["session_id"] = DEVICE.session["session_id"]
        if text(body.get("reversal_id"), UUID) and text(parameters.get("payment_id"), UUID):
            body["reversal_id"] = client.reversal_id(parameters["payment_id"])
        if case.path == "/v1/terminals":
            make_activation(body)
        if mended:
            make_fitting(body)
        holders = [(body, "request_id"), (body, "batch_id"), (body, "reversal_id"), (body.get("payment"), "payment_id")]
        ids = [holder[name] for holder, name in holders if isinstance(holder, dict) and text(holder.get(name), UUID)]
    for name, value in (headers or {}).items():
        if isinstance(value, str):
            headers[name] = CONTROL.sub("?", value)
    # A spoilt body comes with a good key, else the key alone would refuse it.
    if ids and headers is not None and (negative(case, "body") or text(headers.get("Idempotency-Key"), UUID)):
        headers["Idempotency-Key"] = f'"{ids[0]}"'
    # What is spoilt in the headers is the key, or else the signature's: then nobody repairs it.
    key_is_good = case.method.upper() != "POST" or text((headers or {}).get("Idempotency-Key"), UUID)
    unsigned = negative(case, "header") and key_is_good


class Signature(requests.auth.AuthBase):
    """Signs what Schemathesis made, at the very end."""

    def __call__(self, request):
        try:
            if not unsigned:
                DEVICE.sign(request, NEWCOMER if request.path_url == "/v1/terminals" else DEVICE.key)
        except HTTPMessageSignaturesException:
            # A header that cannot be covered: the request goes out unsigned and is refused as such.
            pass
        return request


schemathesis.auth.set_from_requests(Signature())


def keeps(schema: dict, value) -> bool:
    """Whether the value keeps a schema of the document."""
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]}).is_valid(value)


@schemathesis.check
def every_spoilt_item_is_refused(_context, response, case):
    """A batch whose envelope is spoilt is refused; one whose items are, gets 200 and a refusal for each of these."""
    if case.path != "/v1/payments/batch" or case.method.upper() != "POST" or response.status_code != 200:
        return
    sent, received = json.loads(response.request.body), response.json()
    envelope = {"$ref": "#/components/schemas/BatchEnvelope"}
    model = DEVICE.payment(1, 1)
    assert keeps(envelope, {**sent, "items": [model] * len(sent["items"])}), "a spoilt envelope was accepted"
    results = {result["payment_id"]: result["http_status"] for result in received["results"]}
    for item in sent["items"]:
        refused = results[item["payment_id"]] >= 400
        assert refused or keeps({"$ref": "#/components/schemas/PaymentSubmission"}, item), f"a spoilt item was accepted: {item}"
