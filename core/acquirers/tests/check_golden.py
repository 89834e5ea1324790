"""Judges the golden files by others' software: every request and answer by the document's schemas, every
request signature by the `cryptography` package.

    pip install pyyaml jsonschema cryptography
    python3 core/acquirers/tests/check_golden.py
"""

import base64
import hashlib
import json
import re
import sys
from pathlib import Path

import yaml
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jsonschema import Draft202012Validator

HERE = Path(__file__).resolve().parent
SECRET = bytes([3] * 32)  # the device key of tests/support

REQUESTS = {
    "activate": "Activation", "sign_on": "SignOnRequest", "payment": "PaymentEnvelope",
    "payment_p256": "PaymentEnvelope", "batch": "BatchEnvelope", "inquiry": "InquiryRequest",
    "reversal": "ReversalRequest",
}
ANSWERS = {
    "activate": "Terminal", "terminal": "Terminal", "sign_on": "SignOn", "payment": "Payment",
    "batch": "BatchResult", "inquiry": "InquiryResult", "reversal": "Reversal", "capabilities": "Capabilities",
    "keys": "KeySet", "health": "Health", "risk_policy": "RiskPolicy", "read_payment": "Payment",
    "list_payments": "PaymentPage", "terms": "SettlementTerms", "calendar": "Calendar",
    "list_payouts": "PayoutPage", "read_payout": "Payout", "payout_entries": "PayoutEntryPage",
    "events": "EventPage",
}


class Loader(yaml.SafeLoader):
    """Leaves dates as text."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def signature_base(method, url, headers):
    params = headers["signature-input"].removeprefix("sig1=")
    values = {"@method": method, "@target-uri": url, **headers}
    names = re.findall(r'"([^"]+)"', params[: params.index(")")])
    lines = [f'"{name}": {values[name]}' for name in names]
    return "\n".join([*lines, f'"@signature-params": {params}']).encode()


def check_signature(path):
    head, body = path.read_bytes().split(b"\n\n", 1)
    first, *rest = head.decode().split("\n")
    method, url = first.split(" ", 1)
    headers = dict(line.split(": ", 1) for line in rest)
    body = body.removesuffix(b"\n")
    if body:
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        assert headers["content-digest"] == f"sha-256=:{digest}:", path
    if "signature" not in headers:
        assert path.stem in ("capabilities", "keys", "health"), path
        return 0
    signature = base64.b64decode(headers["signature"].removeprefix("sig1=:").removesuffix(":"))
    base = signature_base(method, url, headers)
    if 'alg="ed25519"' in headers["signature-input"]:
        Ed25519PrivateKey.from_private_bytes(SECRET).public_key().verify(signature, base)
    else:
        key = ec.derive_private_key(int.from_bytes(SECRET, "big"), ec.SECP256R1()).public_key()
        r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
        key.verify(utils.encode_dss_signature(r, s), base, ec.ECDSA(hashes.SHA256()))
    return 1


def main():
    document = yaml.load((HERE.parent / "openapi.yaml").read_text(), Loader=Loader)
    failures = 0

    def check(path, schema, text):
        nonlocal failures
        rules = {"$ref": f"#/components/schemas/{schema}", "components": document["components"]}
        for error in Draft202012Validator(rules).iter_errors(json.loads(text)):
            failures += 1
            print(f"{path.name}: /{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}")

    for name, schema in REQUESTS.items():
        path = HERE / "golden/requests" / f"{name}.txt"
        check(path, schema, path.read_text().split("\n\n", 1)[1])
    for name, schema in ANSWERS.items():
        path = HERE / "golden/answers" / f"{name}.json"
        check(path, schema, path.read_text())
    signed = sum(check_signature(path) for path in sorted((HERE / "golden/requests").glob("*.txt")))
    print(f"{len(REQUESTS) + len(ANSWERS)} bodies against the document, {failures} failures; {signed} signatures hold")
    return 1 if failures or signed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
