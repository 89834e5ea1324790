// swift-tools-version:6.0
import PackageDescription

// The Rust library: on Apple's systems the XCFramework that make-xcframework.sh puts beside this file; on Linux, where the
// tests run, libtakings_ffi.so and its header.
#if os(Linux)
let library: Target = .systemLibrary(name: "TakingsFFI", path: "Sources/TakingsFFI")
#else
let library: Target = .binaryTarget(name: "TakingsFFI", path: "TakingsFFI.xcframework")
#endif

// A library built with exports that fail on purpose, for the tests of that.
let planted: [SwiftSetting] = Context.environment["TAKINGS_PLANTED"] == nil ? [] : [.define("PLANTED")]

let package = Package(
    name: "Takings",
    platforms: [.iOS(.v16), .macOS(.v13)],
    products: [.library(name: "Takings", targets: ["Takings"])],
    targets: [
        library,
        // Generated code, in the language it is generated for. Hand-written code is Swift 6.
        .target(name: "TakingsBindings", dependencies: ["TakingsFFI"], swiftSettings: [.swiftLanguageMode(.v5)]),
        .target(name: "Takings", dependencies: ["TakingsBindings"]),
        // The days of tests/scenarios, played through this package. No product.
        .executableTarget(name: "scenarios", dependencies: ["Takings"], path: "Scenarios"),
        // Pages read against the clock, for tests/bench. No product.
        .executableTarget(name: "pages", dependencies: ["Takings"], path: "Pages"),
        .testTarget(name: "TakingsTests", dependencies: ["Takings"], swiftSettings: planted),
    ],
    swiftLanguageModes: [.v6]
)
