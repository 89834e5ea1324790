/// The till of a merchant's phone, for Swift.
///
/// Everything of the generated module is part of this one: ``Till``, ``Charge``, ``DemoWorld``, the records and
/// ``TakingsError``. Beside it stand ``Charge/take(over:prompts:choose:pause:)``, which serves a card reader's link,
/// ``Till/alerts(pause:)`` and ``Till/everyPayment(_:)``.
@_exported import TakingsBindings
