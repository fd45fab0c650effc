/// A library that does AES-256-GCM.
package protocol AEADProvider: Sendable {
  /// The library with its version.
  var name: String { get }

  /// A key of 32 bytes. nil for another length, or when the library has no memory for it.
  func makeKey(_ key: [UInt8]) -> AEADKey?
}
