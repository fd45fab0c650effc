import Testing

@testable import DataPath

@Suite struct CounterBlockTests {
  @Test func theNumberOfCountersIsWrittenDownRight() {
    #expect(NetworkCounter.count == NetworkCounter.allCases.count)
    #expect(PeerCounter.count == PeerCounter.allCases.count)
    #expect(QueueCounter.count == QueueCounter.allCases.count)
  }

  @Test func whatThreadsCountIsSummedUpAndKeptApart() {
    let block = CounterBlock<PeerCounter>(threads: 3)
    for thread in 0..<3 {
      for (place, counter) in PeerCounter.allCases.enumerated() {
        block.rows.row(thread).add((thread + 1) * (place + 1), to: counter)
      }
      for reason in DropReason.allCases { block.rows.row(thread).drop(reason, Int(reason.rawValue)) }
    }
    for (place, counter) in PeerCounter.allCases.enumerated() { #expect(block.sum(counter) == UInt64(6 * (place + 1))) }
    for reason in DropReason.allCases where reason.rawValue > 0 {
      #expect(block.drops[reason] == UInt64(reason.rawValue) * 3)
    }
    #expect(block.drops.count == DropReason.allCases.count - 1)
  }
}
