import Dispatch
import Foundation
import TakingsBindings

extension Charge {
    /// Takes the card: serves the reader's link, and returns as soon as the charge is decided.
    ///
    /// The calls of the link run on a thread of their own, in the order of its values; none touches the main thread. After
    /// the decision the reader's last words are still listened to, for five seconds at most; then ``ReaderLink/release()``
    /// is called, and the next charge may have the reader.
    ///
    /// Cancelling the task asks the reader to stop. That is a request: the outcome says whether something was charged, and
    /// it is returned, also then. A card that was read before is not forgotten.
    ///
    /// - Parameters:
    ///   - link: The link to the reader. Where it was lost before the card was read, it may come up again.
    ///   - prompts: Called with what to show, on the session's thread: hop to the main actor before touching views.
    ///   - choose: Called with the applications of a card that has several; the answer is counted from 0.
    ///   - readerWithin: How long a reader that is not there is waited for, each time, before the charge is cancelled if its card
    ///     was not read yet.
    ///   - pause: How time is waited for while the reader is there, in milliseconds.
    public func take(
        over link: some ReaderLink,
        prompts: @escaping @Sendable (PromptView) -> Void = { _ in },
        choose: @escaping @Sendable ([String]) async -> Int = { _ in 0 },
        readerWithin: Duration = .seconds(60),
        pause: @escaping @Sendable (UInt64) async throws -> Void = { try await Task.sleep(for: .milliseconds(Int64($0))) }
    ) async throws -> ChargeOutcome {
        try await take(by: Carrier(link), Showing(prompts: prompts, choose: choose), readerWithin: readerWithin, pause: pause)
    }

    /// Takes the card at another maker's reader: serves its SDK, and returns as soon as the charge is decided.
    ///
    /// As ``take(over:prompts:choose:pause:)``, in everything that is not the link. What the SDK says while it is told to start
    /// is heard after that; an SDK that throws, stalls or says nothing charges nothing.
    ///
    /// - Parameter sdk: The SDK, for this charge. Where its reader was lost before the card was read, it may come again.
    public func take(
        with sdk: some VendorSDK,
        prompts: @escaping @Sendable (PromptView) -> Void = { _ in },
        choose: @escaping @Sendable ([String]) async -> Int = { _ in 0 },
        readerWithin: Duration = .seconds(60),
        pause: @escaping @Sendable (UInt64) async throws -> Void = { try await Task.sleep(for: .milliseconds(Int64($0))) }
    ) async throws -> ChargeOutcome {
        try await take(by: Carrier(sdk), Showing(prompts: prompts, choose: choose), readerWithin: readerWithin, pause: pause)
    }

    private func take(
        by carrier: Carrier, _ showing: Showing, readerWithin: Duration,
        pause: @escaping @Sendable (UInt64) async throws -> Void
    ) async throws -> ChargeOutcome {
        let session = ReaderSession(
            charge: self, carrier: carrier, showing: showing, readerWithin: readerWithin, pause: pause)
        // Tasks of their own: they must go on when the caller's is cancelled.
        let decision = Task {
            for try await outcome in session.decisions { return outcome }
            throw CancellationError()
        }
        Task { await session.run() }
        return try await withTaskCancellationHandler {
            try await decision.value
        } onCancel: {
            session.inputs.yield(.cancel)
        }
    }
}

/// What the app shows and asks.
private struct Showing: Sendable {
    let prompts: @Sendable (PromptView) -> Void
    let choose: @Sendable ([String]) async -> Int
}

