package app.takings

import java.io.File
import java.io.FileOutputStream
import java.io.IOException
import java.nio.file.Files
import java.nio.file.StandardCopyOption.ATOMIC_MOVE
import java.security.GeneralSecurityException
import java.security.PrivateKey
import java.security.ProviderException
import java.security.PublicKey
import java.security.Signature
import javax.crypto.Cipher
import javax.crypto.SecretKey
import javax.crypto.spec.GCMParameterSpec

/** A device key from the platform's own key store: a P-256 pair whose private half need not be readable. */
public class KeyPairDeviceKey(
    private val privateKey: PrivateKey,
    private val publicKey: PublicKey,
) : DeviceKey {
    override fun algorithm(): String = "ecdsa-p256-sha256"

    override fun publicKey(): ByteArray =
        publicKey.encoded ?: throw TakingsException.Internal("device_key", "the public key has no encoded form")

    override fun sign(bytes: ByteArray): ByteArray =
        try {
            Signature.getInstance("SHA256withECDSA").run {
                initSign(privateKey)
                update(bytes)
                sign()
            }
        } catch (error: GeneralSecurityException) {
            throw TakingsException.Internal("device_key", error.javaClass.simpleName)
        } catch (error: ProviderException) {
            throw TakingsException.Internal("device_key", error.javaClass.simpleName)
        }
}

/**
 * Keeps the ledger's key in a file, sealed with a key of the platform's own key store (AES, for GCM without padding).
 *
 * The file belongs in a directory without backup (`Context.noBackupFilesDir`): on another phone it cannot be opened.
 */
public class SealedFileVault(
    private val file: File,
    private val seal: SecretKey,
) : KeyVault {
    override fun load(): ByteArray? =
        attempt {
            if (!file.exists()) return@attempt null
            val kept = file.readBytes()
            if (kept.size <= NONCE_LEN) throw IOException("the file is cut short")
            val cipher = Cipher.getInstance(TRANSFORMATION)
            cipher.init(Cipher.DECRYPT_MODE, seal, GCMParameterSpec(TAG_BITS, kept, 0, NONCE_LEN))
            cipher.doFinal(kept, NONCE_LEN, kept.size - NONCE_LEN)
        }

    override fun store(key: ByteArray): Unit =
        attempt {
            // The platform draws the nonce.
            val cipher = Cipher.getInstance(TRANSFORMATION).apply { init(Cipher.ENCRYPT_MODE, seal) }
            file.absoluteFile.parentFile?.mkdirs()
            val beside = File("${file.path}.new")
            FileOutputStream(beside).use {
                it.write(cipher.iv + cipher.doFinal(key))
                it.fd.sync()
            }
            Files.move(beside.toPath(), file.toPath(), ATOMIC_MOVE)
        }

    private fun <T> attempt(work: () -> T): T =
        try {
            work()
        } catch (error: GeneralSecurityException) {
            throw TakingsException.Storage("key_vault", error.javaClass.simpleName)
        } catch (error: ProviderException) {
            throw TakingsException.Storage("key_vault", error.javaClass.simpleName)
        } catch (error: IOException) {
            throw TakingsException.Storage("key_vault", error.javaClass.simpleName)
        }

    private companion object {
        const val TRANSFORMATION = "AES/GCM/NoPadding"
        const val NONCE_LEN = 12
        const val TAG_BITS = 128
    }
}
