// The Android library. Versions of what is compiled in are those of pom.xml, which the tests run with.
plugins {
    id("com.android.library") version "8.13.0"
    id("org.jetbrains.kotlin.android") version "2.4.20"
}

// Made by ../make-native.sh: the generated Kotlin, and the library for each ABI.
val native = layout.projectDirectory.dir("build-native")

android {
    namespace = "app.takings"
    compileSdk = 36

    defaultConfig {
        minSdk = 26
        consumerProguardFiles("consumer-rules.pro")
        ndk { abiFilters += listOf("arm64-v8a", "armeabi-v7a", "x86_64") }
    }

    sourceSets.named("main") {
        kotlin.srcDirs("src/main/kotlin", "src/android/kotlin", native.dir("kotlin"))
        jniLibs.srcDirs(native.dir("jniLibs"))
        manifest.srcFile("src/android/AndroidManifest.xml")
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
}

kotlin {
    compilerOptions { jvmTarget.set(org.jetbrains.kotlin.gradle.dsl.JvmTarget.JVM_17) }
}

dependencies {
    // The archive for Android: it brings JNA's own library for each ABI.
    implementation("net.java.dev.jna:jna:5.19.1@aar")
    api("org.jetbrains.kotlinx:kotlinx-coroutines-android:1.10.2")
}
