import Foundation
import Takings

/// Another maker's SDK, scripted: what it does when it is told to start, and what it was told.
final class FakeSDK: VendorSDK, @unchecked Sendable {
    typealias Script = @Sendable (FakeSDK) throws -> Void

    private let lock = NSLock()
    private var said: AsyncStream<SDKEvent>.Continuation?
    private let isThere: Bool
    private let stale: [VendorEvent]
    private let scripts: [Script]
    private let whenCancelled: Script
    let told = Collected<String>()
    let asked = Collected<VendorStart>()

    /// One script for each start. What is stale is said before and after the reader is there, before each start.
    init(
        isThere: Bool = true, stale: VendorEvent..., onStart scripts: Script...,
        onCancel: @escaping Script = { $0.say(.ended(outcome: .cancelled)) }
    ) {
        (self.isThere, self.stale, self.scripts, whenCancelled) = (isThere, stale, scripts, onCancel)
    }

    func events() -> AsyncStream<SDKEvent> {
        AsyncStream { now in
            lock.withLock { said = now }
            for event in stale { yield(.said(event)) }
            if isThere { up() }
            for event in stale { yield(.said(event)) }
        }
    }

    private func yield(_ event: SDKEvent) { lock.withLock { said }?.yield(event) }

    /// That it runs what it was asked for last.
    var started: VendorEvent { .started(charge: asked.all.last?.charge ?? "none") }

    func start(_ request: VendorStart) throws {
        let number = asked.all.count
        asked.add(request)
        told.add("start")
        try scripts[min(number, scripts.count - 1)](self)
    }

    func cancel() throws {
        told.add("cancel")
        try whenCancelled(self)
    }

    func chooseApplication(_ index: Int) throws {
        told.add("choose \(index)")
        say(.sealed(), .done)
    }

    func release() async { told.add("release") }

    /// On any thread.
    func say(_ events: VendorEvent...) {
        for event in events { yield(.said(event)) }
    }

    func up() { yield(.up(VendorAbout(serial: "WSC-0042", model: "Pocket"))) }

    func down() { yield(.down) }

    func end() { lock.withLock { said }?.finish() }

    /// What it was told while the charge ran.
    var commands: [String] { told.all.filter { $0 != "release" } }
}

extension VendorEvent {
    static let done = VendorEvent.ended(outcome: .deferred)

    static func sealed(_ lastFour: String = "1232", ciphertext: Data = Data(0..<96)) -> VendorEvent {
        .cardData(
            card: VendorCard(
                ciphertext: ciphertext, format: "acme-dukpt", keyId: "bdk-1", ksnHex: "FFFF9876543210E00008",
                maskedNumber: "621234******\(lastFour)", entry: .chip))
    }
}
