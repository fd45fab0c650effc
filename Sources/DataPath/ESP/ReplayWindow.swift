/// Which of the latest sequence numbers were received (RFC 4303, sections 3.4.3 and A2.3).
///
/// A ring of words of 64 numbers: the word of a number is found by its upper bits, so moving the window only clears the
/// words that it enters, as RFC 6479 has it. The state is in memory of its own, which methods change without an
/// exclusive access that would be checked for each packet. One thread at a time.
struct ReplayWindow: ~Copyable {
  /// Numbers up to this far below the highest one are told apart.
  let size: UInt64
  /// The highest number that was received; 0 before the first.
  private let highest: UnsafeMutablePointer<UInt64>
  private let words: UnsafeMutablePointer<UInt64>
  private let mask: UInt64

  /// `size` is raised to a multiple of 64.
  init(size wanted: Int) {
    let count = max(1, (wanted + 63) / 64)
    size = UInt64(count) * 64
    // One word more than the window has, so that a word is never shared by both of its ends; a power of two.
    var capacity = 2
    while capacity < count + 1 { capacity *= 2 }
    mask = UInt64(capacity - 1)
    highest = .allocate(capacity: capacity + 1)
    highest.initialize(repeating: 0, count: capacity + 1)
    words = highest + 1
    // No packet has the number 0 (RFC 4303, section 3.3.3).
    words[0] = 1
  }

  deinit { highest.deallocate() }

  var top: UInt64 { highest.pointee }

  /// Whether the number may still come: it is in front of the window, or in it and was not received.
  func admits(_ sequence: UInt64) -> Bool {
    if sequence > top { return true }
    guard top - sequence < size else { return false }
    return words[index(sequence >> 6)] & bit(sequence) == 0
  }

  /// Marks a number that `admits` let in and whose packet was authentic.
  func mark(_ sequence: UInt64) {
    let word = sequence >> 6
    if sequence > top {
      let entered = Int(min(word - top >> 6, mask + 1))
      for step in 0..<entered { words[index(word &- UInt64(step))] = 0 }
      highest.pointee = sequence
    }
    words[index(word)] |= bit(sequence)
  }

  private func index(_ word: UInt64) -> Int { Int(word & mask) }

  private func bit(_ sequence: UInt64) -> UInt64 { 1 << (sequence & 63) }
}
