import Foundation
import Takings
import Testing

/// An SDK as there may be one.
final class AcmeSDK: @unchecked Sendable {
    protocol Delegate: AnyObject {
        func acmeIsRunning()
        func acme(shows text: String)
        func acme(read card: Sealed)
        func acme(ended result: Int)
        func acmeDisconnected()
    }

    struct Sealed {
        let blob = Data(0..<96)
        let ksn = "FFFF9876543210E00008"
        let maskedPan = "621234******1232"
        let tapped = true
    }

    let serialNumber = "WSC-0042"
    weak var delegate: (any Delegate)?
    let stopped = Collected<Void>()

    func quickChip(amount: Int64, currency: Int, timeout: Int) throws {
        guard amount > 0, currency == 156, timeout > 0 else { throw Unexpected("bad request") }
        delegate?.acmeIsRunning()
        delegate?.acme(shows: "present_card")
        delegate?.acme(read: Sealed())
        delegate?.acme(ended: 0)
    }

    func abort() { stopped.add(()) }
    func select(application: Int) {}
}

// README vendor
final class AcmeReader: VendorSDK, AcmeSDK.Delegate {
    let events: AsyncStream<SDKEvent>
    private let said: AsyncStream<SDKEvent>.Continuation  // whatever thread the SDK speaks on
    private let acme: AcmeSDK
    init(_ connected: AcmeSDK) {
        ((events, said), acme) = (AsyncStream.makeStream(of: SDKEvent.self), connected)
        acme.delegate = self
        said.yield(.up(VendorAbout(serial: acme.serialNumber)))
    }
    func start(_ request: VendorStart) throws {
        try acme.quickChip(amount: request.amountMinor, currency: Int(request.currencyNumeric), timeout: Int(request.timeoutS))
    }
    func cancel() { acme.abort() }
    func chooseApplication(_ index: Int) { acme.select(application: index) }
    func acmeIsRunning() { said.yield(.said(.started)) }
    func acme(shows text: String) { said.yield(.said(.prompt(text: text, cancellable: true))) }
    func acme(read card: AcmeSDK.Sealed) { said.yield(.said(.cardData(card: card.forTheAcquirer))) }
    func acme(ended result: Int) { said.yield(.said(.ended(outcome: result == 0 ? "deferred" : "failed"))) }
    func acmeDisconnected() { said.yield(.down) }
}
// README end

extension AcmeSDK.Sealed {
    fileprivate var forTheAcquirer: VendorCard {
        VendorCard(
            ciphertext: blob, format: "acme-dukpt", keyId: "bdk-1", ksnHex: ksn, maskedNumber: maskedPan,
            entry: tapped ? .contactless : .chip)
    }
}

/// The adapter that the README shows.
@Suite struct VendorExampleTests {
    @Test func theAdapterSells() async throws {
        let stall = try await Stall(seed: 61)
        let (acme, charge) = (AcmeSDK(), try await stall.till.charge(request: .sale(1250)))
        #expect(try await charge.take(with: AcmeReader(acme)) == .approved(approvedMinor: 1250))
        let payment = try await stall.till.payment(paymentId: charge.paymentId()).payment
        #expect([payment.lastFour, payment.entryMode] == ["1232", "contactless"])
        #expect(acme.stopped.all.isEmpty)
    }
}
