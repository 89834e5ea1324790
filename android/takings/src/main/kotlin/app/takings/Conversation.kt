package app.takings

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Deferred
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelChildren
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.channels.ReceiveChannel
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.launch
import kotlinx.coroutines.selects.onTimeout
import kotlinx.coroutines.selects.select
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeoutOrNull
import java.io.IOException
import kotlin.time.Duration
import kotlin.time.Duration.Companion.ZERO
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource

/** How long a reader is waited for. */
internal class Patience(
    /** Until it is there. */
    val reader: Duration,
    /** For a last word, once the charge is decided. */
    val lastWords: Duration,
)

/** One charge at one reader, from the first connection to the last word. Runs on the reader's dispatcher. */
@OptIn(ExperimentalCoroutinesApi::class)
internal class Conversation(
    private val charge: ChargeInterface,
    private val carrier: Carrier,
    private val telling: Telling,
    private val patience: Patience,
    private val actions: ReceiveChannel<Action>,
    private val nextGeneration: () -> UInt,
) {
    private sealed interface State {
        /** No reader is there, and one is needed. */
        data object Connecting : State

        /** A reader is there, on the connection of that number. */
        data class Talking(
            val generation: UInt,
        ) : State

        /** No reader is needed any more: it is up to the acquirer. */
        data object Waiting : State

        /** Decided: nothing changes it. A reader that is still there may have a last word. */
        data class Over(
            val outcome: ChargeOutcome,
            val generation: UInt?,
            val since: TimeSource.Monotonic.ValueTimeMark,
        ) : State
    }

    private var state: State = State.Connecting
    private val writes = ArrayDeque<ByteArray>()
    private var writing: Deferred<Boolean>? = null
    private var waitMs: Long? = null
    private var heard = TimeSource.Monotonic.markNow()

    private val linked: UInt?
        get() =
            when (val now = state) {
                is State.Talking -> now.generation
                is State.Over -> now.generation
                else -> null
            }

    /** The outcome. Once there is one, whatever fails afterwards does not take its place. */
    suspend fun whole(): ChargeOutcome =
        coroutineScope {
            val outcome = async { runCatching { charge.outcome() } }
            try {
                atTheReader(outcome)
                if (state is State.Waiting) decide(outcome.await().getOrThrow())
            } catch (failed: Throwable) {
                // It may have been decided already, and not been heard yet.
                if (outcome.isCompleted && !outcome.isCancelled) outcome.getCompleted().onSuccess(::decide)
                if (state !is State.Over) throw failed
            } finally {
                outcome.cancel()
            }
            (state as State.Over).outcome
        }

    /** One connection after the other, until the charge needs none or there is none to be had. */
    private suspend fun atTheReader(outcome: Deferred<Result<ChargeOutcome>>) {
        try {
            while (state is State.Connecting) {
                val tellUp = connect(outcome)
                if (tellUp != null) {
                    serve(tellUp, outcome)
                } else if (state is State.Connecting) {
                    // The charge ends here, unless its card was read: then it is up to the acquirer.
                    state = State.Waiting
                    stop()
                }
            }
        } finally {
            withContext(NonCancellable) { part() }
        }
    }

    /** What tells the charge of the connection; null if there is none, or no need for one any more. */
    private suspend fun connect(outcome: Deferred<Result<ChargeOutcome>>): Tell? =
        coroutineScope {
            val connecting = async { runCatching { carrier.connect() } }
            val since = TimeSource.Monotonic.markNow()
            var connected: Result<Tell?>? = null
            while (connected == null && state is State.Connecting) {
                select<Unit> {
                    connecting.onAwait { connected = it }
                    outcome.onAwait { decide(it.getOrThrow()) }
                    actions.onReceive(::act)
                    onTimeout(patience.reader - since.elapsedNow()) { connected = Result.success(null) }
                }
            }
            connecting.cancel()
            connected?.getOrElse { if (it is IOException) null else throw it }
        }

    private suspend fun serve(
        tellUp: Tell,
        outcome: Deferred<Result<ChargeOutcome>>,
    ): Unit =
        coroutineScope {
            val generation = nextGeneration()
            state = State.Talking(generation)
            val values = listen()
            absorb(tellUp(generation))
            while (linked != null) next(generation, values, outcome)
            lastStep { absorb(charge.linkDown(generation)) }
            coroutineContext.cancelChildren()
        }

    /** Keeps what comes from the reader, from this very moment on: an SDK speaks while it is told to start. */
    private fun CoroutineScope.listen(): ReceiveChannel<Tell> {
        val values = Channel<Tell>(Channel.UNLIMITED)
        launch(start = CoroutineStart.UNDISPATCHED) {
            values.close(runCatching { carrier.said().collect(values::trySend) }.exceptionOrNull())
        }
        // Without it values are cut as before: what it throws changes nothing.
        launch { runCatching { carrier.resized().collect(values::trySend) } }
        return values
    }

    /** The next thing that happens while a reader is there. */
    private suspend fun CoroutineScope.next(
        generation: UInt,
        values: ReceiveChannel<Tell>,
        outcome: Deferred<Result<ChargeOutcome>>,
    ) {
        startWriting()
        select<Unit> {
            writing?.onAwait { confirmed ->
                writing = null
                absorb(if (confirmed) charge.writeDone(generation) else charge.writeFailed(generation))
            }
            values.onReceiveCatching { value ->
                heard = TimeSource.Monotonic.markNow()
                val tell = value.getOrNull()
                if (tell != null) absorb(tell(generation)) else lost(value.exceptionOrNull())
            }
            if (state !is State.Over) outcome.onAwait { decide(it.getOrThrow()) }
            actions.onReceive(::act)
            telling.chosen.onReceive(::act)
            waitMs?.let { onTimeout(it) { absorb(charge.tick()) } }
            silence()?.let { onTimeout(it) { unlinked(State.Waiting) } }
        }
    }

    /** How much longer a reader whose charge is decided may be silent; null while there is more to do. */
    private fun silence(): Duration? {
        val over = state as? State.Over ?: return null
        if (writing != null) return null
        val longest = maxOf(patience.lastWords, LONGEST_LAST_WORDS) - over.since.elapsedNow()
        return minOf(patience.lastWords - maxOf(heard, over.since).elapsedNow(), longest).coerceAtLeast(ZERO)
    }

    private fun lost(why: Throwable?) {
        if (why != null && why !is IOException) throw why
        writing?.cancel()
        writing = null
        writes.clear()
        unlinked(State.Connecting)
    }

    /** The reader is gone or let go. A charge that is decided has no other state to go to. */
    private fun unlinked(undecided: State) {
        val over = state as? State.Over
        state = over?.copy(generation = null) ?: undecided
    }

    private fun act(action: Action) {
        if (state is State.Over) return
        when (action) {
            is Action.Cancel -> stop()
            is Action.Choose ->
                if (action.question == telling.question) unlessLate { charge.chooseApplication(action.index.toUInt()) }
        }
    }

    /** Asks for an end. */
    private fun stop() = lastStep { unlessLate { charge.cancel() } }

    /** A button pressed when the reader is done changes nothing: then it is up to the acquirer. */
    private fun unlessLate(call: () -> Step) {
        try {
            absorb(call())
        } catch (late: TakingsException.FixInput) {
            if (late.code != "reader_input") throw late
        }
    }

    private fun CoroutineScope.startWriting() {
        if (writing != null) return
        val value = writes.removeFirstOrNull() ?: return
        writing =
            async {
                try {
                    carrier.write(value)
                    true
                } catch (_: IOException) {
                    false
                }
            }
    }

    private fun absorb(step: Step) {
        step.saved?.let(::decide)
        writes.addAll(step.writes)
        waitMs = step.waitMs?.toLong()
        if (step.disconnect) unlinked(State.Waiting)
        step.prompt?.let(telling::prompt)
    }

    private fun decide(outcome: ChargeOutcome) {
        if (state is State.Over) return
        state = State.Over(outcome, linked, TimeSource.Monotonic.markNow())
        telling.decided(outcome)
    }

    /** A charge that is over has nothing more to say. */
    private fun lastStep(call: () -> Unit) {
        try {
            call()
        } catch (_: TakingsException.NotFound) {
            return
        }
    }

    /** Leaves nothing running at the reader, however the conversation ended. */
    private suspend fun part() {
        linked?.let { generation ->
            runCatching {
                if (state is State.Talking) withTimeoutOrNull(FAREWELL) { sayStop(generation) }
            }
            // The charge may be over, and a reader that hears nothing stops by itself.
            runCatching { absorb(charge.linkDown(generation)) }
        }
        runCatching { carrier.disconnect() }
    }

    private suspend fun sayStop(generation: UInt) {
        writes.clear()
        stop()
        while (true) {
            carrier.write(writes.removeFirstOrNull() ?: return)
            absorb(charge.writeDone(generation))
        }
    }

    private companion object {
        /** For a reader that does not stop speaking, once the charge is decided. */
        val LONGEST_LAST_WORDS = 5.seconds

        /** For a reader to hear that it should stop, once nobody waits for it. */
        val FAREWELL = 1.seconds
    }
}
