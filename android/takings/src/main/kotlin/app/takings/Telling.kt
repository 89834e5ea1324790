package app.takings

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.channels.ReceiveChannel
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.launch

/** What a screen is told, one thing after the other, in the context of whoever calls [run]. */
internal class Telling(
    private val screen: ChargeScreen,
) {
    private val queue = Channel<suspend CoroutineScope.() -> Unit>(Channel.UNLIMITED)
    private val answers = Channel<Action.Choose>(Channel.UNLIMITED)

    /** What the cardholder chose. */
    val chosen: ReceiveChannel<Action.Choose> get() = answers

    /** The number of the newest question. */
    var question = 0
        private set

    @Volatile
    private var decided = false

    /** The question to the cardholder. Touched in [run] alone. */
    private var asking: Job? = null

    /** Tells everything, until [close]. What a screen throws ends the charge, but takes no outcome away. */
    suspend fun run(): Unit =
        coroutineScope {
            for (tell in queue) {
                try {
                    tell()
                } catch (failed: Exception) {
                    if (!decided || failed is CancellationException) throw failed
                }
            }
        }

    fun prompt(prompt: PromptView) {
        queue.trySend { screen.prompt(prompt) }
        if (prompt.choices.isNotEmpty()) {
            val number = ++question
            queue.trySend { ask(number, prompt.choices) }
        }
    }

    fun decided(outcome: ChargeOutcome) {
        decided = true
        queue.trySend {
            asking?.cancel()
            screen.decided(outcome)
        }
    }

    /** Nothing more will be told, and no answer is waited for. */
    fun close() {
        queue.trySend { asking?.cancel() }
        queue.close()
    }

    /** Beside what else is told: the charge may end before the cardholder chose. */
    private fun CoroutineScope.ask(
        number: Int,
        applications: List<String>,
    ) {
        asking?.cancel()
        asking =
            launch {
                val index = screen.choose(applications)
                require(index in applications.indices) { "there is no application $index" }
                answers.trySend(Action.Choose(number, index))
            }
    }
}
