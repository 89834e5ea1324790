#if PLANTED
    import Foundation
    import Takings
    import Testing

    @Suite struct RecordTests {
        @Test func anyRecordCrossesAndComesBackTheSame() throws {
            var random = Seeded(2026)
            for _ in 0..<200 {
                let records = random.records()
                #expect(try plantedEcho(records: records) == records)
            }
        }
    }

    /// Records of any content. A field added to a record does not compile here until it is added.
    extension Seeded {
        mutating func int() -> Int64 { Int64(bitPattern: next() >> UInt64(below(64))) &* (below(2) == 0 ? 1 : -1) }
        mutating func count() -> UInt64 { next() >> UInt64(below(64)) }
        mutating func small() -> UInt32 { UInt32(truncatingIfNeeded: next() >> UInt64(below(64))) }
        mutating func bool() -> Bool { below(2) == 0 }
        mutating func word() -> String? { maybe { $0.text() } }
        mutating func number() -> Int64? { maybe { $0.int() } }
        mutating func list<T>(_ one: (inout Seeded) -> T) -> [T] { (0..<below(4)).map { _ in one(&self) } }

        mutating func records() -> PlantedRecords {
            PlantedRecords(
                payments: list { PaymentDetail(payment: $0.payment(), timeline: $0.list { $0.timelineEntry() }) },
                queries: list { $0.query() },
                payouts: list { PayoutDetail(payout: $0.payout(), entries: $0.list { $0.payoutEntry() }) },
                requests: list { $0.request() },
                steps: list { $0.step() },
                status: maybe { $0.status() },
                report: maybe { $0.report() },
                signOn: maybe {
                    SignOnView(
                        businessDate: $0.text(), batchNumber: $0.text(), policyVersion: $0.word(), termsVersion: $0.word(),
                        calendarVersion: $0.word(), offsetMs: $0.int())
                },
                alerts: list {
                    AlertView(
                        alert: $0.count(), atMs: $0.int(), alertKind: $0.text(), subjectKind: $0.text(),
                        subjectId: $0.text(), amountMinor: $0.number(), currency: $0.word())
                },
                takings: list {
                    TakingsLine(stage: $0.text(), currency: $0.text(), count: $0.count(), amountMinor: $0.int())
                },
                receipts: list {
                    Receipt(paymentId: $0.text(), lines: $0.list { $0.text() }, offline: $0.bool(), reprint: $0.bool())
                },
                verified: maybe {
                    VerifyReport(
                        sound: $0.bool(), events: $0.count(), brokenAt: $0.maybe { $0.count() },
                        missingEvents: $0.count(), detail: $0.word())
                },
                config: maybe {
                    TillConfig(
                        dir: $0.text(), acquirerUrl: $0.text(), appVersion: $0.text(), language: $0.bool() ? .zh : .en,
                        connectTimeoutMs: $0.count(), requestTimeoutMs: $0.count(), boot: $0.word())
                },
                vendorStarts: list {
                    VendorStart(
                        charge: $0.text(), amountMinor: $0.int(), currency: $0.text(), currencyNumeric: $0.small(),
                        currencyExponent: $0.small(), timeoutS: $0.small())
                },
                vendorAbouts: list {
                    VendorAbout(
                        serial: $0.text(), model: $0.text(), firmware: $0.text(), batteryPercent: $0.maybe { $0.small() },
                        tampered: $0.bool())
                },
                vendorEvents: list { $0.vendorEvent() })
        }

        mutating func data() -> Data { Data((0..<below(300)).map { _ in UInt8(below(256)) }) }
        mutating func entry() -> VendorEntry { [VendorEntry.chip, .contactless, .stripe, .fallback][below(4)] }

        mutating func vendorEvent() -> VendorEvent {
            switch below(10) {
            case 0: .started(charge: text())
            case 1: .prompt(text: text(), cancellable: bool())
            case 2: .chooseApplication(items: list { $0.text() })
            case 3: .cardSeen(entry: entry())
            case 4: .cardRemoved
            case 5: .severalCards
            case 6:
                .cardData(
                    card: VendorCard(
                        ciphertext: data(), format: text(), keyId: text(), ksnHex: text(), maskedNumber: text(), entry: entry()))
            case 7: .ended(outcome: [VendorEnd.deferred, .declined, .other][below(3)])
            case 8: .failed(asked: [VendorAsked.start, .cancel, .choice][below(3)])
            default: .batteryLow(percent: small())
            }
        }

        mutating func payment() -> PaymentView {
            PaymentView(
                paymentId: text(), capturedAtMs: int(), capturedOn: text(), amountMinor: int(), currency: text(),
                orderReference: word(), paymentClass: word(), delivery: word(), authorization: word(), clearing: word(),
                arrival: word(), stage: text(), cause: word(), source: word(), acts: word(), nextStep: word(),
                expectedDate: word(), expectedProvisional: bool(), evidence: text(), payoutId: word(),
                grossMinor: number(), feeMinor: number(), netMinor: number(), acceptedAtMs: number(),
                approvedMinor: number(), scheme: word(), lastFour: word(), entryMode: word(), stan: text(),
                batchNumber: text(), rrn: word(), authCode: word(), responseCode: word(), partlyApproved: bool(),
                serviceGiven: maybe { $0.bool() }, fromAcquirer: bool())
        }

        mutating func timelineEntry() -> TimelineEntry {
            TimelineEntry(seq: count(), atMs: int(), operator: word(), kind: text(), body: text())
        }

        mutating func query() -> PaymentQuery {
            PaymentQuery(
                stage: word(), fromDay: word(), toDay: word(), amountMinor: number(), lastFour: word(),
                orderReference: word(), text: word(), after: word(), limit: maybe { $0.small() })
        }

        mutating func payout() -> PayoutView {
            PayoutView(
                payoutId: text(), status: text(), direction: text(), businessDate: text(), expectedDate: word(),
                arrivedAtMs: number(), evidence: text(), currency: text(), grossMinor: int(), feeMinor: int(),
                netMinor: int(), entryCount: small(), entriesHeard: small(), differenceMinor: number(),
                endToEndId: word(), reissueOf: word(), reissuedBy: word(), failureCode: word(), overdue: bool())
        }

        mutating func payoutEntry() -> PayoutEntryView {
            PayoutEntryView(
                entryId: text(), entryType: text(), paymentId: word(), grossMinor: int(), feeMinor: int(), netMinor: int())
        }

        mutating func request() -> ChargeRequest {
            ChargeRequest(
                amountMinor: int(), currency: text(), orderReference: word(),
                mode: [ChargeMode.preferOnline, .requireOnline, .offline][below(3)], chargeAgain: bool(), operator: word())
        }

        mutating func step() -> Step {
            Step(
                writes: list { $0.data() },
                prompt: maybe { PromptView(id: $0.text(), text: $0.text(), choices: $0.list { $0.text() }) },
                waitMs: maybe { $0.count() }, saved: maybe { $0.outcome() }, disconnect: bool())
        }

        mutating func outcome() -> ChargeOutcome {
            switch below(4) {
            case 0: .saved
            case 1: .approved(approvedMinor: int())
            case 2: .notCharged(cause: text(), detail: word())
            default: .notConfirmed
            }
        }

        mutating func status() -> StatusView {
            StatusView(
                activation: maybe { ActivationView(merchantId: $0.text(), terminalId: $0.text()) }, signedOn: bool(),
                batchNumber: word(), nowMs: int(), trustedMs: number(), line: text(), unsentCount: count(),
                unsent: list { SumView(currency: $0.text(), amountMinor: $0.int()) }, oldestUnsentAgeMs: number(),
                policyVersion: word(),
                offlineRisk: list {
                    OfflineRiskView(
                        currency: $0.text(), count: $0.small(), maxCount: $0.small(), amountMinor: $0.int(),
                        maxAmountMinor: $0.int(), oldestAgeMs: $0.number())
                }, lastSeq: count(), missingEvents: count(), readOnly: word(),
                readers: list {
                    ReaderView(
                        serial: $0.text(), model: $0.text(), firmware: $0.text(), batteryPercent: $0.maybe { $0.small() },
                        charging: $0.maybe { $0.bool() }, trouble: $0.word(), firstSeenMs: $0.int(), lastSeenMs: $0.int())
                },
                trouble: maybe { TroubleView(atMs: $0.int(), detail: $0.text()) })
        }

        mutating func report() -> SyncReport {
            SyncReport(
                ended: text(), requests: small(), sent: small(), answered: small(), approved: small(), declined: small(),
                events: small(), waiting: count(), nextDueMs: number(), detail: word())
        }
    }
#endif
