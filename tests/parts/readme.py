"""Runs the Python of bindings/README.md as it stands there: the first block twice, as a reader would; the second, a vendor's card
reader, with an SDK that takes every card.

Needs the generated module on PYTHONPATH.
"""

import ast
import asyncio
import inspect
import os
import pathlib
import re
import subprocess
import sys
import tempfile

README = pathlib.Path(__file__).parents[2] / "bindings/README.md"
# Saturday 2026-11-21, 10:00 in Shanghai.
SATURDAY_MS = 1_795_226_400_000


def quick_start(block, where):
    """Two runs, one after the other, say the same: nothing is left that the next one stumbles over."""
    said = [
        subprocess.run([sys.executable, "-c", block], env=os.environ | {"TMPDIR": where}, capture_output=True, text=True, timeout=60)
        for _ in range(2)
    ]
    for run in said:
        if run.returncode or "approved_minor=1250" not in run.stdout or not run.stdout.rstrip().endswith(" approved"):
            sys.exit(f"error: the first Python of bindings/README.md: exit code {run.returncode}\n{run.stdout}{run.stderr}")
    assert said[0].stdout == said[1].stdout, said
    assert any(pathlib.Path(where).iterdir()), "its ledger is not in a temporary folder"
    print(f"bindings/README.md, twice: {said[0].stdout.strip()}")


class Sdk:
    """Does what it is told, and writes it down."""

    serial = "S-1"

    def __init__(self):
        self.told = []

    @property
    def running(self):
        """The id that came with the newest start."""
        return [told for told in self.told if told[0] == "begin"][-1][1]

    def __getattr__(self, name):
        return lambda *args: self.told.append((name, *args))


async def vendors_reader(block, where):
    import takings as t

    world, sdk = t.DemoWorld(seed=7, start_ms=SATURDAY_MS), Sdk()
    till = await world.open_till(where, t.Language.EN)
    await till.activate(world.activation_code())
    world.set_line("down")
    names = {
        "t": t,
        "till": till,
        "sdk": sdk,
        "sealed": bytes(range(1, 65)),
        "ksn": "FFFF9876543210E00001",
        "request": t.ChargeRequest(amount_minor=1250, currency="CNY", mode=t.ChargeMode.OFFLINE),
    }
    made = eval(compile(block, str(README), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
    if inspect.isawaitable(made):
        await made
    begun = [told for told in sdk.told if told[0] == "begin"]
    assert len(begun) == 1 and begun[0][2:4] == (1250, 156), sdk.told
    assert names["outcome"].is_saved(), names["outcome"]
    payment = (await till.payments(t.PaymentQuery())).payments[0]
    assert (payment.stage, payment.last_four) == ("saved_on_phone", "1232"), payment
    await till.shutdown()
    print(f"bindings/README.md, a vendor's reader: {names['outcome']} {payment.stage}")


def main():
    blocks = re.findall(r"^```python\n(.*?)^```$", README.read_text("utf-8"), re.M | re.S)
    assert len(blocks) == 2, f"bindings/README.md has {len(blocks)} blocks of Python: each is to be run here"
    with tempfile.TemporaryDirectory() as where, tempfile.TemporaryDirectory() as other:
        quick_start(blocks[0], where)
        asyncio.run(vendors_reader(blocks[1], other))


if __name__ == "__main__":
    main()
