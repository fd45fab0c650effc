import Glibc
import Synchronization
import Testing
import Wire

@testable import Agent

@Suite struct StateDirectoryTests {
  let scratch = ScratchDirectory()

  /// A directory in which every file may be written.
  func prepared() throws -> StateDirectory {
    let directory = try scratch.open()
    try directory.write(.identity, [1])
    try directory.write(.boot, [2])
    return directory
  }

  @Test func whatWasWrittenIsReadByTheNextAgent() throws {
    let first = try prepared()
    for file in StateFile.allCases { try first.write(file, [UInt8](repeating: UInt8(file.rawValue), count: 5000)) }
    let second = try scratch.open()
    for file in StateFile.allCases {
      #expect(try second.read(file) == [UInt8](repeating: UInt8(file.rawValue), count: 5000))
    }
    #expect(scratch.names() == StateFile.allCases.map(\.name).sorted())
  }

  @Test func aFileWithoutContentIsAFile() throws {
    let directory = try prepared()
    try directory.write(.peers, [])
    #expect(try directory.read(.peers) == [])
    #expect(try directory.read(.tokens) == nil)
  }

  @Test func theDirectoryAndItsFilesAreForTheirOwnerAloneWhateverTheUmask() throws {
    let path = "\(scratch.path)/state"
    let directory = try StateDirectory(path: path)
    defer {
      unlink("\(path)/identity")
      rmdir(path)
    }
    try directory.write(.identity, [1])
    var status = stat()
    #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o700)
    #expect(stat("\(path)/identity", &status) == 0 && status.st_mode & 0o777 == 0o600)
  }

  @Test(arguments: StateDirectory.Step.allCases) func aCrashBeforeAnyStepLeavesTheOldContentOrTheNew(
    step: StateDirectory.Step
  ) throws {
    _ = try prepared()
    try scratch.open().write(.tokens, [1, 1, 1])
    let crashing = try scratch.open { $0 != step }
    #expect(throws: StateError.self) { try crashing.write(.tokens, [2, 2, 2, 2]) }

    let next = try scratch.open()
    let content = try next.read(.tokens)
    #expect(content == (step == .syncDirectory ? [2, 2, 2, 2] : [1, 1, 1]))
    next.removeLeftovers()
    #expect(scratch.names() == ["boot", "identity", "tokens"])
    try next.write(.tokens, [3])
    #expect(try next.read(.tokens) == [3])
  }

  @Test func aWriteThatReturnedTookEveryStepInOrder() throws {
    let steps = Mutex<[StateDirectory.Step]>([])
    let directory = try scratch.open { step in
      steps.withLock { $0.append(step) }
      return true
    }
    try directory.write(.identity, [1])
    #expect(steps.withLock { $0 } == [.create, .write, .sync, .rename, .syncDirectory])
  }

  @Test(arguments: StateFile.allCases) func everyPrefixOfAFileIsRefused(file: StateFile) throws {
    let directory = try prepared()
    try directory.write(file, Array("content of the file".utf8))
    let whole = scratch.bytes(file.name)
    #expect(whole.count == 48 + 19)
    for count in 0..<whole.count {
      scratch.put(file.name, Array(whole[..<count]))
      let damage: StateError.Damage = count == 0 ? .empty : .cut
      #expect(throws: StateError.damaged("\(scratch.path)/\(file.name)", damage)) { try directory.read(file) }
    }
    scratch.put(file.name, whole + [0])
    #expect(throws: StateError.damaged("\(scratch.path)/\(file.name)", .tail)) { try directory.read(file) }
    scratch.put(file.name, whole)
    #expect(try directory.read(file) == Array("content of the file".utf8))
  }

  @Test func everyFlippedBitIsRefused() throws {
    let directory = try prepared()
    try directory.write(.identity, [1, 2, 3, 4])
    let whole = scratch.bytes("identity")
    for bit in 0..<whole.count * 8 {
      var bytes = whole
      bytes[bit / 8] ^= 1 << (bit % 8)
      scratch.put("identity", bytes)
      #expect(throws: StateError.self, "bit \(bit)") { try directory.read(.identity) }
    }
  }

  @Test func aBlockOfZerosAsAPowerFailureLeavesItIsRefused() throws {
    let directory = try prepared()
    scratch.put("identity", [UInt8](repeating: 0, count: 67))
    #expect(throws: StateError.foreign("\(scratch.path)/identity")) { try directory.read(.identity) }
  }

  @Test func aForeignFileAFileOfAnotherKindAndOneOfANewerReleaseAreEachNamed() throws {
    let directory = try prepared()
    scratch.put("identity", Array("-----BEGIN PRIVATE KEY-----".utf8))
    #expect(throws: StateError.foreign("\(scratch.path)/identity")) { try directory.read(.identity) }

    try directory.write(.tokens, [9])
    scratch.put("identity", scratch.bytes("tokens"))
    #expect(throws: StateError.otherKind("\(scratch.path)/identity")) { try directory.read(.identity) }

    var newer = scratch.bytes("tokens")
    newer[9] = 2
    scratch.put("tokens", newer)
    let error = StateError.newer("\(scratch.path)/tokens", version: 2)
    #expect(throws: error) { try directory.read(.tokens) }
    #expect("\(error)".hasSuffix("has format 2, of a newer release of weftd: install that release again."))
  }