/// One charge at one reader: everything that happens becomes an input, and each is handled before the next.
private actor ReaderSession {
    enum Input: Sendable {
        case reader(Carrier.Event)
        case readerEnded
        case written(generation: UInt32, confirmed: Bool)
        case timer(UInt64)
        case chosen(question: Int, index: Int)
        case cancel
        case decided(Result<ChargeOutcome, any Error>)
        case patienceOver
        case noReader(absence: Int)
    }

    /// How long a reader may take for its last words once the charge is decided, milliseconds.
    private static let lastWordsMs: UInt64 = 5_000

    private let thread = ReaderThread()
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    nonisolated let inputs: AsyncStream<Input>.Continuation
    nonisolated let decisions: AsyncThrowingStream<ChargeOutcome, any Error>
    private let stream: AsyncStream<Input>
    private let tell: AsyncThrowingStream<ChargeOutcome, any Error>.Continuation
    private let charge: Charge
    private let carrier: Carrier
    private let showing: Showing
    private let readerWithin: Duration
    private let pause: @Sendable (UInt64) async throws -> Void

    private var generation: UInt32 = 0
    private var isUp = false
    private var writes: [Data] = []
    private var isWriting = false
    private var timers: UInt64 = 0
    private var timer: Task<Void, Never>?
    private var helpers: [Task<Void, Never>] = []
    private var absences = 0
    private var absence: Task<Void, Never>?
    private var questions = 0
    private var mayGo = false
    private var isLetGo = false
    private var outcome: ChargeOutcome?

    init(
        charge: Charge, carrier: Carrier, showing: Showing, readerWithin: Duration,
        pause: @escaping @Sendable (UInt64) async throws -> Void
    ) {
        (self.charge, self.carrier, self.showing, self.readerWithin, self.pause) =
            (charge, carrier, showing, readerWithin, pause)
        (stream, inputs) = AsyncStream.makeStream(of: Input.self)
        (decisions, tell) = AsyncThrowingStream.makeStream(of: ChargeOutcome.self)
    }

    func run() async {
        helpers = [
            Task { [inputs, carrier] in
                await carrier.listen { inputs.yield(.reader($0)) }
                inputs.yield(.readerEnded)
            },
            Task { [inputs, charge] in
                do {
                    inputs.yield(.decided(.success(try await charge.outcome())))
                } catch {
                    inputs.yield(.decided(.failure(error)))
                }
            },
        ]
        awaitReader()
        do {
            for await input in stream {
                try handle(input)
                if outcome != nil, mayGo || !isUp { break }
                if mayGo { try await letGo() }
            }
            tell.finish()
        } catch {
            // Nobody serves the reader any more: the charge is given up where that is still possible.
            if outcome == nil { _ = try? charge.cancel() }
            // It may have been decided already, and not been heard yet.
            inputs.finish()
            for await case .decided(.success(let outcome)) in stream { decided(outcome) }
            tell.finish(throwing: error)
        }
        for helper in helpers { helper.cancel() }
        timer?.cancel()
        absence?.cancel()
        inputs.finish()
        if isUp { _ = try? charge.linkDown(generation: generation) }
        if !isLetGo { await carrier.release() }
    }

    /// The till is done with the reader and waits for the acquirer alone: the reader does not wait with it.
    private func letGo() async throws {
        guard !isLetGo else { return }
        try down()
        absence?.cancel()
        isLetGo = true
        await carrier.release()
    }

    private func handle(_ input: Input) throws {
        switch input {
        case .reader where isLetGo, .readerEnded where isLetGo, .noReader where isLetGo:
            break
        case .reader(.up(let tell)):
            generation += 1
            isUp = true
            absence?.cancel()
            forgetWrites()
            absorb(try tell(charge, generation))
        case .reader(.said(let tell)):
            // Before the reader is there, it can only be about another payment.
            if isUp { absorb(try tell(charge, generation)) }
        case .reader(.down):
            try down()
        case .written(generation, let confirmed):
            isWriting = false
            absorb(try confirmed ? charge.writeDone(generation: generation) : charge.writeFailed(generation: generation))
        case .written:
            break
        case .timer(let number):
            if number == timers { absorb(try charge.tick()) }
        case .chosen(questions, let index):
            try unlessLate { try charge.chooseApplication(index: UInt32(clamping: index)) }
        case .chosen:
            break
        case .readerEnded:
            try down()
            try unlessLate { try charge.cancel() }
        case .cancel:
            try unlessLate { try charge.cancel() }
        case .decided(let result):
            // Once decided, nothing takes its place.
            if outcome == nil { decided(try result.get()) }
            lastWord { try charge.tick() }
        case .patienceOver:
            mayGo = true
        case .noReader(let absence):
            if absence == absences, !isUp { try unlessLate { try charge.cancel() } }
        }
    }

    private func down() throws {
        guard isUp else { return }
        isUp = false
        forgetWrites()
        awaitReader()
        absorb(try charge.linkDown(generation: generation))
    }

    private func awaitReader() {
        absences += 1
        absence = Task { [inputs, readerWithin, absences] in
            if (try? await Task.sleep(for: readerWithin)) != nil { inputs.yield(.noReader(absence: absences)) }
        }
    }

    /// A button pressed when the reader is done changes nothing: then it is up to the acquirer.
    private func unlessLate(_ call: () throws -> Step) throws {
        guard outcome == nil else { return }
        do {
            absorb(try call())
        } catch let error as TakingsError where error.code == "reader_input" {
            return
        }
    }

    private func absorb(_ step: Step) {
        if let saved = step.saved { decided(saved) }
        mayGo = mayGo || step.disconnect
        writes += step.writes
        writeNext()
        timers += 1
        timer?.cancel()
        timer = step.waitMs.map { wait in
            Task { [inputs, pause, number = timers] in
                if (try? await pause(wait)) != nil { inputs.yield(.timer(number)) }
            }
        }
        guard let prompt = step.prompt else { return }
        showing.prompts(prompt)
        if !prompt.choices.isEmpty {
            // The charge may end before the cardholder chose.
            questions += 1
            helpers.append(
                Task { [inputs, showing, questions] in
                    let index = await showing.choose(prompt.choices)
                    inputs.yield(.chosen(question: questions, index: index))
                })
        }
    }

    private func writeNext() {
        guard !isWriting, isUp, !writes.isEmpty else { return }
        isWriting = true
        let value = writes.removeFirst()
        Task { [inputs, carrier, generation] in
            let confirmed = (try? await carrier.write(value)) != nil
            inputs.yield(.written(generation: generation, confirmed: confirmed))
        }
    }

    private func forgetWrites() {
        writes.removeAll()
        isWriting = false
    }

    private func decided(_ outcome: ChargeOutcome) {
        guard self.outcome == nil else { return }
        self.outcome = outcome
        tell.yield(outcome)
        helpers.append(
            Task { [inputs, pause] in
                if (try? await pause(Self.lastWordsMs)) != nil { inputs.yield(.patienceOver) }
            })
    }

    /// A charge that is over has nothing more to say.
    private func lastWord(_ call: () throws -> Step) {
        if let step = try? call() { absorb(step) } else { mayGo = true }
    }
}

/// Runs a session's calls one after the other on a thread that is not the main one and not one of Swift's few.
private final class ReaderThread: SerialExecutor {
    private let queue = DispatchQueue(label: "takings.reader", qos: .userInitiated)

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        UnownedSerialExecutor(ordinary: self)
    }
}
