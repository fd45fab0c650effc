import COpenSSL

/// AES-256-GCM as ESP uses it (RFC 4106), with extended sequence numbers: one key of one SA, for one thread.
struct ESPCipher: ~Copyable {
  /// 32 bytes of key and 4 of salt (RFC 4106, section 8.1).
  static let materialLength = AEADKey.length + saltLength
  private static let saltLength = 4

  private let key: AEADKey
  /// The nonce (RFC 4106, section 4: salt and IV), and from `aad` on the additional data (section 5: SPI, both halves
  /// of the sequence number). Salt and SPI are written once.
  private let scratch: UnsafeMutableRawPointer
  private static let aad = 16
  private static let aadLength = 12
  private static let scratchSize = 64

  /// nil for material of another length, or when the provider makes no key.
  init?(spi: UInt32, material: [UInt8], provider: any AEADProvider) {
    guard material.count == Self.materialLength else { return nil }
    var bytes = Array(material[..<AEADKey.length])
    defer { bytes.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) } }
    guard let key = provider.makeKey(bytes) else { return nil }
    self.key = key
    scratch = .allocate(byteCount: Self.scratchSize, alignment: Self.scratchSize)
    scratch.initializeMemory(as: UInt8.self, repeating: 0, count: Self.scratchSize)
    for (place, byte) in material[AEADKey.length...].enumerated() { scratch.store8(byte, at: place) }
    scratch.store32(spi, at: Self.aad)
  }

  deinit {
    OPENSSL_cleanse(scratch, Self.scratchSize)
    scratch.deallocate()
  }

  /// Encrypts what stands between the IV of `packet` and its ICV, and writes the ICV. `length` is that of the packet.
  func seal(_ packet: UnsafeMutableRawPointer, length: Int, sequence: UInt64) -> Bool {
    prepare(packet, sequence)
    return key.seal(
      nonce: scratch, aad: scratch + Self.aad, aadLength: Self.aadLength, bytes: packet + ESPLayout.payload,
      count: length - ESPLayout.payload - ESPLayout.icvLength, tag: packet + length - ESPLayout.icvLength)
  }

  /// The way back. `length` has to be one that `ESPLayout.isPossible`. False: the ICV does not fit `sequence` and the
  /// bytes.
  func open(_ packet: UnsafeMutableRawPointer, length: Int, sequence: UInt64) -> Bool {
    prepare(packet, sequence)
    return key.open(
      nonce: scratch, aad: scratch + Self.aad, aadLength: Self.aadLength, bytes: packet + ESPLayout.payload,
      count: length - ESPLayout.payload - ESPLayout.icvLength, tag: packet + length - ESPLayout.icvLength)
  }

  private func prepare(_ packet: UnsafeMutableRawPointer, _ sequence: UInt64) {
    (scratch + Self.saltLength).copyMemory(
      from: packet + ESPLayout.iv, byteCount: AEADKey.nonceLength - Self.saltLength)
    scratch.store32(UInt32(truncatingIfNeeded: sequence >> 32), at: Self.aad + 4)
    scratch.store32(UInt32(truncatingIfNeeded: sequence), at: Self.aad + 8)
  }
}
