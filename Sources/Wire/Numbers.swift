/// A VXLAN network identifier or GRE key: 24 bits (RFC 7348 section 5). 0 is not given to networks.
package struct VNI: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let value: UInt32

  /// nil outside 1 to 16,777,215.
  package init?(_ value: UInt32) {
    guard (1..<1 << 24).contains(value) else { return nil }
    self.value = value
  }

  package var description: String { String(value) }

  package static func < (left: Self, right: Self) -> Bool { left.value < right.value }
}

/// A security parameters index (RFC 4301 section 4.1), which the receiver draws: with its address and the protocol it
/// names one SA there. 0 to 255 are reserved.
package struct SPI: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let value: UInt32

  /// nil below 256.
  package init?(_ value: UInt32) {
    guard value >= 256 else { return nil }
    self.value = value
  }

  package var description: String {
    var writer = ByteWriter()
    writer.append(value)
    return "0x" + Hex.string(writer.bytes)
  }

  package static func < (left: Self, right: Self) -> Bool { left.value < right.value }
}

/// One run of an agent. A later run of the same host is greater: the counter is on disk before the first packet
/// leaves; the nonce tells apart two runs that drew the same counter (a state directory restored from a copy).
package struct Boot: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let counter: UInt64
  package let nonce: UInt64

  package init(counter: UInt64, nonce: UInt64) {
    self.counter = counter
    self.nonce = nonce
  }

  package static func < (left: Self, right: Self) -> Bool {
    left.counter != right.counter ? left.counter < right.counter : left.nonce < right.nonce
  }

  package var description: String {
    var writer = ByteWriter()
    writer.append(nonce)
    return "\(counter)/\(Hex.string(writer.bytes))"
  }
}

/// Numbers the statements of one boot of one host; only grows. 0 stands before the first statement.
package typealias Version = UInt64

/// A host's answer to rumours about itself (SWIM section 4.2): it raises the number to refute a suspicion.
package typealias Incarnation = UInt64

/// How often a MAC has moved (RFC 7432 section 7.7): the claim with the higher number owns the MAC.
package struct MobilitySequence: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let value: UInt64

  package init(_ value: UInt64) { self.value = value }

  /// The next number; nil at the end of the range, which no honest pool reaches.
  package var next: MobilitySequence? {
    let (sum, overflow) = value.addingReportingOverflow(1)
    return overflow ? nil : MobilitySequence(sum)
  }

  package var description: String { String(value) }

  package static func < (left: Self, right: Self) -> Bool { left.value < right.value }
}

/// A reading of the monotonic clock, in nanoseconds from a start of its own. Never a time of day, never sent.
package struct Instant: Hashable, Comparable, Sendable {
  package let nanoseconds: UInt64

  package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

  package static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }

  package static func + (left: Self, right: Duration) -> Self {
    let (seconds, attoseconds) = right.components
    let delta = max(0, seconds) &* 1_000_000_000 &+ attoseconds / 1_000_000_000
    return Instant(nanoseconds: left.nanoseconds &+ UInt64(max(0, delta)))
  }

  /// How long from `right` to `left`; zero if `left` is the earlier one.
  package static func - (left: Self, right: Self) -> Duration {
    left < right ? .zero : .nanoseconds(Int64(min(left.nanoseconds - right.nanoseconds, UInt64(Int64.max))))
  }
}

extension ByteWriter {
  package mutating func append(_ boot: Boot) {
    append(boot.counter)
    append(boot.nonce)
  }
}

extension ByteReader {
  package mutating func readBoot() throws(WireError) -> Boot {
    Boot(counter: try readUInt64("boot counter"), nonce: try readUInt64("boot nonce"))
  }

  package mutating func readMAC() throws(WireError) -> MACAddress {
    guard let mac = MACAddress(octets: try readBytes(6, "MAC address")) else { throw .invalid("MAC address") }
    return mac
  }

  package mutating func readVNI() throws(WireError) -> VNI {
    guard let vni = VNI(try readUInt32("VNI")) else { throw .invalid("VNI") }
    return vni
  }
}
