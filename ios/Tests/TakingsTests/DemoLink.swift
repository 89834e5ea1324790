import Foundation
import Takings

/// A link to a simulated reader, as an app has one to a real reader. A customer comes when the reader waits for a card.
final class DemoLink: ReaderLink, @unchecked Sendable {
    let events: AsyncStream<LinkEvent>
    private let out: AsyncStream<LinkEvent>.Continuation
    private let world: DemoWorld
    private let reader: DemoReader
    private let lock = NSLock()
    /// What happens at each moment at which the reader waits for a card.
    private var visits: [Visit]
    private var stands = false
    private var quiet = 0
    /// Where the reader was when it was looked at last.
    private var stage = "idle"
    /// The reader is done with a card, or with waiting for one.
    private var hasEnded = false
    /// The session let the reader go.
    let released: AsyncStream<Void>
    private let letGo: AsyncStream<Void>.Continuation
    /// Which of the values still to be written finds the link gone.
    private var lostAtWrite: Int?
    /// The link is gone, and has not said so yet.
    private var isLost = false
    /// Who waits until the till and the reader have spoken on.
    private var listeners: [AsyncStream<Void>.Continuation] = []

    enum Visit { case card(DemoCard), lostAndBack, lostForGood, nobody(@Sendable () -> Void) }

    init(_ stall: Stall, visits: [Visit], lostAtWrite: Int? = nil) throws {
        (world, reader, self.visits, self.lostAtWrite) = (stall.world, stall.reader, visits, lostAtWrite)
        (events, out) = AsyncStream.makeStream()
        (released, letGo) = AsyncStream.makeStream()
        try up()
    }

    private func up() throws {
        (quiet, stage, hasEnded) = (0, "idle", false)
        try reader.linkUp(valueLen: 244)
        out.yield(.up(valueLength: 244))
    }

    func write(_ value: Data) async throws {
        try lock.withLock {
            quiet = 0
            if lostAtWrite == 0 {
                try reader.linkDown()
                (isLost, lostAtWrite) = (true, nil)
                throw URLError(.networkConnectionLost)
            }
            lostAtWrite = lostAtWrite.map { $0 - 1 }
            try reader.receive(value: value)
            try speak()
        }
    }

    func release() async {
        out.finish()
        letGo.finish()
    }

    /// A little time passes, for the reader too, while somebody is waited for: a card, or the reader's last words. While
    /// the two speak with each other none does, however slow this machine is.
    func pause(_ ms: UInt64) async throws {
        await Task.yield()
        try Task.checkCancellation()
        try lock.withLock {
            guard isLost else { return }
            isLost = false
            out.yield(.down)
            try up()
        }
        while let speaking = try lock.withLock({ try passes(ms) ? nil : heard() }) {
            for await _ in speaking {}
            try Task.checkCancellation()
        }
    }

    /// False if no time passes now.
    private func passes(_ ms: UInt64) throws -> Bool {
        guard hasEnded || (!stands && stage == "waiting_for_card") else { return false }
        try world.advance(ms: min(ms, 20))
        try speak()
        // Nothing else happened for a while: the customer's turn.
        quiet = stage == "waiting_for_card" ? quiet + 1 : 0
        if quiet > 5, !visits.isEmpty { try happen(visits.removeFirst()) }
        return true
    }

    /// Ends when the reader has been spoken with.
    private func heard() -> AsyncStream<Void> {
        let (stream, hold) = AsyncStream.makeStream(of: Void.self)
        listeners.append(hold)
        return stream
    }

    private func speak() throws {
        while let value = try reader.outbound() {
            quiet = 0
            out.yield(.value(value))
            try look()
        }
        try look()
        for listener in listeners { listener.finish() }
        listeners = []
    }

    private func look() throws {
        let now = try reader.stage()
        // What it waits for ends without a word of its own stage: by a button, or by time.
        hasEnded = now == "outcome_sent" || (now == "idle" && (hasEnded || stage != "idle"))
        stage = now
    }

    private func happen(_ visit: Visit) throws {
        switch visit {
        case .card(let card):
            try reader.present(card: card)
            try speak()
        case .lostAndBack:
            try reader.linkDown()
            out.yield(.down)
            try up()
        case .lostForGood:
            try reader.linkDown()
            out.yield(.down)
            out.finish()
        case .nobody(let called):
            stands = true
            called()
        }
    }
}
