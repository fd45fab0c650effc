import Testing
import Wire

@testable import Agent

@Suite struct BootCounterTests {
  let scratch = ScratchDirectory()

  func fresh() throws -> StateDirectory {
    let directory = try scratch.open()
    try directory.write(.identity, [1])
    return directory
  }

  @Test func everyRunIsHigherThanTheOneBeforeAndHasItsOwnNonce() throws {
    _ = try fresh()
    let boots = try (0..<5).map { _ in try BootCounter.advance(scratch.open()) }
    #expect(boots.map(\.counter) == [1, 2, 3, 4, 5])
    #expect(Set(boots.map(\.nonce)).count == 5)
    #expect(boots == boots.sorted())
  }

  @Test func aRunPassesTheCounterThatThePoolKnows() throws {
    let directory = try fresh()
    _ = try BootCounter.advance(directory)
    #expect(try BootCounter.advance(directory, past: 40).counter == 41)
    #expect(try BootCounter.advance(directory, past: 7).counter == 42)
  }

  @Test func aRunThatIsNotOnTheDiskIsNotHandedOut() throws {
    let directory = try fresh()
    _ = try BootCounter.advance(directory)
    for step in StateDirectory.Step.allCases {
      let crashing = try scratch.open { $0 != step }
      #expect(throws: StateError.self) { try BootCounter.advance(crashing) }
    }
    #expect(try BootCounter.advance(directory).counter >= 2)
  }

  @Test func theEndOfTheRangeIsAnErrorNotATrap() throws {
    let directory = try fresh()
    #expect(throws: StateError.bootsExhausted("\(scratch.path)/boot")) {
      try BootCounter.advance(directory, past: .max)
    }
  }

  @Test func aCounterOfAWrongSizeIsRefused() throws {
    let directory = try fresh()
    try directory.write(.boot, [1, 2, 3])
    #expect(throws: StateError.damaged("\(scratch.path)/boot", .cut)) { try BootCounter.advance(directory) }
  }
}
