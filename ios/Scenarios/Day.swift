import Foundation
import Takings

/// One day while it is played.
final class Day {
    private static let whileClosed: Set = ["open_app", "admin", "line", "wait", "set_clock", "restart_phone"]

    let file: JSON
    let directory: String
    let world: DemoWorld
    let reader: DemoReader
    var till: Till?
    var charges: [Charge] = []
    var names: Names = [:]
    var told: [Int: JSON] = [:]
    var acknowledged = 0

    init(_ file: JSON, directory: String) throws {
        (self.file, self.directory) = (file, directory)
        world = try DemoWorld(seed: UInt64(file["seed"]?.int ?? 0), startMs: Int64(file["start_ms"]?.int ?? 0))
        reader = try world.newReader()
    }

    /// Plays it; what is seen at the end, with the steps' answers.
    func play(always: JSON) async throws -> [String: JSON] {
        try await openApp()
        var answers: [JSON] = []
        for (index, step) in (file["steps"]?.elements ?? []).enumerated() {
            let word = step["do"]?.text ?? ""
            answers.append(try await answer(to: Step(word: word, fields: step), "step \(index + 1) (\(word))"))
        }
        _ = try await alerts()
        var seen = try await self.seen()
        seen["ledger"] = try await ledger()
        try match(always, .object(seen), "always", names)
        try match(file["end"] ?? .null, .object(seen), "end", names)
        try await openTill.shutdown()
        seen["answers"] = .list(answers)
        return seen
    }

    private func answer(to step: Step, _ place: String) async throws -> JSON {
        if till == nil, !Self.whileClosed.contains(step.word) { throw NoDay("\(place): the app is not open") }
        let answer: JSON
        do {
            answer = try await play(step)
        } catch let error as TakingsError {
            let answer = plain(error)
            guard let fails = step["fails"] else { throw Wrong("\(place): failed: \(answer.canonical)") }
            try match(fails, answer, "\(place) fails", names)
            return .object(["error": answer])
        } catch let error as Wrong {
            throw Wrong("\(place): \(error.what)")
        } catch let error as NoDay {
            throw NoDay("\(place): \(error.what)")
        }
        if step["fails"] != nil { throw Wrong("\(place): expected to fail, gave \(short(answer))") }
        if let gives = step["gives"] { try match(gives, answer, "\(place) gives", names) }
        return answer
    }

    /// What is seen now, from the till's face and from the acquirer's book.
    func seen() async throws -> [String: JSON] {
        let status = withoutClocks(plain(try await openTill.status()))
        return [
            "status": status, "alerts": toldInOrder, "book": try book(),
            "payments": .object(
                Dictionary(try await payments(PaymentQuery()).map { (called($0.paymentId), plain($0)) }) { $1 }),
            "payouts": .list(try await payouts()),
            "takings": plain(try await openTill.takings(fromDay: "2020-01-01", toDay: "2039-12-31")),
        ]
    }

    var toldInOrder: JSON { .list(told.sorted { $0.key < $1.key }.map(\.value)) }

    var openTill: Till {
        get throws {
            guard let till else { throw NoDay("the app is not open") }
            return till
        }
    }

    /// The name of the payment, or its id without one.
    private func called(_ paymentId: String) -> String {
        names.first { $0.value == paymentId }?.key ?? paymentId
    }

    func payments(_ query: PaymentQuery) async throws -> [PaymentView] {
        var found: [PaymentView] = []
        for try await payment in try openTill.everyPayment(query) { found.append(payment) }
        return found
    }

    private func payouts() async throws -> [JSON] {
        var found: [JSON] = []
        var after: String?
        repeat {
            let page = try await openTill.payouts(query: PayoutQuery(after: after))
            for payout in page.payouts {
                let detail = try await openTill.payout(payoutId: payout.payoutId)
                var members = plain(detail.payout).object ?? [:]
                members["entries"] = plain(detail.entries)
                found.append(.object(members))
            }
            after = page.next
        } while after != nil
        return found.reversed()
    }

    private func book() throws -> JSON {
        let book = try JSON(parsing: try world.admin(method: "GET", path: "/admin/ledger", bodyJson: ""))
        var members: [String: JSON] = [:]
        for name in ["authorizations", "bank", "captures", "payouts", "requests", "reversals", "totals"] {
            members[name] = book[name]
        }
        let payments = (book["payments"]?.elements ?? []).map { (called($0["payment_id"]?.text ?? ""), $0) }
        members["payments"] = .object(Dictionary(payments) { $1 })
        return .object(members)
    }

    private func ledger() async throws -> JSON {
        var members = plain(try await openTill.verify()).object ?? [:]
        members["chain_hash"] = .text(try world.chainHash(dir: directory))
        return .object(members)
    }
}

/// A status without what clocks say: how long ago depends on how time was passed, not on what happened.
private func withoutClocks(_ status: JSON) -> JSON {
    guard var members = status.object else { return status }
    for clock in ["now_ms", "trusted_ms", "oldest_unsent_age_ms"] { members[clock] = nil }
    members["offline_risk"] = without("oldest_age_ms", members["offline_risk"])
    members["trouble"] = without("at_ms", members["trouble"])
    return .object(members)
}

private func without(_ name: String, _ value: JSON?) -> JSON {
    switch value {
    case .object(var members)?:
        members[name] = nil
        return .object(members)
    case .list(let elements)?: return .list(elements.map { without(name, $0) })
    default: return value ?? .null
    }
}
