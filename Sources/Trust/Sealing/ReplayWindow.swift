/// Remembers which counters have come, over a sliding window, as RFC 6479 does: a ring of 64-bit words in which moving
/// on clears whole words instead of shifting bits.
struct ReplayWindow {
  /// Counters at least this far behind the highest one are refused.
  static let size: UInt64 = 2048
  private static let wordCount = Int(size / 64) + 1

  private var words = [UInt64](repeating: 0, count: wordCount)
  private var highest: UInt64?

  /// Whether `counter` is new. Asked before the tag is checked, it changes nothing.
  func accepts(_ counter: UInt64) -> Bool {
    guard let highest, counter <= highest else { return true }
    guard highest - counter < Self.size else { return false }
    return words[Self.word(counter)] & Self.bit(counter) == 0
  }

  /// Marks a counter that `accepts` took and whose packet has proven genuine.
  mutating func mark(_ counter: UInt64) {
    if let highest {
      if counter > highest {
        let steps = min(counter / 64 - highest / 64, UInt64(Self.wordCount))
        if steps > 0 {
          for step in 1...steps { words[Self.word((highest / 64 + step) &* 64)] = 0 }
        }
        self.highest = counter
      }
    } else {
      highest = counter
    }
    words[Self.word(counter)] |= Self.bit(counter)
  }

  private static func word(_ counter: UInt64) -> Int { Int(counter / 64 % UInt64(wordCount)) }

  private static func bit(_ counter: UInt64) -> UInt64 { 1 << (counter % 64) }
}
