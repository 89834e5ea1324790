import Foundation
import Takings
import Testing

@Suite struct ReaderTests {
    let card = DemoCard(lastFour: "4242", entry: .chip)

    @Test func aCardIsTakenOverALink() async throws {
        let stall = try await Stall(seed: 3)
        let charge = try await stall.till.charge(request: .sale(1234, order: "L-1"))
        let seen = Collected<String>()
        let link = try DemoLink(stall, visits: [.card(card)])
        let outcome = try await charge.take(
            over: link,
            prompts: { prompt in
                #expect(!Thread.isMainThread)
                seen.add(prompt.id)
            }, pause: link.pause)
        #expect(outcome == .approved(approvedMinor: 1234))
        #expect(!seen.all.isEmpty)
        let payment = try await stall.till.payment(paymentId: charge.paymentId()).payment
        #expect((payment.stage, payment.lastFour) == ("approved", "4242"))
    }

    @Test func withoutALineTheCardIsSaved() async throws {
        let stall = try await Stall(seed: 4)
        try stall.world.setLine(state: "down")
        let charge = try await stall.till.charge(request: .sale(500))
        let link = try DemoLink(stall, visits: [.card(card)])
        #expect(try await charge.take(over: link, pause: link.pause) == .saved)
        #expect(try await stall.till.status().unsentCount == 1)
    }

    @Test func aLinkLostBeforeTheCardComesBack() async throws {
        let stall = try await Stall(seed: 5)
        let charge = try await stall.till.charge(request: .sale(700))
        let link = try DemoLink(stall, visits: [.lostAndBack, .card(card)])
        #expect(try await charge.take(over: link, pause: link.pause) == .approved(approvedMinor: 700))
    }

    @Test(arguments: [0, 3, 12]) func aLinkLostWhileAValueIsWrittenComesBack(at: Int) async throws {
        let stall = try await Stall(seed: 55)
        let charge = try await stall.till.charge(request: .sale(700))
        let link = try DemoLink(stall, visits: [.card(card)], lostAtWrite: at)
        #expect(try await charge.take(over: link, pause: link.pause) == .approved(approvedMinor: 700))
    }

    @Test func aLinkLostForGoodChargesNothing() async throws {
        let stall = try await Stall(seed: 6)
        let charge = try await stall.till.charge(request: .sale(700))
        let link = try DemoLink(stall, visits: [.lostForGood])
        let outcome = try await charge.take(over: link, pause: link.pause)
        guard case .notCharged = outcome else { throw Unexpected("\(outcome)") }
    }

    @Test func theCustomerChoosesAnApplication() async throws {
        let stall = try await Stall(seed: 7)
        let charge = try await stall.till.charge(request: .sale(900))
        let two = DemoCard(
            lastFour: "4242", entry: .chip, behaviour: "choose_application", applications: ["DEBIT", "CREDIT"])
        let link = try DemoLink(stall, visits: [.card(two)])
        let offered = Collected<[String]>()
        let outcome = try await charge.take(
            over: link,
            choose: { choices in
                offered.add(choices)
                return 1
            }, pause: link.pause)
        #expect(outcome == .approved(approvedMinor: 900))
        #expect(offered.all == [["DEBIT", "CREDIT"]])
    }

    @Test func cancellingTheTaskAsksTheReaderToStop() async throws {
        let stall = try await Stall(seed: 8)
        let charge = try await stall.till.charge(request: .sale(900))
        let (waiting, waits) = AsyncStream.makeStream(of: Void.self)
        let link = try DemoLink(stall, visits: [.nobody { waits.yield() }])
        let taking = Task { try await charge.take(over: link, pause: link.pause) }
        for await _ in waiting { break }
        taking.cancel()
        let outcome = try await taking.value
        guard case .notCharged = outcome else { throw Unexpected("\(outcome)") }
        let stage = try await stall.till.payment(paymentId: charge.paymentId()).payment.stage
        #expect(stage == "not_charged")
        // And the reader is free.
        for await _ in link.released {}
    }

    /// The merchant pressed Cancel too late, and that could not be written to it.
    @Test func aReaderThatIsGivenUpAfterTheCardDoesNotWaitForTheAcquirer() async throws {
        let stall = try await Stall(seed: 9)
        let charge = Unanswered(try await stall.till.charge(request: .sale(800)))
        let link = try DemoLink(stall, visits: [.card(card)])
        let taking = Task { try await charge.take(over: link, pause: link.pause) }
        for await _ in link.released {}
        charge.answer.finish()
        #expect(try await taking.value == .approved(approvedMinor: 800))
        try await stall.till.shutdown()
    }

    /// A charge whose outcome nobody hears of until `answer` ends, and that is cancelled in vain after its card.
    private final class Unanswered: Charge, @unchecked Sendable {
        let answer: AsyncStream<Void>.Continuation
        private let answered: AsyncStream<Void>
        private let charge: Charge
        private let lock = NSLock()
        private var hasCard = false
        private var isCancelled = false

        init(_ charge: Charge) {
            self.charge = charge
            (answered, answer) = AsyncStream.makeStream(of: Void.self)
            super.init(noHandle: .init())
        }

        @available(*, unavailable)
        required init(unsafeFromHandle handle: UInt64) { fatalError("made of another charge") }

        private func untold(_ step: Step) -> Step {
            lock.withLock { hasCard = hasCard || step.saved != nil }
            return Step(
                writes: step.writes, prompt: step.prompt, waitMs: step.waitMs, saved: nil, disconnect: step.disconnect)
        }

        override func linkUp(valueLen: UInt32, generation: UInt32) throws -> Step {
            untold(try charge.linkUp(valueLen: valueLen, generation: generation))
        }
        override func bytes(generation: UInt32, value: Data) throws -> Step {
            let tooLate = lock.withLock {
                defer { isCancelled = hasCard }
                return hasCard && !isCancelled
            }
            if tooLate {
                #expect(try !charge.cancel().writes.isEmpty)
                _ = try charge.writeFailed(generation: generation)
            }
            return untold(try charge.bytes(generation: generation, value: value))
        }
        override func writeDone(generation: UInt32) throws -> Step {
            untold(try charge.writeDone(generation: generation))
        }
        override func linkDown(generation: UInt32) throws -> Step {
            untold(try charge.linkDown(generation: generation))
        }
        override func tick() throws -> Step { untold(try charge.tick()) }
        override func cancel() throws -> Step { throw Unexpected("nobody pressed anything") }
        override func outcome() async throws -> ChargeOutcome {
            for await _ in answered {}
            return try await charge.outcome()
        }
    }
}
