import Foundation
import Takings
import Testing

/// Another maker's reader: it throws, stalls, repeats, calls back, speaks too late, goes away.
@Suite(.timeLimit(.minutes(1))) struct VendorTests {
    private let sells: FakeSDK.Script = { $0.say($0.started, .prompt(text: "insert_card", cancellable: true), .sealed(), .done) }

    private func notCharged(_ detail: String) -> ChargeOutcome { .notCharged(cause: "abandoned", detail: detail) }

    /// How it ended, on the phone and in the acquirer's own book.
    @discardableResult
    private func judge(
        _ stall: Stall, _ charge: Charge, _ outcome: ChargeOutcome, is expected: ChargeOutcome, asked: Int
    ) async throws -> PaymentView {
        #expect(outcome == expected)
        #expect(try await stall.till.verify().sound)
        let id = try charge.paymentId()
        let answer = try stall.world.admin(method: "GET", path: "/admin/ledger", bodyJson: "")
        let book = try JSONSerialization.jsonObject(with: Data(answer.utf8)) as? [String: Any]
        let authorizations = try #require(book?["authorizations"] as? [[String: Any]])
        #expect(authorizations.filter { $0["payment_id"] as? String == id }.count == asked)
        return try await stall.till.payment(paymentId: id).payment
    }

    @discardableResult
    private func sell(
        _ stall: Stall, _ sdk: FakeSDK, _ amountMinor: Int64 = 1250, is expected: ChargeOutcome, asked: Int
    ) async throws -> PaymentView {
        let charge = try await stall.till.charge(request: .sale(amountMinor))
        return try await judge(stall, charge, try await charge.take(with: sdk), is: expected, asked: asked)
    }

    @Test func itSellsLiveAndOfflineAndSaysEverythingInsideStart() async throws {
        let stall = try await Stall(seed: 41)
        let prompts = Collected<String>()
        let charge = try await stall.till.charge(request: .sale(1250))
        let sdk = FakeSDK(onStart: sells)
        let live = try await charge.take(
            with: sdk,
            prompts: {
                #expect(!Thread.isMainThread)
                prompts.add($0.id)
            })
        let payment = try await judge(stall, charge, live, is: .approved(approvedMinor: 1250), asked: 1)
        #expect([payment.lastFour, payment.scheme, payment.entryMode] == ["1232", "unionpay", "chip"])
        #expect(prompts.all == ["insert_card"])
        #expect(sdk.asked.all.map(\.amountMinor) == [1250])
        #expect(sdk.asked.all.map(\.currencyNumeric) == [156])

        try stall.world.setLine(state: "down")
        let other = try await stall.till.charge(request: .sale(700))
        let offline = try await other.take(with: FakeSDK(onStart: sells))
        try await judge(stall, other, offline, is: .saved, asked: 0)
        try stall.world.setLine(state: "up")
        #expect(try await stall.till.sync(budgetMs: 60_000).approved == 1)
        try await judge(stall, other, offline, is: .saved, asked: 1)
        #expect(sdk.commands == ["start"])
    }

    @Test func aStartThatThrowsChargesNothingWhateverItSaysAfterwards() async throws {
        let stall = try await Stall(seed: 42)
        // It ran after all: what it says is too late.
        let late: FakeSDK.Script = { $0.say($0.started, .sealed(), .done) }
        let sdk = FakeSDK(
            onStart: {
                try late($0)
                throw Unexpected("not connected")
            }, onCancel: late)
        try await sell(stall, sdk, is: notCharged("reader_fault"), asked: 0)
        #expect(sdk.commands == ["start", "cancel"])
        // It says the same when the next charge's reader is there: that is passed over.
        let next = FakeSDK(stale: sdk.started, .sealed("0048"), .done, onStart: sells)
        let payment = try await sell(stall, next, is: .approved(approvedMinor: 1250), asked: 1)
        #expect(payment.lastFour == "1232")
    }

    @Test func aStartThatBlocksForFiveSecondsIsWaitedForAndNothingElseStalls() async throws {
        let stall = try await Stall(seed: 43)
        let begun = ContinuousClock.now
        let (running, runs) = AsyncStream.makeStream(of: Void.self)
        let slow = FakeSDK(onStart: { sdk in
            runs.yield()
            Thread.sleep(forTimeInterval: 5)
            sdk.say(sdk.started, .sealed(), .done)
        })
        let charge = try await stall.till.charge(request: .sale(800))
        let waited = Task { try await charge.take(with: slow) }
        for await _ in running { break }
        // Another customer at another reader meanwhile.
        try await sell(stall, FakeSDK(onStart: sells), 500, is: .approved(approvedMinor: 500), asked: 1)
        #expect(ContinuousClock.now - begun < .seconds(4))
        try await judge(stall, charge, try await waited.value, is: .approved(approvedMinor: 800), asked: 1)
        #expect(slow.commands == ["start"])
    }

    @Test func anSDKThatDoesNotSayThatItRunsThePaymentChargesNothing() async throws {
        let stall = try await Stall(seed: 54)
        let charge = try await stall.till.charge(request: .sale(800))
        let silent = FakeSDK(onStart: { _ in })
        let world = stall.world
        let outcome = try await charge.take(with: silent, pause: { try world.advance(ms: $0) })
        try await judge(stall, charge, outcome, is: notCharged("reader_no_answer"), asked: 0)
        #expect(silent.commands == ["start", "cancel"])
    }

    @Test func aCallBackInsideStartIsAnErrorAndTheChargeGoesOn() async throws {
        let stall = try await Stall(seed: 44)
        let charge = try await stall.till.charge(request: .sale(1250))
        let refused = Collected<String>()
        let sdk = FakeSDK(onStart: { sdk in
            let calls: [() throws -> Void] = [
                { _ = try charge.tick() }, { _ = try charge.vendorEvent(generation: 1, event: .sealed()) },
            ]
            for call in calls {
                do {
                    try call()
                    refused.add("answered")
                } catch let error as TakingsError { refused.add(error.code) }
            }
            // An SDK's own thread is nobody's business, also while its start has not returned.
            let spoken = DispatchSemaphore(value: 0)
            Thread.detachNewThread {
                sdk.say(sdk.started, .sealed(), .done)
                spoken.signal()
            }
            spoken.wait()
        })
        let outcome = try await charge.take(with: sdk)
        #expect(refused.all == ["called_back", "called_back"])
        try await judge(stall, charge, outcome, is: .approved(approvedMinor: 1250), asked: 1)
    }

    @Test func cardDataThatComesTwiceIsChargedOnce() async throws {
        let stall = try await Stall(seed: 45)
        let sdk = FakeSDK(onStart: {
            $0.say(
                $0.started, $0.started, .sealed(), .sealed("0048"), .done, .done, .ended(outcome: .declined), .sealed())
        })
        let payment = try await sell(stall, sdk, is: .approved(approvedMinor: 1250), asked: 1)
        #expect(payment.lastFour == "1232")
    }

    @Test(arguments: [Data(";4111111111111111=26122010000012300000?".utf8), Data(), Data(count: 16_385)])
    func cardDataThatIsMoreThanCiphertextChargesNothing(ciphertext: Data) async throws {
        let stall = try await Stall(seed: 46)
        let sdk = FakeSDK(onStart: { $0.say($0.started, .sealed(ciphertext: ciphertext), .done) })
        try await sell(stall, sdk, is: notCharged("reader_fault"), asked: 0)
        #expect(sdk.commands == ["start", "cancel"])
    }

    @Test(arguments: [false, true])
    func aReaderThatDiesAfterTheCardLeavesThePaymentOnItsCourse(comesBack: Bool) async throws {
        let stall = try await Stall(seed: 47)
        let sdk = FakeSDK(onStart: { sdk in
            sdk.say(sdk.started, .sealed())
            sdk.down()
            if comesBack { sdk.up() } else { sdk.end() }
        })
        try await sell(stall, sdk, is: .approved(approvedMinor: 1250), asked: 1)
        #expect(sdk.commands == ["start"])
    }

    @Test func aReaderThatDiesBeforeTheCardComesBack() async throws {
        let stall = try await Stall(seed: 48)
        let dies: FakeSDK.Script = { sdk in
            sdk.say(sdk.started)
            sdk.down()
            sdk.up()
        }
        let sdk = FakeSDK(onStart: dies, sells)
        try await sell(stall, sdk, is: .approved(approvedMinor: 1250), asked: 1)
        #expect(sdk.commands == ["start", "start"])
    }

    @Test func aReaderThatIsGoneForGoodChargesNothing() async throws {
        let stall = try await Stall(seed: 49)
        // With or without a word of its going.
        for script: FakeSDK.Script in [{ $0.end() }, { $0.down(); $0.end() }] {
            try await sell(stall, FakeSDK(onStart: script), is: notCharged("cancelled"), asked: 0)
        }
    }

    @Test(arguments: [false, true])
    func aReaderThatIsWaitedForInVainChargesNothing(wasThere: Bool) async throws {
        let stall = try await Stall(seed: 55)
        let charge = try await stall.till.charge(request: .sale(900))
        let sdk = FakeSDK(isThere: wasThere, onStart: { $0.down() })
        let outcome = try await charge.take(with: sdk, readerWithin: .milliseconds(50))
        try await judge(stall, charge, outcome, is: notCharged("cancelled"), asked: 0)
        #expect(sdk.commands == (wasThere ? ["start"] : []))
    }

    @Test func aReaderThatIsWaitedForInVainAfterTheCardLeavesThePaymentOnItsCourse() async throws {
        let stall = try await Stall(seed: 56)
        let charge = try await stall.till.charge(request: .sale(900))
        let sdk = FakeSDK(onStart: { sdk in
            sdk.say(sdk.started, .sealed())
            sdk.down()
        })
        let outcome = try await Undecided(charge).take(with: sdk, readerWithin: .milliseconds(50))
        try await judge(stall, charge, outcome, is: .approved(approvedMinor: 900), asked: 1)
    }

    @Test func allChargesOfAnSDKTellItOnOneThread() async throws {
        let stall = try await Stall(seed: 57)
        let threads = Collected<String>()
        let sdk = FakeSDK(onStart: { sdk in
            threads.add("\(pthread_self())")
            sdk.say(sdk.started, .sealed(), .done)
        })
        // None is let go of meanwhile: its thread would be free for the next.
        var charges: [Charge] = []
        for _ in 1...3 {
            charges.append(try await stall.till.charge(request: .sale(900)))
            #expect(try await charges[charges.count - 1].take(with: sdk) == .approved(approvedMinor: 900))
        }
        #expect(threads.all.count == 3 && Set(threads.all).count == 1)
    }

    /// A charge whose calls fail once it is decided.
    private final class Fragile: Charge, @unchecked Sendable {
        private let charge: Charge
        private let isDecided = Collected<Void>()
        private let fault = TakingsError.Storage(code: "disk_full", detail: "planted")
        let failed = Collected<Void>()

        init(_ charge: Charge) {
            self.charge = charge
            super.init(noHandle: .init())
        }

        @available(*, unavailable)
        required init(unsafeFromHandle handle: UInt64) { fatalError("made of another charge") }

        private func step(_ call: () throws -> Step) throws -> Step {
            guard isDecided.all.isEmpty else {
                failed.add(())
                throw fault
            }
            let step = try call()
            if step.saved != nil { isDecided.add(()) }
            return step
        }

        override func vendorUp(lane: VendorLane, about: VendorAbout, generation: UInt32) throws -> Step {
            try charge.vendorUp(lane: lane, about: about, generation: generation)
        }

        override func vendorEvent(generation: UInt32, event: VendorEvent) throws -> Step {
            try step { try charge.vendorEvent(generation: generation, event: event) }
        }

        override func linkDown(generation: UInt32) throws -> Step {
            try step { try charge.linkDown(generation: generation) }
        }

        override func tick() throws -> Step { try step { try charge.tick() } }

        override func cancel() throws -> Step { try step { try charge.cancel() } }

        override func outcome() async throws -> ChargeOutcome {
            while isDecided.all.isEmpty { await Task.yield() }
            throw fault
        }
    }

    @Test func aCallThatFailsAfterTheDecisionTakesNoOutcomeAway() async throws {
        let stall = try await Stall(seed: 58)
        try stall.world.setLine(state: "down")
        let charge = try await stall.till.charge(request: .sale(900))
        let fragile = Fragile(charge)
        let sdk = FakeSDK(onStart: {
            $0.say($0.started, .sealed(), .done, .prompt(text: "please_wait", cancellable: false))
        })
        #expect(try await fragile.take(with: sdk) == .saved)
        #expect(try await stall.till.status().unsentCount == 1)
    }

    @Test func theCardholderChooses() async throws {
        let stall = try await Stall(seed: 50)
        let charge = try await stall.till.charge(request: .sale(900))
        let sdk = FakeSDK(onStart: { $0.say($0.started, .chooseApplication(items: ["UnionPay", "Visa"])) })
        let outcome = try await charge.take(with: sdk, choose: { $0.firstIndex(of: "Visa") ?? 0 })
        try await judge(stall, charge, outcome, is: .approved(approvedMinor: 900), asked: 1)
        #expect(sdk.commands == ["start", "choose 1"])
    }

    @Test func aChoiceThatComesTooLateChangesNothing() async throws {
        let stall = try await Stall(seed: 51)
        let charge = try await stall.till.charge(request: .sale(900))
        let sdk = FakeSDK(onStart: {
            $0.say($0.started, .chooseApplication(items: ["UnionPay", "Visa"]), .sealed(), .done)
        })
        let outcome = try await charge.take(with: sdk, choose: { _ in 1 })
        try await judge(stall, charge, outcome, is: .approved(approvedMinor: 900), asked: 1)
        #expect(sdk.commands == ["start"])
    }

    @Test func cancellingTheTaskAsksTheSDKToStop() async throws {
        let stall = try await Stall(seed: 52)
        let charge = try await stall.till.charge(request: .sale(900))
        let (waiting, waits) = AsyncStream.makeStream(of: Void.self)
        let sdk = FakeSDK(onStart: { sdk in
            sdk.say(sdk.started)
            waits.yield()
        })
        let taking = Task { try await charge.take(with: sdk) }
        for await _ in waiting { break }
        taking.cancel()
        try await judge(stall, charge, try await taking.value, is: notCharged("cancelled"), asked: 0)
        #expect(sdk.commands == ["start", "cancel"])
    }

    /// A charge whose outcome nobody hears of until it was asked to stop.
    private final class Undecided: Charge, @unchecked Sendable {
        private let charge: Charge
        private let (stopped, stop) = AsyncStream.makeStream(of: Void.self)

        private let whenEnded: @Sendable () -> Void

        init(_ charge: Charge, whenEnded: @escaping @Sendable () -> Void = {}) {
            (self.charge, self.whenEnded) = (charge, whenEnded)
            super.init(noHandle: .init())
        }

        @available(*, unavailable)
        required init(unsafeFromHandle handle: UInt64) { fatalError("made of another charge") }

        override func vendorUp(lane: VendorLane, about: VendorAbout, generation: UInt32) throws -> Step {
            try charge.vendorUp(lane: lane, about: about, generation: generation)
        }

        override func vendorEvent(generation: UInt32, event: VendorEvent) throws -> Step {
            let step = try charge.vendorEvent(generation: generation, event: event)
            if case .ended = event { whenEnded() }
            return Step(
                writes: step.writes, prompt: step.prompt, waitMs: step.waitMs, saved: nil, disconnect: step.disconnect)
        }

        override func cancel() throws -> Step {
            defer { stop.finish() }
            return try charge.cancel()
        }

        override func linkDown(generation: UInt32) throws -> Step { try charge.linkDown(generation: generation) }

        override func tick() throws -> Step { try charge.tick() }

        override func outcome() async throws -> ChargeOutcome {
            for await _ in stopped {}
            return try await charge.outcome()
        }
    }

    @Test func aCancelThatComesAfterTheCardForgetsNothing() async throws {
        let stall = try await Stall(seed: 53)
        let charge = try await stall.till.charge(request: .sale(900))
        let (ended, ends) = AsyncStream.makeStream(of: Void.self)
        // The task is cancelled when the reader is done, and nothing is decided.
        let sdk = FakeSDK(onStart: { $0.say($0.started, .sealed(), .done) })
        let undecided = Undecided(charge, whenEnded: { ends.yield() })
        let taking = Task { try await undecided.take(with: sdk) }
        for await _ in ended { break }
        taking.cancel()
        try await judge(stall, charge, try await taking.value, is: .approved(approvedMinor: 900), asked: 1)
    }
}
