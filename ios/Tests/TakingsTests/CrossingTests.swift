import Foundation
import Takings
import Testing

/// What a charge costs at the border, counted: times belong to the machine, calls do not.
@Suite struct CrossingTests {
    /// A charge with every call of it counted.
    private final class Counted: Charge, @unchecked Sendable {
        private let charge: Charge
        private let lock = NSLock()
        private var counts: [String: Int] = [:]
        var calls: [String: Int] { lock.withLock { counts } }

        init(_ charge: Charge) {
            self.charge = charge
            super.init(noHandle: .init())
        }

        @available(*, unavailable)
        required init(unsafeFromHandle handle: UInt64) { fatalError("made of another charge") }

        private func count(_ name: String) { lock.withLock { counts[name, default: 0] += 1 } }

        override func linkUp(valueLen: UInt32, generation: UInt32) throws -> Step {
            count("linkUp")
            return try charge.linkUp(valueLen: valueLen, generation: generation)
        }

        override func bytes(generation: UInt32, value: Data) throws -> Step {
            count("bytes")
            return try charge.bytes(generation: generation, value: value)
        }

        override func writeDone(generation: UInt32) throws -> Step {
            count("writeDone")
            return try charge.writeDone(generation: generation)
        }

        override func writeFailed(generation: UInt32) throws -> Step {
            count("writeFailed")
            return try charge.writeFailed(generation: generation)
        }

        override func linkDown(generation: UInt32) throws -> Step {
            count("linkDown")
            return try charge.linkDown(generation: generation)
        }

        override func tick() throws -> Step {
            count("tick")
            return try charge.tick()
        }

        override func cancel() throws -> Step {
            count("cancel")
            return try charge.cancel()
        }

        override func outcome() async throws -> ChargeOutcome {
            count("outcome")
            return try await charge.outcome()
        }
    }

    @Test func aCardSaleCrossesOnceForEachValueAndAFewTimesMore() async throws {
        let stall = try await Stall(seed: 17)
        let charge = Counted(try await stall.till.charge(request: .sale(1000, order: "X-1")))
        let link = try DemoLink(stall, visits: [.card(DemoCard(lastFour: "4242", entry: .chip))])
        #expect(try await charge.take(over: link, pause: link.pause) == .approved(approvedMinor: 1000))
        var calls = charge.calls
        print("crossings of a card sale from Swift: \(calls.values.reduce(0, +)), \(calls)")
        // Timers, those of the wait for the customer among them; and the session ends after its last words, not here.
        calls["tick"] = nil
        #expect((calls.removeValue(forKey: "linkDown") ?? 1) == 1)
        let values = (calls.removeValue(forKey: "bytes") ?? 0) + (calls.removeValue(forKey: "writeDone") ?? 0)
        #expect(calls == ["linkUp": 1, "outcome": 1])
        #expect((1...44).contains(values))
        try await stall.till.shutdown()
    }
}