  @Test(arguments: StateFile.allCases.filter { !$0.foundations.isEmpty })
  func anIdentityThatIsMissingBesideAnyOtherFileIsNotMadeAnew(other: StateFile) throws {
    let directory = try prepared()
    try directory.write(other, [7])
    try directory.remove(.identity)
    let lost = StateError.lost("\(scratch.path)/identity")
    #expect(throws: lost) { try directory.read(.identity) }
    #expect(throws: lost) { try directory.write(.peers, [1]) }
    #expect("\(lost)".contains("identity is missing although other files there need it: put it back from a backup"))
  }

  @Test func aBootCounterThatIsMissingBesideACertificateIsNotBegunAnew() throws {
    let directory = try prepared()
    try directory.write(.certificate, [7])
    try directory.remove(.boot)
    #expect(throws: StateError.lost("\(scratch.path)/boot")) { try BootCounter.advance(directory) }
  }

  @Test func aFreshDirectoryHasNothingAndSaysSo() throws {
    let directory = try scratch.open()
    try MachineBinding(machineID: "m", firmwareID: "").check(directory)
    for file in StateFile.allCases where file != .machine { #expect(try directory.read(file) == nil) }
  }

  @Test func aDirectoryThatOthersMayWriteToIsRefused() throws {
    for mode in [0o770, 0o702, 0o777] as [mode_t] {
      chmod(scratch.path, mode)
      #expect(throws: StateError.writableByOthers(scratch.path)) { try StateDirectory(path: scratch.path) }
    }
    chmod(scratch.path, 0o700)
  }

  @Test(.enabled(if: geteuid() == 0, "only root can give a directory away")) func aDirectoryOfAnotherUserIsRefused()
    throws
  {
    chown(scratch.path, 4711, 4711)
    #expect(throws: StateError.notOurs(scratch.path, owner: 4711)) { try StateDirectory(path: scratch.path) }
    chown(scratch.path, 0, 0)
    let directory = try prepared()
    chown("\(scratch.path)/identity", 4711, 4711)
    #expect(throws: StateError.notOurs("\(scratch.path)/identity", owner: 4711)) { try directory.read(.identity) }
  }

  @Test func aFileThatOthersMayReadIsRefused() throws {
    let directory = try prepared()
    chmod("\(scratch.path)/identity", 0o640)
    #expect(throws: StateError.openToOthers("\(scratch.path)/identity")) { try directory.read(.identity) }
  }

  @Test func aLinkADirectoryOrAPipeInTheFilesPlaceIsRefusedAndNotFollowed() throws {
    let directory = try scratch.open()
    let error = StateError.notAFile("\(scratch.path)/identity")
    symlink("/etc/machine-id", "\(scratch.path)/identity")
    #expect(throws: error) { try directory.read(.identity) }
    unlink("\(scratch.path)/identity")
    mkdir("\(scratch.path)/identity", 0o700)
    #expect(throws: error) { try directory.read(.identity) }
    rmdir("\(scratch.path)/identity")
    mkfifo("\(scratch.path)/identity", 0o600)
    #expect(throws: error) { try directory.read(.identity) }
  }

  @Test func aPathThatIsNoDirectoryOrHasNoParentIsNamed() throws {
    scratch.put("file", [])
    #expect(throws: StateError.notADirectory("\(scratch.path)/file")) {
      try StateDirectory(path: "\(scratch.path)/file")
    }
    #expect(throws: StateError.noParent("\(scratch.path)/a/b")) { try StateDirectory(path: "\(scratch.path)/a/b") }
  }

  @Test(.enabled(if: geteuid() == 0, "only root can mount a small file system")) func aFullDiskKeepsTheOldContent()
    throws
  {
    let path = "\(scratch.path)/small"
    mkdir(path, 0o700)
    #expect(mount("tmpfs", path, "tmpfs", 0, "size=64k,mode=700") == 0)
    let opened = Result { try StateDirectory(path: path) }
    // The directory stays usable through its descriptor and goes with it.
    umount2(path, Int32(MNT_DETACH))
    rmdir(path)
    let directory = try opened.get()
    try directory.write(.identity, [1, 2, 3])
    let error = StateError.noSpace("\(path)/identity")
    #expect(throws: error) { try directory.write(.identity, [UInt8](repeating: 1, count: 100_000)) }
    #expect("\(error)".contains("what was stored before is still there"))
    #expect(try directory.read(.identity) == [1, 2, 3])
    // What the failed write took is free again.
    try directory.write(.identity, [UInt8](repeating: 4, count: 30_000))
    #expect(try directory.read(.identity)?.count == 30_000)
  }

  @Test func writersOfManyThreadsLeaveOneOfTheirContents() async throws {
    let directory = try prepared()
    await withTaskGroup { group in
      for writer in 0..<8 as Range<UInt8> {
        group.addTask {
          for _ in 0..<20 {
            do { try directory.write(.peers, [UInt8](repeating: writer, count: 10_000)) } catch {
              Issue.record("\(error)")
            }
          }
        }
      }
    }
    let content = try #require(try directory.read(.peers))
    #expect(content.count == 10_000 && Set(content).count == 1)
  }
}
