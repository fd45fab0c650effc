/// Extended sequence numbers: 64 bits, of which a packet carries the low half (RFC 4303, section 2.2.1 and appendix A).
enum ExtendedSequence {
  /// The number whose low half came, given the highest number that was received and the size of the window (appendix
  /// A2.2). nil if it would be below 0 or above 64 bits: no sender ever had it.
  static func infer(_ low: UInt32, top: UInt64, window: UInt64) -> UInt64? {
    let (highest, lowest) = (UInt32(truncatingIfNeeded: top), UInt32(truncatingIfNeeded: top &- window &+ 1))
    var high = top >> 32
    if UInt64(highest) >= window - 1 {
      // Case A, the window lies within one subspace: what is below it belongs to the next one.
      if low < lowest {
        guard high < UInt64(UInt32.max) else { return nil }
        high += 1
      }
    } else if low >= lowest {
      // Case B, the window begins in the subspace before.
      guard high > 0 else { return nil }
      high -= 1
    }
    return high << 32 | UInt64(low)
  }
}
