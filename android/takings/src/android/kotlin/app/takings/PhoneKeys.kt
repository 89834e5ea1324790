package app.takings

import android.content.Context
import android.os.Build
import android.provider.Settings
import android.security.keystore.KeyGenParameterSpec
import android.security.keystore.KeyProperties
import android.security.keystore.StrongBoxUnavailableException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext
import java.io.File
import java.security.KeyPairGenerator
import java.security.KeyStore
import java.security.spec.ECGenParameterSpec
import javax.crypto.KeyGenerator
import javax.crypto.SecretKey

/**
 * The keys of one till in the Android Keystore, made when they are first asked for: in the StrongBox where there is one, else
 * in the trusted environment. None of them leaves the phone, and none asks for the user.
 *
 * Making them takes up to a second: but for [openTill], not on the main thread. One object for each till.
 *
 * @param name of the till among those of this app, the same for its whole life.
 */
public class PhoneKeys(
    private val context: Context,
    private val name: String = "till",
) {
    private val store by lazy { KeyStore.getInstance(PROVIDER).apply { load(null) } }

    /**
     * Opens this till, with its keys and its directory as below. May be called on the main thread.
     *
     * @throws TakingsException as `Till.open` does.
     */
    public suspend fun openTill(
        acquirerUrl: String,
        appVersion: String,
        language: Language,
        log: LogSink? = null,
    ): Till =
        withContext(Dispatchers.IO) {
            val config = TillConfig(ledgerDir(), acquirerUrl, appVersion, language, boot = boot())
            Till.open(config, deviceKey(), vault(), log)
        }

    /** Signs the requests to the acquirer. */
    public fun deviceKey(): DeviceKey {
        val alias = "takings-$name-device"
        if (!store.containsAlias(alias)) {
            make { strongBox ->
                val purpose = KeyProperties.PURPOSE_SIGN
                val spec =
                    KeyGenParameterSpec
                        .Builder(alias, purpose)
                        .setAlgorithmParameterSpec(ECGenParameterSpec("secp256r1"))
                        .setDigests(KeyProperties.DIGEST_SHA256)
                        .inStrongBox(strongBox)
                        .build()
                KeyPairGenerator.getInstance(KeyProperties.KEY_ALGORITHM_EC, PROVIDER).run {
                    initialize(spec)
                    generateKeyPair()
                }
            }
        }
        val entry = store.getEntry(alias, null) as KeyStore.PrivateKeyEntry
        return KeyPairDeviceKey(entry.privateKey, entry.certificate.publicKey)
    }

    /** Keeps the ledger's key, sealed, out of every backup. */
    public fun vault(): KeyVault {
        val alias = "takings-$name-seal"
        if (!store.containsAlias(alias)) {
            make { strongBox ->
                val spec =
                    KeyGenParameterSpec
                        .Builder(alias, KeyProperties.PURPOSE_ENCRYPT or KeyProperties.PURPOSE_DECRYPT)
                        .setKeySize(KEY_BITS)
                        .setBlockModes(KeyProperties.BLOCK_MODE_GCM)
                        .setEncryptionPaddings(KeyProperties.ENCRYPTION_PADDING_NONE)
                        .inStrongBox(strongBox)
                        .build()
                KeyGenerator.getInstance(KeyProperties.KEY_ALGORITHM_AES, PROVIDER).run {
                    init(spec)
                    generateKey()
                }
            }
        }
        val seal = store.getKey(alias, null) as SecretKey
        return SealedFileVault(File(context.noBackupFilesDir, "takings-$name.key"), seal)
    }

    /** Where the ledger lives: private to the app, and out of every backup, like its key. */
    public fun ledgerDir(): String = File(context.noBackupFilesDir, "takings-$name").path

    /** Names this start of the phone, for `TillConfig.boot`; null where the phone does not say. */
    public fun boot(): String? =
        Settings.Global
            .getInt(context.contentResolver, Settings.Global.BOOT_COUNT, 0)
            .takeIf { it > 0 }
            ?.toString()

    private fun make(generate: (strongBox: Boolean) -> Unit) {
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.P) {
            try {
                return generate(true)
            } catch (_: StrongBoxUnavailableException) {
                // The trusted environment is there on every phone.
            }
        }
        generate(false)
    }

    private fun KeyGenParameterSpec.Builder.inStrongBox(wanted: Boolean): KeyGenParameterSpec.Builder =
        if (wanted && Build.VERSION.SDK_INT >= Build.VERSION_CODES.P) setIsStrongBoxBacked(true) else this

    private companion object {
        const val PROVIDER = "AndroidKeyStore"
        const val KEY_BITS = 256
    }
}
