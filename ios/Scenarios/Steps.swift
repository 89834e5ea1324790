import Takings

/// One step of a day.
struct Step {
    let word: String
    let fields: JSON

    subscript(name: String) -> JSON? { fields[name] }

    func text(_ name: String) -> String? { fields[name]?.text }

    func need(_ name: String) throws -> String {
        guard let text = text(name) else { throw NoDay("\(name) is missing") }
        return text
    }

    /// The days, hours, minutes and seconds of it in milliseconds.
    var ms: Int {
        [("days", 86_400_000), ("hours", 3_600_000), ("minutes", 60_000), ("seconds", 1_000)]
            .reduce(0) { $0 + (fields[$1.0]?.int ?? 0) * $1.1 }
    }
}

extension Day {
    func play(_ step: Step) async throws -> JSON {
        switch step.word {
        case "activate": return plain(try await openTill.activate(activationCode: try world.activationCode()))
        case "sign_on": return plain(try await openTill.signOn())
        case "charge": return try await charge(step)
        case "cancel":
            return plain(try await openTill.cancel(paymentId: try paymentId(step), operator: step.text("operator")))
        case "mark_service":
            return plain(
                try await openTill.markService(
                    paymentId: try paymentId(step), given: step["given"]?.bool ?? false, operator: step.text("operator")))
        case "sync": return plain(try await openTill.sync(budgetMs: UInt64(step["budget_ms"]?.int ?? 600_000)))
        case "alerts": return try await alerts()
        case "acknowledge":
            if let last = told.keys.max() {
                acknowledged = last
                try await openTill.acknowledge(upto: UInt64(last))
            }
        case "receipt":
            let copy: ReceiptCopy = step.text("copy") == "merchant" ? .merchant : .customer
            return plain(try await openTill.receipt(paymentId: try paymentId(step), copy: copy))
        case "history": return plain(try await openTill.payment(paymentId: try paymentId(step)))
        case "find": return .list(try await payments(query(step)).map { plain($0) })
        case "background": try await openTill.goingToBackground()
        case "open_app": try await openApp()
        case "kill_app": try await killApp()
        case "expect": try match(step["that"] ?? .null, .object(try await seen()), "that", names)
        default: return try await playWorld(step)
        }
        return .null
    }

    private func playWorld(_ step: Step) async throws -> JSON {
        switch step.word {
        case "reader":
            try reader.setHealth(
                batteryPercent: step["battery_percent"]?.int.map(UInt32.init), tampered: step["tampered"]?.bool,
                usable: step["usable"]?.bool)
        case "line": try world.setLine(state: try step.need("state"))
        case "admin":
            let parts = try step.need("path").split(separator: "/", omittingEmptySubsequences: false)
                .map { try resolve(.text(String($0)), names, "path").text ?? "" }
            let body = try step["body"].map { try resolve($0, names, "body").canonical } ?? ""
            let answer = try world.admin(
                method: try step.need("method"), path: parts.joined(separator: "/"), bodyJson: body)
            return try JSON(parsing: answer)
        case "wait":
            guard step.ms >= 0 else { throw NoDay("time only passes forward") }
            try world.advance(ms: UInt64(step.ms))
            try await till?.tick()
        case "set_clock": try world.setPhoneClock(byMs: Int64(step.ms))
        case "restart_phone":
            if till != nil { try await killApp() }
            try world.restartPhone()
        default: throw NoDay("no step is called \(step.word)")
        }
        return .null
    }

    func openApp() async throws {
        guard till == nil else { throw NoDay("the app is open") }
        till = try await world.openTill(dir: directory, language: file["language"]?.text == "zh" ? .zh : .en)
    }

    private func killApp() async throws {
        // The charges are let go of only when the till is gone: before, that would give them up.
        try await openTill.shutdown()
        till = nil
        charges.removeAll()
        // The link dies with the app, and the customer does not wait.
        try reader.linkDown()
        try reader.takeCardAway()
    }

    private func charge(_ step: Step) async throws -> JSON {
        let name = step.text("as") ?? step.text("order")
        if let name, names[name] != nil { throw NoDay("a payment is called \(name) already") }
        let mode: ChargeMode =
            switch step.text("mode") {
            case "require_online": .requireOnline
            case "offline": .offline
            default: .preferOnline
            }
        let request = ChargeRequest(
            amountMinor: Int64(step["amount_minor"]?.int ?? 0), currency: step.text("currency") ?? "CNY",
            orderReference: step.text("order"), mode: mode, chargeAgain: step["again"]?.bool ?? false,
            operator: step.text("operator"))
        let charge = try await openTill.charge(request: request)
        charges.append(charge)
        let paymentId = try charge.paymentId()
        if let name { names[name] = paymentId }
        let play = CardPlay(
            card: try step["card"].map(card), nextCards: try (step["next_cards"]?.elements ?? []).map(card),
            choose: UInt32(step["choose"]?.int ?? 0), loseLinkAt: step.text("lose_link_at"),
            reconnect: step["reconnect"]?.bool ?? false, cancelAt: step.text("cancel_at"),
            stopAt: step.text("stop_at"))
        return plain(try reader.takeCard(charge: charge, play: play), of: paymentId)
    }

    private func card(_ asked: JSON) throws -> DemoCard {
        let entry: CardEntry =
            switch asked["entry"]?.text {
            case "contactless": .contactless
            case "stripe": .stripe
            case "fallback": .fallback
            default: .chip
            }
        return DemoCard(
            leading: asked["leading"]?.text ?? "6222", lastFour: asked["last_four"]?.text ?? "",
            numberLen: UInt32(asked["number_len"]?.int ?? 16), entry: entry,
            behaviour: asked["behaviour"]?.text ?? "normal", code: asked["code"]?.text,
            applications: asked["applications"]?.elements?.compactMap(\.text) ?? [], signs: asked["signs"]?.bool ?? false)
    }

    /// What waits to be told. Nothing acknowledged is told again, and nothing reads differently than before.
    func alerts() async throws -> JSON {
        let waiting = try await openTill.nextAlerts(max: 200)
        for view in waiting {
            let (number, alert) = (Int(view.alert), plain(view))
            if number <= acknowledged { throw Wrong("told again although acknowledged: \(alert.canonical)") }
            if let before = told[number], before.canonical != alert.canonical {
                throw Wrong("told differently: \(alert.canonical)")
            }
            told[number] = alert
        }
        return plain(waiting)
    }

    private func paymentId(_ step: Step) throws -> String {
        let payment = try step.need("payment")
        return names[payment] ?? payment
    }

    private func query(_ step: Step) -> PaymentQuery {
        PaymentQuery(
            stage: step.text("stage"), fromDay: step.text("from_day"), toDay: step.text("to_day"),
            amountMinor: step["amount_minor"]?.int.map(Int64.init), lastFour: step.text("last_four"),
            orderReference: step.text("order_reference"), text: step.text("text"))
    }
}
