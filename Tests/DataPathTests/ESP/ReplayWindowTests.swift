import Testing
import Wire

@testable import DataPath

@Suite struct ReplayWindowTests {
  @Test func aNumberIsAdmittedOnce() {
    let window = Window(size: 64)
    for sequence: UInt64 in [1, 2, 64, 63, 65, 200] {
      #expect(window.admits(sequence))
      window.mark(sequence)
      #expect(!window.admits(sequence))
    }
    #expect(window.top == 200)
  }

  @Test func zeroIsNeverAdmitted() {
    #expect(!Window(size: 64).admits(0))
  }

  @Test func theEdgeIsOneSizeBelowTheTop() {
    for top: UInt64 in [1000, 1023, 1024, 1 << 32, .max] {
      let window = Window(size: 128)
      window.mark(top)
      #expect(window.admits(top - 127))
      #expect(!window.admits(top - 128))
      #expect(!window.admits(top - 129))
    }
  }

  @Test func aSizeIsRaisedToWholeWords() {
    #expect(Window(size: 0).size == 64)
    #expect(Window(size: 65).size == 128)
    #expect(Window(size: 4096).size == 4096)
  }

  @Test func aJumpOverTheWholeRingForgetsWhatWasBefore() {
    let window = Window(size: 64)
    for sequence: UInt64 in 1...64 { window.mark(sequence) }
    window.mark(1 << 40)
    for below: UInt64 in 1..<64 { #expect(window.admits(1 << 40 - below)) }
  }

  @Test func anythingItAdmitsAListOfAllNumbersAdmits() {
    var generator = SeededGenerator(seed: 9)
    for size in [64, 128, 192, 4096] {
      let window = Window(size: size)
      var seen: Set<UInt64> = [0]
      var top: UInt64 = 0
      for _ in 0..<20_000 {
        let jump = UInt64.random(in: 0..<20, using: &generator) == 0 ? UInt64(size) * 3 : 8
        let low = top > UInt64(size) + 70 ? top - UInt64(size) - 70 : 0
        let sequence =
          Bool.random(using: &generator)
          ? UInt64.random(in: low...top, using: &generator)
          : top + UInt64.random(in: 1...jump, using: &generator)
        let expected = sequence > top || (top - sequence < size && !seen.contains(sequence))
        #expect(window.admits(sequence) == expected)
        guard expected else { continue }
        window.mark(sequence)
        seen.insert(sequence)
        top = max(top, sequence)
      }
      #expect(window.top == top)
    }
  }
}

/// A window that expectations may hold.
private final class Window {
  private let window: ReplayWindow

  init(size: Int) { window = ReplayWindow(size: size) }

  var size: UInt64 { window.size }
  var top: UInt64 { window.top }

  func admits(_ sequence: UInt64) -> Bool { window.admits(sequence) }

  func mark(_ sequence: UInt64) { window.mark(sequence) }
}
