import Foundation
import Takings
import Testing

/// An SDK as there may be one.
final class AcmeSDK: @unchecked Sendable {
    protocol Delegate: AnyObject {
        func acmeIsRunning(reference: String)
        func acme(shows text: String)
        func acme(read card: Sealed)
        func acme(ended result: Int)
        func acmeLooksForItsReader()
        func acmeFoundItsReader()
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
    private(set) var isConnected = true
    /// What happens to the reader at each start.
    var losses: [Loss] = []
    enum Loss { case forAWhile, forGood }

    func quickChip(amount: Int64, currency: Int, timeout: Int, reference: String) throws {
        guard amount > 0, currency == 156, timeout > 0 else { throw Unexpected("bad request") }
        delegate?.acmeIsRunning(reference: reference)
        delegate?.acme(shows: "present_card")
        switch losses.popLast() {
        case .forAWhile:
            delegate?.acmeLooksForItsReader()
            delegate?.acmeFoundItsReader()
            return
        case .forGood:
            isConnected = false
            delegate?.acmeDisconnected()
            return
        case nil: break
        }
        delegate?.acme(read: Sealed())
        delegate?.acme(ended: 0)
    }

    func abort() { stopped.add(()) }
    func select(application: Int) {}
}

// README vendor
final class AcmeReader: VendorSDK, AcmeSDK.Delegate, @unchecked Sendable {
    private let acme: AcmeSDK
    private let lock = NSLock()  // whatever thread the SDK speaks on
    private var said: AsyncStream<SDKEvent>.Continuation?
    init(_ connected: AcmeSDK) {
        acme = connected
        acme.delegate = self
    }
    func events() -> AsyncStream<SDKEvent> {  // once for each charge
        AsyncStream { now in
            lock.withLock { said = now }
            if acme.isConnected { say(.up(VendorAbout(serial: acme.serialNumber))) } else { now.finish() }
        }
    }
    func start(_ request: VendorStart) throws {
        try acme.quickChip(
            amount: request.amountMinor, currency: Int(request.currencyNumeric), timeout: Int(request.timeoutS),
            reference: request.charge)
    }
    func cancel() { acme.abort() }
    func chooseApplication(_ index: Int) { acme.select(application: index) }
    private func say(_ event: SDKEvent) { lock.withLock { said }?.yield(event) }
    func acmeIsRunning(reference: String) { say(.said(.started(charge: reference))) }
    func acme(shows text: String) { say(.said(.prompt(text: text, cancellable: true))) }
    func acme(read card: AcmeSDK.Sealed) { say(.said(.cardData(card: card.forTheAcquirer))) }
    func acme(ended result: Int) { say(.said(.ended(outcome: result == 0 ? .deferred : .failed))) }
    func acmeLooksForItsReader() { say(.down) }
    func acmeFoundItsReader() { say(.up(VendorAbout(serial: acme.serialNumber))) }
    func acmeDisconnected() { lock.withLock { said }?.finish() }  // nobody looks for it: the charge need not wait
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
@Suite(.timeLimit(.minutes(1))) struct VendorExampleTests {
    @Test func theAdapterSells() async throws {
        let stall = try await Stall(seed: 61)
        let (acme, charge) = (AcmeSDK(), try await stall.till.charge(request: .sale(1250)))
        #expect(try await charge.take(with: AcmeReader(acme)) == .approved(approvedMinor: 1250))
        let payment = try await stall.till.payment(paymentId: charge.paymentId()).payment
        #expect([payment.lastFour, payment.entryMode] == ["1232", "contactless"])
        #expect(acme.stopped.all.isEmpty)
    }

    @Test func aReaderThatIsFoundAgainSells() async throws {
        let stall = try await Stall(seed: 62)
        let (acme, charge) = (AcmeSDK(), try await stall.till.charge(request: .sale(1250)))
        acme.losses = [.forAWhile, .forAWhile]
        #expect(try await charge.take(with: AcmeReader(acme)) == .approved(approvedMinor: 1250))
    }

    @Test func aReaderThatIsLostChargesNothingInThisChargeAndInTheNext() async throws {
        let stall = try await Stall(seed: 63)
        let acme = AcmeSDK()
        acme.losses = [.forGood]
        let reader = AcmeReader(acme)
        for _ in 1...2 {
            let charge = try await stall.till.charge(request: .sale(1250))
            let outcome = try await charge.take(with: reader)
            #expect(outcome == .notCharged(cause: "abandoned", detail: "cancelled"))
        }
    }
}
