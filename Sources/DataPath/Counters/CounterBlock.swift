import CLinux

/// Counters of one thing, a row for each thread: a thread writes its own row only, with plain additions, and the engine's
/// thread sums up all rows.
final class CounterBlock<Kind: Counter> {
  /// Rows begin on cache lines of their own, and on pairs of them, as processors fetch two.
  private static var alignment: Int { 128 }

  private let words: UnsafeMutablePointer<UInt64>
  private let stride: Int
  private let threads: Int

  init(threads: Int) {
    let perLine = Self.alignment / MemoryLayout<UInt64>.size
    stride = (Kind.count + DropReason.count + perLine - 1) / perLine * perLine
    self.threads = threads
    let bytes = stride * threads * MemoryLayout<UInt64>.size
    words = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: Self.alignment)
      .initializeMemory(as: UInt64.self, repeating: 0, count: stride * threads)
  }

  deinit { words.deallocate() }

  /// What threads write to; stands as long as the block.
  var rows: CounterRows<Kind> { CounterRows(words: words, stride: stride) }

  /// Over all threads.
  func sum(_ counter: Kind) -> UInt64 { sum(counter.rawValue) }

  private func sum(_ place: Int) -> UInt64 {
    (0..<threads).reduce(0) { $0 &+ weft_load(words + $1 * stride + place) }
  }

  /// Those that are not 0.
  var drops: [DropReason: UInt64] {
    var drops: [DropReason: UInt64] = [:]
    for reason in DropReason.allCases {
      let number = sum(Kind.count + Int(reason.rawValue))
      if number != 0 { drops[reason] = number }
    }
    return drops
  }
}

struct CounterRows<Kind: Counter> {
  fileprivate let words: UnsafeMutablePointer<UInt64>
  fileprivate let stride: Int

  func row(_ thread: Int) -> CounterRow<Kind> { CounterRow(words: words + thread &* stride) }
}

/// One thread's counters of one thing.
struct CounterRow<Kind: Counter> {
  fileprivate let words: UnsafeMutablePointer<UInt64>

  func add(_ number: Int, to counter: Kind) {
    weft_add(words + counter.rawValue, UInt64(truncatingIfNeeded: number))
  }

  func drop(_ reason: DropReason, _ number: Int = 1) {
    weft_add(words + Kind.count + Int(reason.rawValue), UInt64(truncatingIfNeeded: number))
  }

  func value(_ counter: Kind) -> UInt64 { weft_load(words + counter.rawValue) }
}
