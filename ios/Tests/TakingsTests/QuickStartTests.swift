import Foundation
import Takings
import Testing

/// What the READMEs show, compiled and run.
@Suite struct QuickStartTests {
    @Test func theDemonstrationRuns() async throws {
        let dir = try Stall.freshDirectory()
        defer { try? FileManager.default.removeItem(atPath: dir) }
        // README demo
        let world = try DemoWorld(seed: 17, startMs: 1_795_226_400_000)
        let till = try await world.openTill(dir: dir, language: .en)
        _ = try await till.activate(activationCode: try world.activationCode())
        let sale = ChargeRequest(amountMinor: 2580, currency: "CNY", orderReference: "A-17", mode: .preferOnline)
        let charge = try await till.charge(request: sale)
        let card = CardPlay(card: DemoCard(lastFour: "4242", entry: .chip))
        print(try world.newReader().takeCard(charge: charge, play: card).outcome ?? .notConfirmed)
        for try await payment in till.everyPayment() {
            print(payment.orderReference ?? "-", payment.amountMinor, payment.stage, payment.expectedDate ?? "no day yet")
        }
        // README end
        #expect(try await till.payments(query: PaymentQuery(orderReference: "A-17")).payments.count == 1)
        try await till.shutdown()
    }

    /// Compiled, not run: it needs a phone.
    private func onAPhone(
        dir: String, secureEnclaveKey: any DeviceKey, keychain: any KeyVault, code: String, link: some ReaderLink,
        show: @escaping @Sendable (PromptView) -> Void, letTheCustomerGo: () -> Void, notify: (AlertView) async throws -> Void
    ) async throws {
        // README app
        let config = TillConfig(dir: dir, acquirerUrl: "https://acquirer.example", appVersion: "1.0", language: .zh)
        let till = try await Till.open(config: config, deviceKey: secureEnclaveKey, keyVault: keychain, logSink: nil)
        _ = try await till.activate(activationCode: code)  // once, with the code from the acquirer

        let sale = ChargeRequest(amountMinor: 2580, currency: "CNY", orderReference: "A-17", mode: .preferOnline)
        let charge = try await till.charge(request: sale)
        switch try await charge.take(over: link, prompts: show) {
        case .saved, .approved: letTheCustomerGo()
        case .notCharged(let cause, _): print(try textOf(kind: .cause, word: cause, language: .zh))
        case .notConfirmed: print("wait: do not hand over, do not charge again")
        }

        for try await alert in till.alerts() { try await notify(alert) }
        // README end
    }

    @Test func theReadmesShowThis() throws {
        let examples = try examples()
        #expect(Set(examples.keys) == ["demo", "app", "vendor"])
        let ios = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        for readme in ["README.md", "../README.md"] {
            let text = try String(contentsOf: ios.appendingPathComponent(readme), encoding: .utf8)
            for block in text.components(separatedBy: "```swift\n").dropFirst() {
                let shown = block.components(separatedBy: "```")[0]
                #expect(examples.values.contains(shown), "\(readme) shows what is not tested")
            }
        }
    }

    /// The marked pieces of these files, as a README shows them.
    private func examples() throws -> [String: String] {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        var (found, name, indent): ([String: String], String?, Int) = ([:], nil, 0)
        for file in ["QuickStartTests.swift", "VendorExampleTests.swift"] {
            let source = try String(contentsOf: folder.appendingPathComponent(file), encoding: .utf8)
            for line in source.components(separatedBy: "\n") {
                let marker = "// README "
                if line.trimmingCharacters(in: .whitespaces).hasPrefix(marker) {
                    let mark = line.components(separatedBy: marker)
                    (name, indent) = (mark[1] == "end" ? nil : mark[1], mark[0].count)
                    if let name { found[name] = "import Takings\n\n" }
                } else if let name {
                    found[name]! += line.dropFirst(indent) + "\n"
                }
            }
        }
        return found
    }
}
