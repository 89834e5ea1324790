import Foundation

/// What comes from a card reader's link.
public enum LinkEvent: Sendable {
    /// The link is up and notifications are on. `valueLength` is the usable length of one value in bytes: on iOS
    /// `maximumWriteValueLength(for: .withoutResponse)`, although values are written with response: the figure for those
    /// promises long writes, which a reader does not take.
    case up(valueLength: Int)
    /// The usable length of one value changed while the link is up.
    case valueLength(Int)
    /// One value from the reader.
    case value(Data)
    /// The link is gone. It may come up again, and is waited for: where nobody looks for it, end the stream instead.
    case down
}

/// A Bluetooth link to a card reader, as an app makes it of a `CBPeripheral`.
public protocol ReaderLink: Sendable {
    /// What comes from the link, in the order in which it came. Its end means that no link will come any more.
    var events: AsyncStream<LinkEvent> { get }

    /// Writes one value to the reader, and returns once that was confirmed.
    func write(_ value: Data) async throws

    /// The till is done with the reader, and it may go: nothing more is written, nothing more is listened to. Mostly the
    /// charge is over; a reader that was given up after the card does not wait for the acquirer.
    func release() async
}
