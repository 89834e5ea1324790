"""An independent client and the sandbox understand each other's signatures; so do the core's published requests and it.

    .tools/contract/bin/python tests/contract/signatures.py
"""

import json
import pathlib
import types

import client
import stage
from cryptography.exceptions import InvalidSignature as WrongAnswer
from http_message_signatures import InvalidSignature

GOLDEN = stage.ROOT / "core/acquirers/tests/golden/requests"
TWO_DAYS_MS = 2 * 24 * 3600 * 1000
# The secret behind the published requests, so that one of P-256, too, can be verified: its key is in no body.
GOLDEN_SECRET = int.from_bytes(bytes([3] * 32), "big")


def activated(url: str, alg: str, admin: str | None = None) -> client.Device:
    """A device of our own at a fresh sandbox, whose administration may be somewhere else."""
    code = stage.admin(admin or url, "POST", "/admin/activation-codes", {})["activation_code"]
    return client.Device(url, code, client.Key(alg), stage.START_MS // 1000)


def whole_life(admin: str, device: client.Device) -> None:
    """Every operation once, each accepted and its answer verified."""
    terminal = f"/v1/terminals/{device.terminal}"
    get = lambda path: device.send("GET", path).json()
    device.sign_on()
    live, void = device.payment(1, 12800), device.payment(2, 4500)
    assert device.send("POST", "/v1/payments", device.envelope(payment=live), 201).json()["authorization"] == "approved"
    device.send("POST", "/v1/payments", device.envelope(payment=void), 201)
    undo = {
        "reversal_id": client.reversal_id(void["payment_id"]),
        "reason": "timeout",
        "amount": void["amount"],
        "natural_key": {name: void[name] for name in ("batch_number", "stan", "captured_on")},
        "sent_at": device.instant(),
        "attempt": 1,
    }
    undone = device.send("POST", f"/v1/payments/{void['payment_id']}/reversals", undo, 201).json()
    assert undone["outcome"] == "reversed", undone
    stored = [device.payment(stan, 1000 + stan, "deferred_authorization") for stan in range(3, 9)]
    batch = device.send("POST", "/v1/payments/batch", device.envelope(batch_id=device.new_id(), items=stored)).json()
    assert [result["http_status"] for result in batch["results"]] == [201] * len(stored), batch
    ask = {"request_id": device.new_id(), "lookups": [{"ref": "a", "payment_id": live["payment_id"]}]}
    assert device.send("POST", "/v1/payments/inquiries", ask).json()["results"][0]["outcome"] == "found"
    for path in ("/v1/capabilities", "/v1/health", terminal, f"{terminal}/risk-policy", "/v1/settlement/terms"):
        get(path)
    get("/v1/settlement/calendar?from=2026-11-01&to=2026-11-30")
    stage.admin(admin, "PUT", "/admin/clock", {"advance_ms": TWO_DAYS_MS + 3 * 3600 * 1000})
    device.now_s = stage.admin(admin, "GET", "/admin/clock")["now_ms"] // 1000
    assert get(f"/v1/payments/{live['payment_id']}")["arrival"] == "arrived"
    first = get("/v1/payments?limit=2")
    assert len(first["data"]) == 2 and get(f"/v1/payments?limit=2&cursor={first['next_cursor']}")["data"]
    assert get("/v1/payments?updated_since=2026-11-21T08%3A00%3A00%2B08%3A00")["data"]
    (payout,) = get("/v1/payouts")["data"]
    assert get(f"/v1/payouts/{payout['payout_id']}") == payout
    entries = get(f"/v1/payouts/{payout['payout_id']}/entries")["data"]
    assert sum(entry["net"]["amount"] for entry in entries) == payout["net"]["amount"]
    assert get("/v1/events?after=0&limit=200")["data"]
    asked = stage.admin(admin, "GET", "/admin/ledger")["requests"]
    missed = stage.operations() - asked.keys()
    assert not missed, f"never asked: {missed}"


def wrong_ones_are_refused(device: client.Device) -> int:
    """Signatures that do not hold get 401, and an answer that was changed does not verify."""
    spoilt = 0
    path = "/v1/payments?limit=7"

    def refused(request, code: str = "signature-invalid") -> None:
        nonlocal spoilt
        answer = device._http.send(request, timeout=30)
        client.verify_answer(answer.headers, answer.content, device._keys)
        assert (answer.status_code, answer.json()["code"]) == (401, code), answer.text
        spoilt += 1

    good = device.prepare("GET", path)
    assert device._http.send(good, timeout=30).status_code == 200
    refused(good)  # the same nonce again
    other_url = device.prepare("GET", path)
    other_url.url = other_url.url.replace("limit=7", "limit=8")
    refused(other_url)
    bare = device.prepare("GET", path)
    device.key.sign(bare, ("@method", "x-terminal-id"), device.now_s)
    refused(bare)
    unsigned = device.prepare("GET", path)
    del unsigned.headers["Signature"]
    refused(unsigned)
    twin = device.prepare("GET", path)
    client.Key(device.key.alg, secret=12).sign(twin, ("@method", "@target-uri", "x-terminal-id"), device.now_s)
    refused(twin)
    late = device.prepare("GET", path)
    device.key.sign(late, ("@method", "@target-uri", "x-terminal-id"), device.now_s - 301)
    refused(late, "clock-skew")
    ask = {"request_id": device.new_id(), "lookups": [{"ref": "a", "rrn": "632600000001"}]}
    other_body = device.prepare("POST", "/v1/payments/inquiries", ask)
    other_body.body = other_body.body.replace(b'"ref":"a"', b'"ref":"b"')
    refused(other_body)

    answer = device._http.send(device.prepare("GET", path), timeout=30)
    try:
        client.verify_answer(answer.headers, answer.content.replace(b"approved", b"declined", 1), device._keys)
    except WrongAnswer:
        return spoilt
    raise AssertionError("a changed answer verifies")


def published() -> list[tuple[str, types.SimpleNamespace, dict, bytes]]:
    """The signed requests of the core's golden files: name, request, key, body."""
    found = []
    activation = json.loads((GOLDEN / "activate.txt").read_bytes().split(b"\n\n", 1)[1])
    keys = {
        'alg="ed25519"': activation["public_key"],
        'alg="ecdsa-p256-sha256"': client.Key("ecdsa-p256-sha256", GOLDEN_SECRET).jwk,
    }
    for path in sorted(pathlib.Path(GOLDEN).glob("*.txt")):
        head, body = path.read_bytes().split(b"\n\n", 1)
        first, *rest = head.decode().split("\n")
        method, url = first.split(" ", 1)
        headers = dict(line.split(": ", 1) for line in rest)
        if "signature" in headers:
            (jwk,) = (jwk for alg, jwk in keys.items() if alg in headers["signature-input"])
            request = types.SimpleNamespace(method=method, url=url, headers=headers)
            found.append((path.stem, request, jwk, body.removesuffix(b"\n")))
    return found


def must_fail(request, jwk: dict, body: bytes) -> None:
    """The same request with anything changed does not verify."""
    flipped = body.replace(b"1", b"2", 1) if body else b"{}"
    changed = [(request.method, request.url + "0", request.headers, body), (request.method, request.url, request.headers, flipped)]
    changed.append(({"GET": "POST", "POST": "GET"}[request.method], request.url, request.headers, body))
    for name in ("x-terminal-id", "idempotency-key"):
        if name in request.headers and f'"{name}"' in request.headers["signature-input"]:
            changed.append((request.method, request.url, {**request.headers, name: request.headers[name] + "0"}, body))
    for method, url, headers, other in changed:
        try:
            client.verify(types.SimpleNamespace(method=method, url=url, headers=headers), jwk, other)
        except InvalidSignature:
            continue
        raise AssertionError(f"verifies although it was changed: {method} {url}")


def main() -> None:
    """Both algorithms both ways."""
    for alg in client.ALGORITHMS:
        with stage.sandbox() as url:
            device = activated(url, alg)
            whole_life(url, device)
            refused = wrong_ones_are_refused(device)
        print(f"{alg}: the sandbox takes what http-message-signatures signs on each of {len(stage.operations())} operations, refuses {refused} wrong ones")
    golden = published()
    for _, request, jwk, body in golden:
        client.verify(request, jwk, body)
        must_fail(request, jwk, body)
    algs = {jwk["kty"] for _, _, jwk, _ in golden}
    assert algs == {"EC", "OKP"} and len(golden) > 10, (algs, len(golden))
    print(f"http-message-signatures verifies {len(golden)} requests as the core signs them, and none of them changed")


if __name__ == "__main__":
    main()
