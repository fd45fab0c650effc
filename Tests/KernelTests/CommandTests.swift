import Testing

@testable import Kernel

@Suite struct CommandTests {
  @Test func aProgramGetsItsInputAndSucceedsInSilence() throws {
    try Command.run(["grep", "-q", "needle"], input: "hay\nneedle\n")
    try Command.run(["sh", "-c", "test $(wc -c) -eq 300000"], input: String(repeating: "x", count: 300_000))
  }

  @Test func aProgramThatFailsIsToldWithItsOwnWords() {
    let failure = #expect(throws: KernelError.self) { try Command.run(["sh", "-c", "echo no such table >&2; exit 3"]) }
    #expect(failure == .program(name: "sh", said: "no such table"))
    let silent = #expect(throws: KernelError.self) { try Command.run(["false"]) }
    #expect(silent == .program(name: "false", said: "exit code 1"))
  }

  @Test func aProgramThatIsNotThereIsToldByName() {
    let failure = #expect(throws: KernelError.self) { try Command.run(["weft-no-such-program"]) }
    #expect(failure?.description.contains("weft-no-such-program") == true)
    #expect(failure?.description.contains("No such file") == true)
    #expect(!Command.exists("weft-no-such-program") && Command.exists("sh"))
  }

  @Test func aProgramThatIgnoresItsInputEndsNobodyByASignal() throws {
    try Command.run(["true"], input: String(repeating: "x", count: 1_000_000))
  }
}
