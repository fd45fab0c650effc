@testable import DataPath

/// The cipher of an SA without its window and its padding, on arrays.
final class TestCipher {
  struct NoKey: Error {}

  private let cipher: ESPCipher

  init(spi: UInt32 = ESPPair.spi, material: [UInt8] = ESPPair.material) throws {
    guard let cipher = ESPCipher(spi: spi, material: material, provider: LibcryptoProvider()) else { throw NoKey() }
    self.cipher = cipher
  }

  /// The packet with its last 16 bytes written, what is before them encrypted; nil if the library refused.
  func seal(_ packet: [UInt8], sequence: UInt64) -> [UInt8]? {
    changed(packet) { self.cipher.seal($0, length: $1, sequence: sequence) }
  }

  func open(_ packet: [UInt8], sequence: UInt64) -> [UInt8]? {
    changed(packet) { self.cipher.open($0, length: $1, sequence: sequence) }
  }

  private func changed(_ packet: [UInt8], _ body: (UnsafeMutableRawPointer, Int) -> Bool) -> [UInt8]? {
    var packet = packet
    let succeeded = packet.withUnsafeMutableBytes { memory in
      memory.baseAddress.map { body($0, memory.count) } ?? false
    }
    return succeeded ? packet : nil
  }
}
