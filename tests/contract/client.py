"""A till of our own, written from openapi.yaml and by foreign libraries alone: nothing here is the core's or the sandbox's."""

import base64
import datetime
import hashlib
import json
import uuid

import requests
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, MappingKeyResolver
from http_message_signatures.algorithms import ECDSA_P256_SHA256, ED25519

ALGORITHMS = {"ecdsa-p256-sha256": ECDSA_P256_SHA256, "ed25519": ED25519}
JSON = "application/json"


def unpadded(data: bytes) -> str:
    """base64url as in JWKs."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def padded(text: str) -> bytes:
    """The bytes of `unpadded`."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def public_key(jwk: dict):
    """The key that a JWK describes."""
    if jwk["kty"] == "OKP":
        return ed25519.Ed25519PublicKey.from_public_bytes(padded(jwk["x"]))
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + padded(jwk["x"]) + padded(jwk["y"]))


def thumbprint(jwk: dict) -> str:
    """RFC 7638."""
    members = {name: jwk[name] for name in ("crv", "kty", "x", "y") if name in jwk}
    return unpadded(hashlib.sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode()).digest())


def reversal_id(payment_id: str) -> str:
    """The UUID that the contract derives."""
    derived = bytearray(hashlib.sha256(b"reversal" + uuid.UUID(payment_id).bytes).digest()[:16])
    derived[6] = derived[6] & 0x0F | 0x80
    derived[8] = derived[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(derived)))


def components(method: str, path: str, body: bytes) -> tuple[str, ...]:
    """What the contract wants covered."""
    covered = ["@method", "@target-uri"]
    covered += ["content-digest"] if body else []
    covered += ["idempotency-key"] if method == "POST" else []
    covered += [] if path == "/v1/terminals" else ["x-terminal-id"]
    return tuple(covered)


class Key:
    """A device key, always the same for the same `secret`."""

    def __init__(self, alg: str, secret: int = 11) -> None:
        self.alg = alg
        if alg == "ed25519":
            self._private = ed25519.Ed25519PrivateKey.from_private_bytes(secret.to_bytes(32, "big"))
            point = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            self.jwk = {"kty": "OKP", "crv": "Ed25519", "x": unpadded(point)}
        else:
            self._private = ec.derive_private_key(secret, ec.SECP256R1())
            point = self._private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            self.jwk = {"kty": "EC", "crv": "P-256", "x": unpadded(point[1:33]), "y": unpadded(point[33:])}
        self.id = thumbprint(self.jwk)
        keys = MappingKeyResolver(public_keys={}, private_keys={self.id: self._private})
        self._signer = HTTPMessageSigner(signature_algorithm=ALGORITHMS[alg], key_resolver=keys)
        self._nonces = 0

    def sign(self, request, covered: tuple[str, ...], created_s: int) -> None:
        """Puts the signature headers on a prepared request."""
        self._nonces += 1
        created = datetime.datetime.fromtimestamp(created_s, datetime.timezone.utc)
        self._signer.sign(
            request,
            key_id=self.id,
            created=created,
            nonce=f"independent-{self._nonces:08}",
            label="sig1",
            covered_component_ids=covered,
            use_existing_digest="content-digest" in covered,
        )


class Verifier(HTTPMessageVerifier):
    """Requests of the sandbox's virtual time are neither old nor from the future."""

    max_clock_skew = datetime.timedelta(days=36500)


def verify(request, jwk: dict, body: bytes) -> None:
    """Raises unless `request` (method, url, headers) carries the signature that the contract asks for, made by the key `jwk`."""
    alg = "ed25519" if jwk["kty"] == "OKP" else "ecdsa-p256-sha256"
    keys = MappingKeyResolver(public_keys={thumbprint(jwk): public_key(jwk)}, private_keys={})
    path = requests.utils.urlparse(request.url).path
    wanted = components(request.method, path, body)
    (found,) = Verifier(signature_algorithm=ALGORITHMS[alg], key_resolver=keys).verify(
        request, max_age=None, require_components=wanted, body=body
    )
    covered = tuple(json.loads(name) for name in found.covered_components if name != '"@signature-params"')
    assert found.label == "sig1" and covered == wanted, f"{found.label} covers {covered}, not {wanted}"
    assert set(found.parameters) == {"created", "nonce", "alg", "keyid"}, found.parameters


def verify_answer(headers, body: bytes, keys: dict) -> None:
    """Raises unless the answer is signed by the key its `kid` names; `keys` are JWKs by kid."""
    signature = headers["webhook-signature"]
    assert signature.startswith("v1a,"), signature
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    public_key(keys[headers["kid"]]).verify(base64.b64decode(signature[4:], validate=True), signed)


