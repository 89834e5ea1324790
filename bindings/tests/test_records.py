"""Any record crosses the border and comes back the same."""

import enum
import inspect
import random
import typing
import unittest

import takings as t
from border import SEED


class Records(unittest.TestCase):
    """Any record crosses the border and comes back the same."""

    INTEGERS = {"amount_minor": 63}

    def value(self, rng, hint):
        origin = typing.get_origin(hint)
        if origin is typing.Union:
            return None if rng.random() < 0.3 else self.value(rng, typing.get_args(hint)[0])
        if origin in (list, typing.List):
            return [self.value(rng, typing.get_args(hint)[0]) for _ in range(rng.randrange(4))]
        if hint is bool:
            return rng.random() < 0.5
        if hint is int:
            return rng.choice([0, 1, 199, 2**31 - 1, 2**32 - 1])
        if hint is str:
            return "".join(rng.choice("aZ9 \"\\\n\0é王早点💰\u200f") for _ in range(rng.randrange(12)))
        if hint is bytes:
            return rng.randbytes(rng.randrange(300))
        if hint is t.ChargeOutcome:
            return rng.choice([
                t.ChargeOutcome.SAVED(), t.ChargeOutcome.NOT_CONFIRMED(),
                t.ChargeOutcome.APPROVED(approved_minor=rng.randrange(-2**63, 2**63)),
                t.ChargeOutcome.NOT_CHARGED(cause="x", detail=None)])
        if hint is t.VendorEvent:
            return self.vendor_event(rng)
        if inspect.isclass(hint) and issubclass(hint, enum.Enum):
            return rng.choice(list(hint))
        hints = typing.get_type_hints(hint.__init__, vars(t))
        return hint(**{name: self.value(rng, inner) for name, inner in hints.items() if name != "return"})

    def vendor_event(self, rng):
        event = t.VendorEvent
        entry, text = rng.choice(list(t.VendorEntry)), self.value(rng, str)
        return rng.choice([
            event.STARTED(text), event.CARD_REMOVED(), event.SEVERAL_CARDS(), event.PROMPT(text, rng.random() < 0.5),
            event.CHOOSE_APPLICATION([text] * rng.randrange(3)), event.CARD_SEEN(entry), event.ENDED(rng.choice(list(t.VendorEnd))),
            event.FAILED(rng.choice(list(t.VendorAsked))), event.BATTERY_LOW(rng.randrange(2**32)),
            event.CARD_DATA(self.value(rng, t.VendorCard))])

    def test_there_and_back(self):
        rng = random.Random(SEED)
        print(f"seed {SEED}")
        for _ in range(200):
            records = self.value(rng, t.PlantedRecords)
            self.assertEqual(t.planted_echo(records), records)


if __name__ == "__main__":
    unittest.main()
