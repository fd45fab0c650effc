import Testing
import Wire

@testable import Trust

@Suite struct ReplayWindowTests {
  @Test func `Every counter is accepted once`() {
    var window = ReplayWindow()
    for counter: UInt64 in 0..<10_000 {
      #expect(window.accepts(counter))
      window.mark(counter)
      #expect(!window.accepts(counter))
    }
  }

  @Test func `2,047 behind the highest is accepted and 2,048 behind is not`() {
    for base: UInt64 in [5000, 5055, 5056, 4096, (1 << 40) - 1] {
      var window = ReplayWindow()
      window.mark(base)
      #expect(window.accepts(base - 2047))
      #expect(!window.accepts(base - 2048))
      window.mark(base - 2047)
      #expect(!window.accepts(base - 2047))
      #expect(window.accepts(base - 2046))
    }
  }

  @Test func `A leap forgets what lies behind it and nothing in it is taken for seen`() {
    for leap: UInt64 in [1, 63, 64, 65, 2047, 2048, 2049, 2112, 2113, 100_000] {
      var window = ReplayWindow()
      for counter: UInt64 in 0..<3000 { window.mark(counter) }
      let top = 2999 + leap
      window.mark(top)
      for counter in (top - 2047)...top {
        #expect(window.accepts(counter) == (counter > 2999 && counter != top), "leap \(leap), counter \(counter)")
      }
    }
  }

  @Test func `It judges as a list of everything seen would, whatever the order`() {
    var generator = SeededGenerator(seed: 3)
    var window = ReplayWindow()
    var seen: Set<UInt64> = []
    var highest: UInt64?
    var center: UInt64 = 0
    for _ in 0..<50_000 {
      center += UInt64.random(in: 0...3, using: &generator)
      if Int.random(in: 0..<500, using: &generator) == 0 { center += UInt64.random(in: 0...5000, using: &generator) }
      let back = UInt64.random(in: 0...2600, using: &generator)
      let counter = center > back ? center - back : center
      let expected = !seen.contains(counter) && (highest.map { counter > $0 || $0 - counter < 2048 } ?? true)
      #expect(window.accepts(counter) == expected)
      if expected {
        window.mark(counter)
        seen.insert(counter)
        highest = max(highest ?? 0, counter)
      }
    }
  }
}
