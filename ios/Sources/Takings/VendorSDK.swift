import TakingsBindings

/// What comes from a vendor's SDK.
public enum SDKEvent: Sendable {
    /// The SDK is connected to its reader; what it knows of it.
    case up(VendorAbout)
    /// The SDK says something about the payment.
    case said(VendorEvent)
    /// The reader is gone. It may come again.
    case down
}

/// Another maker's card reader behind its own SDK, as an app makes it of the SDK's delegate, for ``Charge/take(with:)``: one
/// object for each SDK, for all its charges. While the SDK has not returned from a start that was given up, the next charge
/// ends at once, uncharged. It runs as Quick Chip and hands out ciphertext that the acquirer's host alone can open; see `VendorReader` for what it must
/// keep to.
///
/// `start`, `cancel` and `chooseApplication` are called on a thread of the library's, one after the other. They ask the SDK
/// for something and return, within ten seconds; what they throw means that it was not done. They may not wait for the till or
/// the charge: a call back on their thread is an error. What the SDK says, on any thread and also while it is asked, goes into
/// ``events()``.
public protocol VendorSDK: AnyObject, Sendable {
    /// What comes from the SDK, in the order in which it came; none may be dropped. Called once for each charge, for a stream
    /// of its own: it says ``SDKEvent/up(_:)`` when, or if, the SDK is connected to its reader. It ends when the reader is
    /// gone and nobody looks for it; ``SDKEvent/down`` alone means that it may come again, and is waited for.
    func events() -> AsyncStream<SDKEvent>

    /// Take a payment. `VendorEvent.started` is awaited within twenty seconds, with the `VendorStart.charge` of the start that
    /// it runs; one with another is of an older payment, and passed over with all that follows it.
    func start(_ request: VendorStart) throws

    /// Stop if that is still possible.
    func cancel() throws

    /// The cardholder chose this of the applications that the SDK offered, counted from 0.
    func chooseApplication(_ index: Int) throws

    /// The charge is over and the reader may go; nothing more is listened to. An SDK may well stay connected.
    func release() async
}

extension VendorSDK {
    public func release() async {}
}
