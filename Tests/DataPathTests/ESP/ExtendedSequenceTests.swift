import Testing
import Wire

@testable import DataPath

/// RFC 4303, appendix A2: `top` is (Th, Tl), the window is W.
@Suite struct ExtendedSequenceTests {
  private let window: UInt64 = 64

  private func infer(_ low: UInt32, top: UInt64) -> UInt64? {
    ExtendedSequence.infer(low, top: top, window: window)
  }

  @Test func insideOneSubspaceWhatIsInOrAboveTheWindowIsOfThatSubspace() {
    let top: UInt64 = 7 << 32 | 1000
    #expect(infer(1000, top: top) == top)
    #expect(infer(1000 - 63, top: top) == 7 << 32 | (1000 - 63))
    #expect(infer(.max, top: top) == 7 << 32 | 0xffff_ffff)
  }

  @Test func insideOneSubspaceWhatIsBelowTheWindowIsOfTheNext() {
    let top: UInt64 = 7 << 32 | 1000
    #expect(infer(1000 - 64, top: top) == 8 << 32 | (1000 - 64))
    #expect(infer(0, top: top) == 8 << 32)
  }

  @Test func aWindowThatJustFitsIntoItsSubspaceBeginsAtZero() {
    #expect(infer(0, top: 7 << 32 | 63) == 7 << 32)
    #expect(infer(.max, top: 7 << 32 | 63) == 7 << 32 | 0xffff_ffff)
  }

  @Test func aWindowAcrossTwoSubspacesTakesHighNumbersForTheOneBefore() {
    let top: UInt64 = 7 << 32 | 62
    #expect(infer(.max, top: top) == 6 << 32 | 0xffff_ffff)
    #expect(infer(.max - 1, top: top) == 7 << 32 | 0xffff_fffe)
    #expect(infer(0, top: top) == 7 << 32)
    #expect(infer(62, top: top) == top)
    #expect(infer(5000, top: top) == 7 << 32 | 5000)
  }

  @Test func nothingIsBeforeTheFirstSubspaceOrBehindTheLast() {
    #expect(infer(.max, top: 0) == nil)
    #expect(infer(.max - 62, top: 0) == nil)
    #expect(infer(.max - 63, top: 0) == 0xffff_ffc0)
    #expect(infer(0, top: 0) == 0)
    #expect(infer(5, top: .max) == nil)
    #expect(infer(.max, top: .max) == .max)
  }

  /// Whatever was sent from the window's lower end to 2^32 above it is inferred as it was.
  @Test func whatTheSenderHadIsInferred() {
    var generator = SeededGenerator(seed: 4)
    for size: UInt64 in [64, 4096] {
      for _ in 0..<20_000 {
        let near = UInt64.random(in: 0..<3, using: &generator) << 32
        let top = near &+ UInt64.random(in: 0..<10_000, using: &generator) &- (near > 0 ? 5000 : 0)
        let bottom = top < size ? 0 : top - size + 1
        let edge = Bool.random(using: &generator)
        let sent =
          edge
          ? UInt64.random(in: bottom...top + 8000, using: &generator)
          : UInt64.random(in: bottom...top + (1 << 32) - size, using: &generator)
        #expect(ExtendedSequence.infer(UInt32(truncatingIfNeeded: sent), top: top, window: size) == sent)
      }
    }
  }
}
