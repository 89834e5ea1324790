package app.takings

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Deferred
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelChildren
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.channels.ReceiveChannel
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.buffer
import kotlinx.coroutines.flow.produceIn
import kotlinx.coroutines.selects.onTimeout
import kotlinx.coroutines.selects.select
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeoutOrNull
import java.io.IOException
import kotlin.time.Duration
import kotlin.time.Duration.Companion.ZERO
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource

/** One charge at one reader, from the first link to the last word. Runs on the reader's dispatcher. */
@OptIn(ExperimentalCoroutinesApi::class)
internal class Conversation(
    private val charge: ChargeInterface,
    private val link: ReaderLink,
    private val screen: ChargeScreen,
    private val lastWords: Duration,
    private val actions: ReceiveChannel<Action>,
    private val said: Channel<suspend () -> Unit>,
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

    suspend fun whole(): ChargeOutcome =
        coroutineScope {
            val outcome = async { charge.outcome() }
            try {
                converse(outcome)
                decided ?: outcome.await().also(::decide)
            } finally {
                coroutineContext.cancelChildren()
                withContext(NonCancellable) { giveUp() }
            }
        }

    /** One link after the other, until the charge needs none or there is none to be had. */
    private suspend fun CoroutineScope.converse(outcome: Deferred<ChargeOutcome>) {
        while (decided == null && !letGo) {
            val valueLen = connect(outcome)
            if (valueLen == null) {
                // The charge ends here, unless its card was read: then it is up to the acquirer.
                if (decided == null) lastStep { charge.cancel() }
                return
            }
            val generation = nextGeneration().also { linked = it }
            coroutineScope {
                val values = link.values().buffer(Channel.UNLIMITED).produceIn(this)
                absorb(charge.linkUp(valueLen.toUInt(), generation))
                talk(generation, values, outcome)
                coroutineContext.cancelChildren()
            }
        }
        link.disconnect()
    }

    /** The usable length of a value; null if there is no link, or no need for one any more. */
    private suspend fun CoroutineScope.connect(outcome: Deferred<ChargeOutcome>): Int? {
        val connecting = async { runCatching { link.connect() } }
        val connected =
            select {
                connecting.onAwait { it }
                outcome.onAwait { null.also { _ -> decide(outcome.getCompleted()) } }
            }
        connecting.cancel()
        return connected?.getOrElse { if (it is IOException) null else throw it }
    }

    /** Until the reader is let go, has said everything, or is gone. */
    private suspend fun CoroutineScope.talk(
        generation: UInt,
        values: ReceiveChannel<ByteArray>,
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
                        value.getOrNull()?.let { heard(charge.bytes(generation, it)) } ?: lost(generation)
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
    private fun silence(): Duration? =
        if (decided == null || writing != null) null else (lastWords - heard.elapsedNow()).coerceAtLeast(ZERO)

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
            is Action.Cancel -> stop()
            is Action.Choose -> absorb(charge.chooseApplication(action.index.toUInt()))
        }
        return true
    }

    /** A button pressed when the reader is done stops nothing: then it is up to the acquirer. */
    private fun stop() {
        try {
            absorb(charge.cancel())
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
                    link.write(value)
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
                said.trySend { chosen.trySend(Action.Choose(screen.choose(prompt.choices))) }
            }
        }
        return true
    }

    private fun decide(outcome: ChargeOutcome) {
        if (decided != null) return
        decided = outcome
        heard = TimeSource.Monotonic.markNow()
        said.trySend { screen.decided(outcome) }
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
        link.disconnect()
    }

    private suspend fun sayStop(generation: UInt) {
        writes.clear()
        stop()
        while (true) {
            link.write(writes.removeFirstOrNull() ?: return)
            absorb(charge.writeDone(generation))
        }
    }

    private companion object {
        /** For a reader to hear that it should stop, once nobody waits for it. */
        val FAREWELL = 1.seconds
    }
}
