/// One text that is sealed and opened in the middle of memory that has to stay as it is.
struct AEADTrial {
  /// A key that arrays can hold.
  final class SharedKey {
    let key: AEADKey

    init(_ key: consuming AEADKey) { self.key = key }
  }

  struct Keys {
    var tried: SharedKey
    var known: SharedKey
  }

  private static let margin = 128
  private static let untouched: UInt8 = 0xa5

  private let key: SharedKey
  private let aad: [UInt8]
  private let nonce: [UInt8]
  private let count: Int
  private let offset: Int
  private var memory: [UInt8]

  static func key(of provider: any AEADProvider, _ bytes: [UInt8]) -> SharedKey? {
    guard let key = provider.makeKey(bytes) else { return nil }
    return SharedKey(key)
  }

  /// The text stands `offset` bytes off the alignment of an array, its tag behind it.
  init(key: SharedKey, text: [UInt8], aad: [UInt8], nonce: [UInt8], offset: Int) {
    self.key = key
    self.aad = aad
    self.nonce = nonce
    count = text.count
    self.offset = Self.margin + offset
    memory = Array(repeating: Self.untouched, count: 2 * Self.margin + offset + text.count + AEADKey.tagLength)
    memory.replaceSubrange(self.offset..<self.offset + count, with: text)
  }

  var text: [UInt8] { Array(memory[offset..<offset + count]) }
  var tag: [UInt8] { Array(memory[offset + count..<offset + count + AEADKey.tagLength]) }

  var isIntactAround: Bool {
    memory[..<offset].allSatisfy { $0 == Self.untouched }
      && memory[(offset + count + AEADKey.tagLength)...].allSatisfy { $0 == Self.untouched }
  }

  mutating func seal() -> Bool {
    let (key, count) = (key, count)
    return withMemory { nonce, aad, aadLength, bytes in
      key.key.seal(nonce: nonce, aad: aad, aadLength: aadLength, bytes: bytes, count: count, tag: bytes + count)
    }
  }

  mutating func open() -> Bool {
    let (key, count) = (key, count)
    return withMemory { nonce, aad, aadLength, bytes in
      key.key.open(nonce: nonce, aad: aad, aadLength: aadLength, bytes: bytes, count: count, tag: bytes + count)
    }
  }

  /// Gives nonce, additional data and text to `body`, as pointers.
  private mutating func withMemory(
    _ body: (UnsafeRawPointer, UnsafeRawPointer, Int, UnsafeMutableRawPointer) -> Bool
  ) -> Bool {
    let offset = offset
    return memory.withUnsafeMutableBytes { memory in
      aad.withUnsafeBytes { aad in
        nonce.withUnsafeBytes { nonce in
          guard let bytes = memory.baseAddress, let nonce = nonce.baseAddress else { return false }
          return body(nonce, aad.baseAddress ?? nonce, aad.count, bytes + offset)
        }
      }
    }
  }

  /// Opens what is sealed here, and before that with one bit changed, of the text or of the tag, which must not open.
  mutating func failureToOpen(_ original: [UInt8], changing bit: Int) -> String? {
    let sealed = memory
    let changed = bit % ((count + AEADKey.tagLength) * 8)
    memory[offset + changed / 8] ^= 1 << (changed % 8)
    guard !open() else { return "it opens a changed text" }
    memory = sealed
    return open() && text == original ? nil : "it does not open its own text"
  }
}
