"""What tests/parts/wheel.sh looks at: the wheel from outside, the answers against the acquirer's book, spoilt ledgers."""

import base64
import csv
import hashlib
import io
import json
import re
import shutil
import struct
import sys
import zipfile
from pathlib import Path


def exports(library):
    """The names a library for Linux exports: the defined global symbols of its .dynsym."""
    at, = struct.unpack_from("<Q", library, 40)
    size, count = struct.unpack_from("<HH", library, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", library, at + index * size) for index in range(count)]
    (symbols,) = (section for section in sections if section[1] == 11)
    names = sections[symbols[6]][4]
    found = []
    for offset in range(symbols[4], symbols[4] + symbols[5], 24):
        name, info, _, section = struct.unpack_from("<IBBH", library, offset)
        if section != 0 and info >> 4 == 1:
            found.append(library[names + name:library.index(b"\0", names + name)].decode())
    symtab = any(section[1] == 2 for section in sections)
    return found, symtab


def contents(path):
    with zipfile.ZipFile(path) as wheel:
        files = {name: wheel.read(name) for name in wheel.namelist()}
    (info,) = {name.split("/")[0] for name in files if ".dist-info/" in name}
    expected = {"takings/__init__.py", "takings/__init__.pyi", "takings/py.typed", "takings/libtakings_ffi.so"}
    expected |= {f"{info}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "licenses/LICENSE")}
    assert set(files) == expected, f"the wheel holds {sorted(files)}"
    tag = re.search(r"^Tag: (.*)$", files[f"{info}/WHEEL"].decode(), re.M)[1]
    assert re.fullmatch(r"py3-none-(many|musl)linux_\d+_\d+_(x86_64|aarch64)", tag), tag
    assert Path(path).stem.endswith(tag) and b"Root-Is-Purelib: false" in files[f"{info}/WHEEL"]
    assert b"Apache License" in files[f"{info}/licenses/LICENSE"] and b"License-Expression: Apache-2.0" in files[f"{info}/METADATA"]
    for name, digest, size in csv.reader(io.StringIO(files[f"{info}/RECORD"].decode())):
        if not name.endswith("RECORD"):
            found = base64.urlsafe_b64encode(hashlib.sha256(files[name]).digest()).rstrip(b"=").decode()
            assert (f"sha256={found}", str(len(files[name]))) == (digest, size), f"{name} is not as RECORD says"
    library = files["takings/libtakings_ffi.so"]
    names, symtab = exports(library)
    assert any(name.startswith("uniffi_takings_ffi_fn_") for name in names), "the library exports no call"
    planted = [name for name in names if "planted" in name]
    assert not planted and b"def planted" not in files["takings/__init__.py"], f"exports that nobody may ship: {planted}"
    bugs = re.findall(r'^    bug\("(\w+)"', (Path(__file__).parents[2] / "core/domain/src/planted.rs").read_text("utf-8"), re.M)
    assert len(bugs) > 20 and not (held := [bug for bug in bugs if bug.encode() in library]), f"bugs that nobody may ship: {held}"
    assert not symtab, "the library is not stripped"
    print(f"{Path(path).name}: {Path(path).stat().st_size:,} bytes; the library {len(library):,}, stripped, {len(names)} exports")


def answers(demo, folder, book):
    demo, folder, book = (json.loads(Path(path).read_text("utf-8")) for path in (demo, folder, book))
    stages = [payment["stage"] for payment in demo["payments"]]
    assert {"arrived", "on_its_way", "needs_you", "not_charged"} <= set(stages), stages
    assert "unknown_overdue" in [payment["cause"] for payment in demo["payments"]]
    # The folder is read later, by this machine's clock: what was on its way then may be overdue now. Nothing else moves.
    for now, then in zip(folder["payments"], demo["payments"], strict=True):
        moved = {name for name in then if now[name] != then[name]}
        late = then["stage"] in ("on_its_way", "approved") and now["cause"] == "unknown_overdue"
        allowed = {"stage", "cause", "source", "acts", "next_step"} if late else set()
        assert moved <= allowed, f"{then['order_reference']}: {moved} differ"
    assert [(p["payout_id"], p["status"], p["net_minor"]) for p in folder["payouts"]] == [
        (p["payout_id"], p["status"], p["net_minor"]) for p in demo["payouts"]]

    # Against the acquirer's own book, payment by payment and payout by payout.
    known = {payment["payment_id"]: payment for payment in book["payments"]}
    captured = {capture["payment_id"] for capture in book["captures"]}
    for payment in demo["payments"]:
        theirs = known[payment["payment_id"]]
        where, arrival = payment["order_reference"], payment["arrival"]
        assert payment["payout_id"] == theirs.get("payout_id"), f"{where}: payout {theirs.get('payout_id')}"
        if payment["authorization"] in ("approved", "partially_approved"):
            assert payment["payment_id"] in captured, f"{where} is not captured there"
        else:
            assert payment["payment_id"] not in captured and arrival != "arrived", f"{where} is captured there"
    payouts = {payout["payout_id"]: payout for payout in book["payouts"]}
    for payout in demo["payouts"]:
        theirs = payouts[payout["payout_id"]]
        assert (payout["status"], payout["entry_count"]) == (theirs["status"], len(theirs["entries"])), payout["payout_id"]
        shares = [p["net_minor"] for p in demo["payments"] if p["payout_id"] == payout["payout_id"]]
        assert sum(shares) == payout["net_minor"], f"{payout['payout_id']} is not the sum of its payments"
    approved = sum(capture["amount_minor"] for capture in book["captures"])
    shown = sum(line["amount_minor"] for line in demo["stages"] if line["stage"] in ("arrived", "on_its_way"))
    late = [p for p in demo["payments"] if p["cause"] == "unknown_overdue"]
    assert shown + sum(p["approved_minor"] for p in late) == approved, f"{shown} by stage, {approved} captured there"
    counted = sum(line["count"] for line in demo["stages"])
    assert counted == len(stages) == len(known), f"{counted} counted, {len(known)} in the acquirer's book"
    print(f"{len(stages)} payments and {len(payouts)} payouts, as in the acquirer's own book: {', '.join(stages)}")


def spoil(demo, to):
    demo, to = Path(demo), Path(to)
    to.mkdir()
    keys = json.loads((demo / "keys.json").read_text("utf-8"))
    other = {"ledger_key": "00" * 32}, {"device_public_key": "04" + "11" * 64}
    for name, change in zip(("wrong-key.json", "other-phone.json"), other):
        (to / name).write_text(json.dumps(keys | change), "utf-8")
    shutil.copytree(demo / "ledger", to / "changed")
    for name in ("ledger.db", "ledger.db-wal"):
        file = to / "changed" / name
        if file.exists():
            data = bytearray(file.read_bytes())
            for at in range(len(data) // 4, len(data), 4096):
                data[at] ^= 0xFF
            file.write_bytes(data)
    # The file without what was written last: a copy that forgot the WAL.
    (to / "without-end").mkdir()
    for name in ("ledger.db", "head"):
        shutil.copy(demo / "ledger" / name, to / "without-end" / name)


if __name__ == "__main__":
    {"contents": contents, "answers": answers, "spoil": spoil}[sys.argv[1]](*sys.argv[2:])
