import Foundation
import Takings
import Testing

@Suite struct CancelTests {
    /// What a task does that is cancelled at some moment. Each of them writes to the ledger.
    enum Command: CaseIterable {
        case charge, mark, unmark, receipt, sync, signOn, cancelUnsent

        /// A charge is handed out: let go of, it would be given up.
        func run(_ till: Till, _ unsent: [String], _ sold: String) async throws -> Charge? {
            // The call below runs to its end once it began; a task that was cancelled before does not begin.
            try Task.checkCancellation()
            switch self {
            case .charge: return try await till.charge(request: .sale(100))
            case .mark: _ = try await till.markService(paymentId: sold, given: true, operator: "a")
            case .unmark: _ = try await till.markService(paymentId: sold, given: false, operator: "b")
            case .receipt: _ = try await till.receipt(paymentId: sold, copy: .customer)
            case .sync: _ = try await till.sync(budgetMs: 60_000)
            case .signOn: _ = try await till.signOn()
            case .cancelUnsent: _ = try await till.cancel(paymentId: unsent[0], operator: nil)
            }
            return nil
        }
    }

    /// A stall that sold one thing with a line and one without.
    private func prepared(_ seed: UInt64) async throws -> (stall: Stall, unsent: [String], sold: String) {
        let stall = try await Stall(seed: seed)
        let charge = try await stall.till.charge(request: .sale(1500))
        let sold = try charge.paymentId()
        _ = try stall.reader.takeCard(charge: charge, play: CardPlay(card: DemoCard(lastFour: "4242", entry: .chip)))
        try stall.world.setLine(state: "down")
        let other = try await stall.till.charge(request: .sale(1600))
        let unsent = [try other.paymentId()]
        _ = try stall.reader.takeCard(charge: other, play: CardPlay(card: DemoCard(lastFour: "4242", entry: .chip)))
        try stall.world.setLine(state: "up")
        return (stall, unsent, sold)
    }

    @Test func aCancelledCallIsDoneWholeOrNeverBegan() async throws {
        let seed: UInt64 = 42
        print("seed \(seed)")
        var random = Seeded(seed)
        var (whole, never) = (0, 0)
        for round in 0..<100 {
            let command = Command.allCases[random.below(Command.allCases.count)]
            let world = UInt64(1000 + round % 5)
            // What the ledger is without a cancel.
            let (reference, referenceUnsent, referenceSold) = try await prepared(world)
            let before = try reference.chain
            let kept = try await command.run(reference.till, referenceUnsent, referenceSold)
            let after = try reference.chain

            let (stall, unsent, sold) = try await prepared(world)
            #expect(try stall.chain == before)
            let till = stall.till
            let started = Collected<Void>()
            let task = Task {
                started.add(())
                return try await command.run(till, unsent, sold)
            }
            // One in four is cancelled at once, the others at some moment of the call.
            let pause = random.below(4) == 0 ? 0 : UInt64(random.below(1_000_000))
            while pause > 0, started.all.isEmpty { await Task.yield() }
            spin(nanoseconds: pause)
            task.cancel()
            let result = await task.result
            let found = try stall.chain
            if case .failure(let error) = result, error is CancellationError {
                never += 1
                #expect(found == before, "round \(round) of seed \(seed), \(command): nothing began, and the ledger changed")
            } else {
                whole += 1
                #expect(found == after, "round \(round) of seed \(seed), \(command) after \(pause) ns: half done")
            }
            #expect(try await till.verify().sound)
            try await till.shutdown()
            try await reference.till.shutdown()
            withExtendedLifetime((kept, result)) {}
        }
        print("cancelled at 100 moments: \(whole) done whole, \(never) never began")
        #expect(whole + never == 100)
        #expect(whole > 50 && never > 0)
    }

    /// Passes time without giving the thread away: a moment in the middle of a call, not after it.
    private func spin(nanoseconds: UInt64) {
        let end = DispatchTime.now().uptimeNanoseconds + nanoseconds
        while DispatchTime.now().uptimeNanoseconds < end {}
    }
}
