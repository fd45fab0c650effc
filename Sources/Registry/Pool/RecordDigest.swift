/// A 64-bit fingerprint of a pool record's bytes.
///
/// It tells members of one pool, who trust each other, what they lack. It is no protection against a member that
/// builds collisions on purpose: that one could write the records themselves. FNV-1a (Fowler, Noll, Vo) with the
/// finalizer of SplitMix64, so that sums of digests do not cancel by accident.
package struct RecordDigest: Hashable, Comparable, Sendable {
  package let value: UInt64

  package init(_ value: UInt64) { self.value = value }

  package static func of(_ bytes: [UInt8]) -> RecordDigest {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    hash = (hash ^ hash >> 30) &* 0xbf58_476d_1ce4_e5b9
    hash = (hash ^ hash >> 27) &* 0x94d0_49bb_1331_11eb
    return RecordDigest(hash ^ hash >> 31)
  }

  package static func < (left: Self, right: Self) -> Bool { left.value < right.value }
}
