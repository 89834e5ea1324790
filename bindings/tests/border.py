"""What the tests of the border share: a folder, a world, a sale; a vault and a key as an app has them.

The tests are run by tests/run bindings and need the module generated with --planted on PYTHONPATH.
"""

import os
import shutil
import tempfile
import unittest

import takings as t
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

# Saturday 2026-11-21, 10:00 in Shanghai.
SATURDAY_MS = 1_795_226_400_000
DAY_MS = 86_400_000
SEED = int(os.environ.get("SEED", "20261121"))


class Dirs(unittest.IsolatedAsyncioTestCase):
    def directory(self):
        path = tempfile.mkdtemp(prefix="takings-")
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        return path

    async def ready(self, world, path):
        till = await world.open_till(path, t.Language.EN)
        await till.activate(world.activation_code())
        return till


def request(amount_minor, order, mode=t.ChargeMode.PREFER_ONLINE):
    return t.ChargeRequest(amount_minor=amount_minor, currency="CNY", order_reference=order, mode=mode)


def play(**more):
    return t.CardPlay(card=t.DemoCard(entry=t.CardEntry.CHIP), **more)


async def sell(till, reader, amount_minor, order, **more):
    return reader.take_card(await till.charge(request(amount_minor, order)), play(**more)).outcome


class Vault(t.KeyVault):
    def __init__(self):
        self.key = None

    def load(self):
        return self.key

    def store(self, key):
        self.key = key


class Key(t.DeviceKey):
    """A phone's key: P-256, in the forms Android's key store hands out. What it does when it signs can be set."""

    def __init__(self):
        self.private, self.before = ec.generate_private_key(ec.SECP256R1()), lambda: None
        self.signed = 0

    def algorithm(self):
        return "ecdsa-p256-sha256"

    def public_key(self):
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.private.public_key().public_bytes(serialization.Encoding.DER, form)

    def sign(self, bytes):
        self.signed += 1
        self.before()
        return self.private.sign(bytes, ec.ECDSA(hashes.SHA256()))
