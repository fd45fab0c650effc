import Glibc

/// The library that this host's packets are sealed by.
package struct AEADChoice: Sendable {
  package let provider: any AEADProvider
  /// Why it is this one, as a sentence.
  package let reason: String

  /// Looked for once in a process, at the first use: some milliseconds.
  package static let best = AEADChoice()

  private init() {
    let libcrypto = LibcryptoProvider()
    do throws(MultiBufferLibrary.Unusable) {
      self.init(between: try MultiBufferLibrary.find(), and: libcrypto, measuring: Self.nanosecondsPerPacket)
    } catch {
      self.init(provider: libcrypto, reason: error.description)
    }
  }

  /// A library that is not faster than libcrypto is not worth a second one: newer versions of libcrypto have VAES, too.
  init(
    between found: any AEADProvider, and libcrypto: any AEADProvider, measuring measure: (any AEADProvider) -> Int
  ) {
    let (other, known) = (measure(found), measure(libcrypto))
    let times = "\(found.name) takes \(other) ns for a packet of 1,440 bytes, \(libcrypto.name) \(known) ns"
    if other < known {
      self.init(provider: found, reason: "\(times).")
    } else {
      self.init(provider: libcrypto, reason: "\(times): libcrypto is used.")
    }
  }

  private init(provider: any AEADProvider, reason: String) {
    self.provider = provider
    self.reason = reason
  }

  /// The best of several short rounds, as the process is not alone on the machine. `.max` for one that makes no key.
  private static func nanosecondsPerPacket(_ provider: any AEADProvider) -> Int {
    let (rounds, packets, length) = (8, 64, 1440)
    guard let key = provider.makeKey(Array(repeating: 0, count: AEADKey.length)) else { return .max }
    let packet = UnsafeMutableRawPointer.allocate(byteCount: 2048, alignment: 64)
    defer { packet.deallocate() }
    packet.initializeMemory(as: UInt8.self, repeating: 0, count: 2048)
    var best = Int.max
    for _ in 0..<rounds {
      let start = monotonicNanoseconds()
      for _ in 0..<packets {
        guard
          key.seal(
            nonce: packet, aad: packet + 16, aadLength: 12, bytes: packet + 32, count: length, tag: packet + 32 + length
          )
        else { return .max }
      }
      best = min(best, (monotonicNanoseconds() - start) / packets)
    }
    return best
  }

  private static func monotonicNanoseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
  }
}