class Device:
    """An activated till at the acquirer's address `url`. Verifies every answer."""

    def __init__(self, url: str, activation_code: str, key: Key, now_s: int) -> None:
        self.url, self.key, self.now_s = url, key, now_s
        self.terminal: str | None = None
        self.session: dict = {}
        self._http = requests.Session()
        self._http.trust_env = False
        self._ids = 0
        code, root, checksum = activation_code.split(".")
        assert checksum == hashlib.sha256(f"{code}.{root}".encode()).hexdigest()[:8], activation_code
        self._keys = {"root": {"kty": "OKP", "crv": "Ed25519", "x": root}}
        for listed in self.send("GET", "/v1/keys").json()["keys"]:
            self._keys[listed["kid"]] = listed
        body = {
            "request_id": self.new_id(),
            "activation_code": code,
            "alg": key.alg,
            "public_key": key.jwk,
            "device": {"app_version": "1.0.0", "platform": "python"},
        }
        self.terminal = self.send("POST", "/v1/terminals", body, expect=201).json()["terminal_id"]

    def new_id(self) -> str:
        """A UUID of version 7 of the sandbox's day, always the same ones."""
        self._ids += 1
        return str(uuid.UUID(int=(self.now_s * 1000 << 80) | 7 << 76 | 2 << 62 | self._ids))

    def prepare(self, method: str, path: str, body: dict | None = None, key: str | None = None):
        """A signed request; `key` is the Idempotency-Key, by default the id that the body names."""
        headers = {"Content-Type": JSON} if body else {}
        data = json.dumps(body, separators=(",", ":")).encode() if body else None
        if method == "POST":
            named = (key, body.get("payment", {}).get("payment_id"), *map(body.get, ("batch_id", "reversal_id", "request_id")))
            headers["Idempotency-Key"] = f'"{next(filter(None, named))}"'
        request = requests.Request(method, self.url + path, headers=headers, data=data).prepare()
        self.sign(request)
        return request

    def sign(self, request, key: Key | None = None) -> None:
        """Signs a prepared request over its final bytes, by its own key or another."""
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        path = request.path_url.partition("?")[0]
        covered = components(request.method, path, body)
        if self.terminal and "x-terminal-id" in covered:
            request.headers["X-Terminal-Id"] = self.terminal
        if body:
            request.headers["Content-Digest"] = f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
        present = tuple(name for name in covered if name.startswith("@") or name in request.headers)
        (key or self.key).sign(request, present, self.now_s)

    def send(self, method: str, path: str, body: dict | None = None, expect: int = 200):
        """Sends, verifies the answer, and wants this status."""
        answer = self._http.send(self.prepare(method, path, body), timeout=30)
        verify_answer(answer.headers, answer.content, self._keys)
        assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    def sign_on(self) -> dict:
        """Opens a session."""
        body = {
            "request_id": self.new_id(),
            "app_version": "1.0.0",
            "device_time": self.instant(),
            "queue": {"count": 0, "totals": []},
        }
        self.session = self.send("POST", f"/v1/terminals/{self.terminal}/sign-ons", body, expect=201).json()
        return self.session

    def instant(self) -> str:
        """Now, for bodies."""
        return datetime.datetime.fromtimestamp(self.now_s, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    def payment(self, stan: int, amount: int, kind: str = "live", payment_id: str | None = None) -> dict:
        """What is submitted for one sale of today."""
        shanghai = datetime.timezone(datetime.timedelta(hours=8))
        encrypted = {"format": "magtek_dynaflex_arqc", "key_id": "9A00", "ksn": "FFFF9876543210E00008", "data": "3q2+7w=="}
        submission = {
            "payment_id": payment_id or self.new_id(),
            "kind": kind,
            "type": "purchase",
            "amount": {"amount": amount, "currency": "CNY"},
            "batch_number": self.session["batch_number"],
            "stan": f"{stan:06}",
            "captured_at": self.instant(),
            "captured_on": str(datetime.datetime.fromtimestamp(self.now_s, shanghai).date()),
            "entry_mode": "chip",
            "card": {"scheme": "visa", "masked_pan": "476173******0119", "funding": "unknown", "encrypted": encrypted},
            "attempt": 1,
        }
        if kind != "live":
            submission["offline"] = {"approved_by": "merchant", "policy_version": "1"}
        return submission

    def envelope(self, **content) -> dict:
        """What stands around payments."""
        clock = {"offset_s": 0, "uncertainty_s": 2, "source": "sign_on"}
        return {"session_id": self.session["session_id"], "sent_at": self.instant(), "clock": clock, **content}
