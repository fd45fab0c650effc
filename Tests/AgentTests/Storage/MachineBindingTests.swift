import Testing

@testable import Agent

@Suite struct MachineBindingTests {
  let scratch = ScratchDirectory()
  let here = MachineBinding(machineID: "aaaa", firmwareID: "1111")

  func outcome(_ binding: MachineBinding) -> StateError? {
    do {
      try binding.check(scratch.open())
      return nil
    } catch {
      return error as? StateError
    }
  }

  @Test func aDirectoryServesItsMachineAgainAndAgain() {
    #expect(outcome(here) == nil)
    #expect(outcome(here) == nil)
  }

  @Test func aCopyOnAnotherMachineIsRefusedWithASentence() {
    #expect(outcome(here) == nil)
    let refusal = StateError.otherMachine(scratch.path)
    #expect(outcome(MachineBinding(machineID: "bbbb", firmwareID: "2222")) == refusal)
    // A clone of the whole disk has the same machine ID, but not the same firmware.
    #expect(outcome(MachineBinding(machineID: "aaaa", firmwareID: "2222")) == refusal)
    #expect(outcome(MachineBinding(machineID: "bbbb", firmwareID: "1111")) == refusal)
    #expect(outcome(MachineBinding(machineID: "bbbb", firmwareID: "")) == refusal)
    #expect("\(refusal)".contains("was made on another machine"))
    #expect(outcome(here) == nil)
  }

  @Test func whatWasUnknownAtFirstIsLearnedAndThenCounts() {
    #expect(outcome(MachineBinding(machineID: "aaaa", firmwareID: "")) == nil)
    #expect(outcome(here) == nil)
    #expect(outcome(MachineBinding(machineID: "aaaa", firmwareID: "2222")) == .otherMachine(scratch.path))
  }

  @Test func aMachineThatCannotNameItselfIsNotTakenForTheRightOne() {
    #expect(outcome(here) == nil)
    #expect(outcome(MachineBinding(machineID: "aaaa", firmwareID: "")) == nil)
    #expect(outcome(MachineBinding(machineID: "", firmwareID: "")) == .machineUnknown(scratch.path))
  }

  @Test func aDamagedBindingIsRefused() throws {
    try scratch.open().write(.machine, [0, 9, 1])
    #expect(outcome(here) == .damaged("\(scratch.path)/machine", .cut))
  }

  @Test func theNamesComeFromTheFilesOfTheSystem() {
    scratch.put("machine-id", Array("0123abcd\n".utf8))
    scratch.put("uuid", Array("ABCD-EF\n".utf8))
    let binding = MachineBinding.current(
      machineIDPath: "\(scratch.path)/machine-id", firmwareIDPath: "\(scratch.path)/uuid")
    #expect(binding == MachineBinding(machineID: "0123abcd", firmwareID: "abcd-ef"))
    scratch.put("machine-id", Array("uninitialized\n".utf8))
    let none = MachineBinding.current(
      machineIDPath: "\(scratch.path)/machine-id", firmwareIDPath: "\(scratch.path)/missing")
    #expect(none == MachineBinding(machineID: "", firmwareID: ""))
  }
}
