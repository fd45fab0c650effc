// swift-tools-version:6.2
import PackageDescription

// Every target of Weft builds in Swift 6 language mode with warnings as errors. The list of a target's dependencies is
// the list of arrows in Docs/architecture.md; `Tests/arrows.sh` checks imports against both.
let strict: [SwiftSetting] = [
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
]

let package = Package(
  name: "weft",
  products: [
    .executable(name: "weftd", targets: ["weftd"]),
    .executable(name: "weft", targets: ["weft"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.6"),
    .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-asn1.git", from: "1.7.4"),
    .package(url: "https://github.com/apple/swift-certificates.git", from: "1.21.1"),
    .package(url: "https://github.com/apple/swift-http-types.git", from: "1.8.0", traits: []),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
    .package(url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.1", traits: []),
  ],
  targets: [
    .systemLibrary(
      name: "CNetlink", pkgConfig: "libnl-3.0 libnl-route-3.0",
      providers: [.apt(["libnl-3-dev", "libnl-route-3-dev"])]),
    .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .target(name: "CLinux"),
    .target(name: "Wire", swiftSettings: strict),
    .target(name: "Membership", dependencies: ["Wire"], swiftSettings: strict),
    .target(name: "Registry", dependencies: ["Wire"], swiftSettings: strict),
    .target(name: "Associations", dependencies: ["Wire"], swiftSettings: strict),
    .target(name: "Overlay", dependencies: ["Wire", "Registry"], swiftSettings: strict),
    .target(
      name: "Trust",
      dependencies: [
        "Wire",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "SwiftASN1", package: "swift-asn1"),
        .product(name: "X509", package: "swift-certificates"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ], swiftSettings: strict),
    .target(name: "Kernel", dependencies: ["CNetlink", "CLinux", "Wire"], swiftSettings: strict),
    .target(name: "DataPath", dependencies: ["COpenSSL", "CLinux", "Wire"], swiftSettings: strict),
    .target(
      name: "Control",
      dependencies: [
        "Wire",
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ], swiftSettings: strict),
    .target(
      name: "Agent",
      dependencies: [
        "CLinux", "Wire", "Membership", "Registry", "Associations", "Overlay", "Trust", "Kernel", "DataPath",
        "Control",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "NIOTLS", package: "swift-nio"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ], swiftSettings: strict),
    .executableTarget(
      name: "weftd",
      dependencies: [
        "Agent",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ], swiftSettings: strict),
    .executableTarget(
      name: "weft",
      dependencies: [
        "Control",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ], swiftSettings: strict),
    .testTarget(name: "WireTests", dependencies: ["Wire"], swiftSettings: strict),
    .testTarget(name: "MembershipTests", dependencies: ["Membership", "Wire"], swiftSettings: strict),
    .testTarget(name: "RegistryTests", dependencies: ["Registry", "Wire"], swiftSettings: strict),
    .testTarget(name: "AssociationsTests", dependencies: ["Associations", "Wire"], swiftSettings: strict),
    .target(name: "CAllocations", path: "Tests/CAllocations"),
    .target(name: "Namespaces", dependencies: ["CLinux"], path: "Tests/Namespaces", swiftSettings: strict),
    .testTarget(
      name: "DataPathTests", dependencies: ["CAllocations", "CLinux", "DataPath", "Namespaces", "Wire"],
      swiftSettings: strict),
    .testTarget(name: "OverlayTests", dependencies: ["Overlay", "Registry", "Wire"], swiftSettings: strict),
    .testTarget(
      name: "TrustTests",
      dependencies: [
        "Trust", "Wire",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "X509", package: "swift-certificates"),
      ], swiftSettings: strict),
    .testTarget(
      name: "ControlTests",
      dependencies: [
        "Control", "weft",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ], swiftSettings: strict),
    .testTarget(
      name: "AgentTests",
      dependencies: [
        "Agent", "CLinux", "DataPath", "Membership", "Namespaces", "Registry", "Trust", "Wire",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ], swiftSettings: strict),
    .testTarget(
      name: "SimulationTests", dependencies: ["Associations", "Membership", "Registry", "Wire"], swiftSettings: strict),
    .testTarget(
      name: "KernelTests",
      dependencies: [
        "Agent", "Associations", "CLinux", "DataPath", "Kernel", "Namespaces", "Overlay", "Registry", "Trust", "Wire",
      ],
      swiftSettings: strict),
    .testTarget(name: "EndToEndTests", dependencies: ["CLinux", "Wire"], swiftSettings: strict),
  ]
)

// MARK: FUZZ
// The fuzz targets exist only when Tests/Fuzz/run.sh asks for them: what they look into is built for libFuzzer then, with
// optimization, as the fuzzer lives on speed; other packages are built as for the tests. The fuzz targets themselves are
// not watched: half of what the fuzzer saw and of its time would be their own checks.
if Context.environment["FUZZ"] != nil {
  let fast: [SwiftSetting] = [.unsafeFlags(["-O"])]
  let watching: [SwiftSetting] = [.unsafeFlags(["-sanitize=fuzzer"])]
  let watched: Set = ["Wire", "Membership", "Registry", "Associations", "Trust", "DataPath", "Agent"]
  for target in package.targets where watched.contains(target.name) { target.swiftSettings? += fast + watching }
  package.targets.append(
    .executableTarget(
      name: "WeftFuzz",
      dependencies: [
        "Agent", "Associations", "DataPath", "Membership", "Registry", "Trust", "Wire",
        .product(name: "Crypto", package: "swift-crypto"),
      ], path: "Tests/Fuzz", exclude: ["run.sh"],
      swiftSettings: strict + fast + [.unsafeFlags(["-parse-as-library"])],
      linkerSettings: [.unsafeFlags(["-sanitize=fuzzer"])]))
}
