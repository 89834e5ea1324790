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
                    case .valueLength(let valueLength):
                        let valueLen = UInt32(clamping: valueLength)
                        hear(.said { try $0.valueLength(generation: $1, valueLen: valueLen) })
                    case .value(let value): hear(.said { try $0.bytes(generation: $1, value: value) })
                    case .down: hear(.down)
                    }
                }
            },
            write: { try await link.write($0) },
            release: { await link.release() })
    }

    init(_ sdk: some VendorSDK) throws {
        let lane = try Lanes.shared.lane(of: sdk)
        self.init(
            listen: { [events = sdk.events()] hear in
                for await event in events {
                    switch event {
                    case .up(let about): hear(.up { try $0.vendorUp(lane: lane, about: about, generation: $1) })
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

/// One lane for each SDK that lives, whatever charge it serves: a start that was given up stops the next charge's until it is
/// back.
private final class Lanes: @unchecked Sendable {
    private struct Entry {
        weak var sdk: (any VendorSDK)?
        let lane: VendorLane
    }

    static let shared = Lanes()

    private let lock = NSLock()
    private var entries: [ObjectIdentifier: Entry] = [:]

    func lane(of sdk: any VendorSDK) throws -> VendorLane {
        try lock.withLock {
            entries = entries.filter { $0.value.sdk != nil }
            if let known = entries[ObjectIdentifier(sdk)] { return known.lane }
            let lane = try VendorLane(reader: Told(sdk))
            entries[ObjectIdentifier(sdk)] = Entry(sdk: sdk, lane: lane)
            return lane
        }
    }
}

/// The SDK as the core calls it.
private final class Told: VendorReader, @unchecked Sendable {
    /// Set once. The app owns it, and the charge that it serves.
    private weak var sdk: (any VendorSDK)?

    init(_ sdk: any VendorSDK) { self.sdk = sdk }

    func start(request: VendorStart) throws { try there().start(request) }
    func cancel() throws { try there().cancel() }
    func chooseApplication(index: UInt32) throws { try there().chooseApplication(Int(index)) }

    private func there() throws -> any VendorSDK {
        guard let sdk else { throw CancellationError() }
        return sdk
    }
}
