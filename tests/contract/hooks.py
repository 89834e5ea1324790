"""Lets Schemathesis sign: an activated till of its own, so that the fuzzer reaches behind the signature.

Needs SANDBOX (the sandbox's address). Written from openapi.yaml alone.
"""

import base64
import hashlib
import itertools
import json
import os
import re
import uuid

import requests
import schemathesis
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SANDBOX = os.environ["SANDBOX"]
KEY = Ed25519PrivateKey.from_private_bytes(bytes([11]) * 32)
X = base64.urlsafe_b64encode(KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).rstrip(b"=").decode()
JWK = {"kty": "OKP", "crv": "Ed25519", "x": X}
THUMBPRINT = (
    base64.urlsafe_b64encode(hashlib.sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{X}"}}'.encode()).digest()).rstrip(b"=").decode()
)
NONCES = itertools.count(uuid.uuid4().int >> 80)


def now_s():
    return requests.get(f"{SANDBOX}/admin/clock", timeout=5).json()["now_ms"] // 1000


def sign(request, terminal):
    """Signs a prepared request over its final bytes; a component that is absent stays uncovered."""
    body = request.body or b""
    body = body.encode() if isinstance(body, str) else body
    lines = [("@method", request.method), ("@target-uri", request.url)]
    if body:
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        request.headers["Content-Digest"] = f"sha-256=:{digest}:"
        lines.append(("content-digest", request.headers["Content-Digest"]))
    key = request.headers.get("Idempotency-Key")
    if request.method == "POST" and key is not None:
        key = key.decode() if isinstance(key, bytes) else key
        lines.append(("idempotency-key", key.strip()))
    if terminal and not (request.method == "POST" and request.path_url == "/v1/terminals"):
        request.headers["X-Terminal-Id"] = terminal
        lines.append(("x-terminal-id", terminal))
    names = " ".join(f'"{name}"' for name, _ in lines)
    parameters = f'({names});created={now_s()};nonce="fuzz-{next(NONCES):016x}";alg="ed25519";keyid="{THUMBPRINT}"'
    base = "".join(f'"{name}": {value}\n' for name, value in lines) + f'"@signature-params": {parameters}'
    request.headers["Signature-Input"] = f"sig1={parameters}"
    request.headers["Signature"] = f"sig1=:{base64.b64encode(KEY.sign(base.encode('latin-1', 'replace'))).decode()}:"
    return request


def send(method, path, body=None, key=None, terminal=None):
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if key:
        headers["Idempotency-Key"] = f'"{key}"'
    data = json.dumps(body, separators=(",", ":")) if body is not None else None
    request = requests.Request(method, SANDBOX + path, headers=headers, data=data).prepare()
    answer = requests.Session().send(sign(request, terminal), timeout=5)
    answer.raise_for_status()
    return answer.json()


def activate():
    issued = requests.post(f"{SANDBOX}/admin/activation-codes", json={}, timeout=5).json()
    request_id = str(uuid.uuid4())
    body = {
        "request_id": request_id,
        "activation_code": issued["code"],
        "alg": "ed25519",
        "public_key": JWK,
        "device": {"app_version": "0.1.0", "platform": "fuzzer"},
    }
    return send("POST", "/v1/terminals", body, request_id)["terminal_id"]


def sign_on(terminal):
    request_id = str(uuid.uuid4())
    body = {
        "request_id": request_id,
        "app_version": "0.1.0",
        "device_time": "2026-11-21T08:00:00+08:00",
        "queue": {"count": 0, "totals": []},
    }
    return send("POST", f"/v1/terminals/{terminal}/sign-ons", body, request_id, terminal)["session_id"]


TERMINAL = activate()
SESSION = sign_on(TERMINAL)
UUID = re.compile(r'"?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"?')
ACQUIRER_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def text(value, pattern):
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def reversal_id(payment_id):
    derived = bytearray(hashlib.sha256(b"reversal" + uuid.UUID(payment_id).bytes).digest()[:16])
    derived[6] = derived[6] & 0x0F | 0x80
    derived[8] = derived[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(derived)))


@schemathesis.hook
def before_call(context, case, kwargs):
    """Makes valid values fit each other where a schema cannot say so; never makes an invalid one valid."""
    parameters = case.path_parameters or {}
    if text(parameters.get("terminal_id"), ACQUIRER_ID):
        parameters["terminal_id"] = TERMINAL
    body = case.body
    if case.method.upper() != "POST" or not isinstance(body, dict):
        return
    if text(body.get("session_id"), ACQUIRER_ID):
        body["session_id"] = SESSION
    if text(body.get("reversal_id"), UUID) and text(parameters.get("payment_id"), UUID):
        body["reversal_id"] = reversal_id(parameters["payment_id"])
    payment = body.get("payment")
    holders = [(body, "request_id"), (body, "batch_id"), (body, "reversal_id"), (payment, "payment_id")]
    ids = [holder[name] for holder, name in holders if isinstance(holder, dict) and text(holder.get(name), UUID)]
    # A spoilt body comes with a good key, else the key alone would refuse it.
    spoilt = case.meta is not None and any(
        location.value == "body" and component.mode.is_negative for location, component in case.meta.components.items()
    )
    headers = case.headers
    if ids and headers is not None and (spoilt or text(headers.get("Idempotency-Key"), UUID)):
        headers["Idempotency-Key"] = f'"{ids[0]}"'


class Signature(requests.auth.AuthBase):
    def __call__(self, request):
        return sign(request, TERMINAL)


schemathesis.auth.set_from_requests(Signature())
