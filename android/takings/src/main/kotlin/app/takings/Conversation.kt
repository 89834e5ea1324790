package app.takings

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Deferred
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.Job
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

/** One charge at one reader, from the first connection to the last word. Runs on the reader's dispatcher. */
@OptIn(ExperimentalCoroutinesApi::class)
internal class Conversation(
    private val charge: ChargeInterface,
    private val carrier: Carrier,
    private val screen: ChargeScreen,
    private val lastWords: Duration,
    private val actions: ReceiveChannel<Action>,
    private val said: Channel<suspend CoroutineScope.() -> Unit>,
    private val nextGeneration: () -> UInt,
) {
    private val writes = ArrayDeque<ByteArray>()
    private val chosen = Channel<Action>(Channel.UNLIMITED)
    private var writing: Deferred<Boolean>? = null
    private var waitMs: Long? = null
    private var letGo = false
    private var linked: UInt? = null
    private var decided: ChargeOutcome? = null
    private var heard = TimeSource.Monotonic.markNow()
    private var decidedAt = heard
    private var questions = 0

    /** The question to the cardholder. Touched by those who tell the screen alone. */
    private var asking: Job? = null

    suspend fun whole(): ChargeOutcome =
        coroutineScope {
            val outcome = async { charge.outcome() }
            try {
                converse(outcome)
                decided ?: outcome.await().also(::decide)
            } finally {
                coroutineContext.cancelChildren()
                withContext(NonCancellable) { giveUp() }
                said.trySend { asking?.cancel() }
            }
        }

    /** One connection after the other, until the charge needs none or there is none to be had. */
    private suspend fun CoroutineScope.converse(outcome: Deferred<ChargeOutcome>) {
        while (decided == null && !letGo) {
            val tellUp = connect(outcome)
            if (tellUp == null) {
                // The charge ends here, unless its card was read: then it is up to the acquirer.
                if (decided == null) lastStep { charge.cancel() }
                return
            }
            val generation = nextGeneration().also { linked = it }
            coroutineScope {
                val values = listen()
                absorb(tellUp(generation))
                talk(generation, values, outcome)
                coroutineContext.cancelChildren()
            }
        }
        carrier.disconnect()
    }

    /** Keeps what comes from the reader, from this very moment on: an SDK speaks while it is told to start. */
    private fun CoroutineScope.listen(): ReceiveChannel<Tell> {
        val values = Channel<Tell>(Channel.UNLIMITED)
        launch(start = CoroutineStart.UNDISPATCHED) {
            carrier.said().collect(values::trySend)
            values.close()
        }
        return values
    }

    /** What tells the charge of the connection; null if there is none, or no need for one any more. */
    private suspend fun CoroutineScope.connect(outcome: Deferred<ChargeOutcome>): Tell? {
        val connecting = async { runCatching { carrier.connect() } }
        var connected: Result<Tell>? = null
        while (connected == null && decided == null) {
            connected =
                select {
                    connecting.onAwait { it }
                    outcome.onAwait { null.also { _ -> decide(outcome.getCompleted()) } }
                    actions.onReceive { null.also { _ -> act(it) } }
                }
        }
        connecting.cancel()
        return connected?.getOrElse { if (it is IOException) null else throw it }
    }

    /** Until the reader is let go, has said everything, or is gone. */
    private suspend fun CoroutineScope.talk(
        generation: UInt,
        values: ReceiveChannel<Tell>,
        outcome: Deferred<ChargeOutcome>,
    ) {
        while (!letGo) {
            startWriting()
            val more =
                select {
                    writing?.onAwait { confirmed ->
                        writing = null
                        absorb(if (confirmed) charge.writeDone(generation) else charge.writeFailed(generation))
                    }
                    values.onReceiveCatching { value ->
                        value.getOrNull()?.let { heard(it(generation)) } ?: lost(generation)
                    }
                    if (decided == null) {
                        outcome.onAwait {
                            decide(it)
                            true
                        }
                    }
                    actions.onReceive(::act)
                    chosen.onReceive(::act)
                    waitMs?.let { onTimeout(it) { absorb(charge.tick()) } }
                    silence()?.let { onTimeout(it) { true.also { _ -> letGo = true } } }
                }
            if (!more) return
        }
        linked = null
        lastStep { charge.linkDown(generation) }
    }

    /** How much longer a reader whose charge is decided may be silent; null while there is more to do. */
    private fun silence(): Duration? {
        if (decided == null || writing != null) return null
        val longest = maxOf(lastWords, LONGEST_LAST_WORDS) - decidedAt.elapsedNow()
        return minOf(lastWords - heard.elapsedNow(), longest).coerceAtLeast(ZERO)
    }

    private fun lost(generation: UInt): Boolean {
        writing?.cancel()
        writing = null
        writes.clear()
        linked = null
        lastStep { charge.linkDown(generation) }
        return false
    }

    private fun act(action: Action): Boolean {
        if (decided != null) return true
        when (action) {
            is Action.Cancel -> unlessLate { charge.cancel() }
            is Action.Choose -> if (action.question == questions) unlessLate { charge.chooseApplication(action.index.toUInt()) }
        }
        return true
    }

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

    private fun heard(step: Step): Boolean {
        heard = TimeSource.Monotonic.markNow()
        return absorb(step)
    }

    private fun absorb(step: Step): Boolean {
        step.saved?.let(::decide)
        writes.addAll(step.writes)
        waitMs = step.waitMs?.toLong()
        letGo = letGo || step.disconnect
        step.prompt?.let { prompt ->
            said.trySend { screen.prompt(prompt) }
            if (prompt.choices.isNotEmpty()) {
                val question = ++questions
                said.trySend { ask(question, prompt.choices) }
            }
        }
        return true
    }

    /** Beside what else is told: the charge may end before the cardholder chose. */
    private fun CoroutineScope.ask(
        question: Int,
        applications: List<String>,
    ) {
        asking?.cancel()
        asking =
            launch {
                val index = screen.choose(applications)
                require(index in applications.indices) { "there is no application $index" }
                chosen.trySend(Action.Choose(question, index))
            }
    }

    private fun decide(outcome: ChargeOutcome) {
        if (decided != null) return
        decided = outcome
        heard = TimeSource.Monotonic.markNow()
        decidedAt = heard
        said.trySend {
            asking?.cancel()
            screen.decided(outcome)
        }
    }

    /** A charge that is over has nothing more to say. */
    private fun lastStep(call: () -> Step) {
        try {
            absorb(call())
        } catch (_: TakingsException.NotFound) {
            return
        }
    }

    /** Leaves nothing running at the reader, however the conversation ended. */
    private suspend fun giveUp() {
        val generation = linked
        if (generation != null && decided == null) {
            try {
                withTimeoutOrNull(FAREWELL) { sayStop(generation) }
                absorb(charge.linkDown(generation))
            } catch (_: IOException) {
                // It hears nothing any more, and stops by itself.
            } catch (_: TakingsException) {
                // The charge is over.
            }
        }
        carrier.disconnect()
    }

    private suspend fun sayStop(generation: UInt) {
        writes.clear()
        unlessLate { charge.cancel() }
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
