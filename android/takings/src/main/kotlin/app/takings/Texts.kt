package app.takings

/** The one line a merchant reads: where the money of this payment is. */
public fun PaymentView.stageText(language: Language): String = textOf(WordKind.STAGE, stage, language)

/** Why it needs somebody or was not charged; null where there is nothing to explain. */
public fun PaymentView.causeText(language: Language): String? = cause?.let { textOf(WordKind.CAUSE, it, language) }

/** What to do now; null where nothing is. */
public fun PaymentView.nextStepText(language: Language): String? = nextStep?.let { textOf(WordKind.NEXT_STEP, it, language) }

/** Who acts; null where nobody has to. */
public fun PaymentView.actsText(language: Language): String? = acts?.let { textOf(WordKind.ACTS, it, language) }

/** What happened. */
public fun AlertView.text(language: Language): String = textOf(WordKind.ALERT, alertKind, language)

/** Why nothing was charged. */
public fun ChargeOutcome.NotCharged.causeText(language: Language): String = textOf(WordKind.CAUSE, cause, language)

/** The same more exactly: what the reader or the policy had against it, and what to do; null where nothing more is known. */
public fun ChargeOutcome.NotCharged.detailText(language: Language): String? =
    detail?.let { word -> textOrNull(WordKind.ATTEMPT_END, word, language) ?: textOrNull(WordKind.RULE, word, language) }

/** What is wrong with a card reader, and what to do; null where nothing is. */
public fun ReaderView.troubleText(language: Language): String? = trouble?.let { textOf(WordKind.READER_TROUBLE, it, language) }

private fun textOrNull(
    kind: WordKind,
    word: String,
    language: Language,
): String? =
    try {
        textOf(kind, word, language)
    } catch (_: TakingsException.NotFound) {
        null
    }
