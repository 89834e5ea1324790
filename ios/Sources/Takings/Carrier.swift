import Foundation
import TakingsBindings

/// What stands between a charge and its reader: a link that carries bytes, or a vendor's SDK.
struct Carrier: Sendable {
    /// Tells a charge what happened at its reader, on the connection of that number.
    typealias Tell = @Sendable (_ charge: Charge, _ generation: UInt32) throws -> Step

    enum Event: Sendable {
        case up(Tell)
        case said(Tell)
        case down
    }

    /// Hands over what comes from the reader, until no more will.
    let listen: @Sendable (_ hear: @Sendable (Event) -> Void) async -> Void
    /// Returns once the reader confirmed the value.
    let write: @Sendable (Data) async throws -> Void
    let release: @Sendable () async -> Void
}

extension Carrier {
    init(_ link: some ReaderLink) {
        self.init(
            listen: { [events = link.events] hear in
                for await event in events {
                    switch event {
                    case .up(let valueLength):
                        let valueLen = UInt32(clamping: valueLength)
                        hear(.up { try $0.linkUp(valueLen: valueLen, generation: $1) })
                    case .value(let value): hear(.said { try $0.bytes(generation: $1, value: value) })
                    case .down: hear(.down)
                    }
                }
            },
            write: { try await link.write($0) },
            release: { await link.release() })
    }

    init(_ sdk: some VendorSDK) {
        let reader = Told(sdk)
        self.init(
            listen: { [events = sdk.events] hear in
                for await event in events {
                    switch event {
                    case .up(let about): hear(.up { try $0.vendorUp(reader: reader, about: about, generation: $1) })
                    case .said(let event): hear(.said { try $0.vendorEvent(generation: $1, event: event) })
                    case .down: hear(.down)
                    }
                }
            },
            // What an SDK is told, the core tells it: a charge with one writes nothing.
            write: { _ in throw CancellationError() },
            release: { await sdk.release() })
    }
}

/// The SDK as the core calls it.
private final class Told: VendorReader {
    private let sdk: any VendorSDK

    init(_ sdk: any VendorSDK) { self.sdk = sdk }

    func start(request: VendorStart) throws { try sdk.start(request) }
    func cancel() throws { try sdk.cancel() }
    func chooseApplication(index: UInt32) throws { try sdk.chooseApplication(Int(index)) }
}
