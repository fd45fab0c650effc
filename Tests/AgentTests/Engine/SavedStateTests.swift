import Registry
import Testing
import Trust
import Wire

@testable import Agent

/// What an agent begins with, from a real directory.
@Suite struct SavedStateTests {
  private let scratch = ScratchDirectory()
  private let seed = Endpoint(address: .v4(0xc000_0203), port: 7677)

  /// What a member keeps, but for the identity and the boot counter.
  private func writePapers(_ directory: StateDirectory, _ identity: HostIdentity) throws {
    let ca = try PoolCA(poolName: "east", pool: .random())
    let boot = Boot(counter: 1, nonce: 2)
    let other = HostID(high: 1, low: 2)
    try directory.write(.trust, try PoolTrust(rootCertificate: ca.certificate).encoded)
    try directory.write(.authority, AuthorityFile.encode([ca]))
    try directory.write(.poolRecords, RecordFile.encode([[1, 2], [3]]))
    try directory.write(.certificate, OwnCertificates(try ca.issue(for: identity.publicKey)).encoded)
    try directory.write(.floors, Floor.encode([Floor(host: other, boot: boot, version: 7)]))
    try directory.write(.statements, [9, 9])
    let peer = PeerAddress(host: other, endpoint: Endpoint(address: .v4(0xc000_0202), port: 7677), boot: boot)
    try directory.write(.peers, PeerAddress.encode([peer], seeds: [seed]))
    try directory.write(.tokens, TokenLedger().encoded(now: Reactor.now()))
  }

  /// The directory of a member that has run once.
  private func member() throws -> (directory: StateDirectory, identity: HostIdentity) {
    let directory = try scratch.open()
    let identity = try SavedState(directory).identity
    try writePapers(directory, identity)
    return (directory, identity)
  }

  private func contents() -> [String: [UInt8]] {
    Dictionary(uniqueKeysWithValues: scratch.names().map { ($0, scratch.bytes($0)) })
  }

  @Test func aFreshDirectoryGetsAnIdentityThatTheNextStartFindsAgain() throws {
    let directory = try scratch.open()
    let first = try SavedState(directory)
    #expect(first.papers == nil && first.ledger.isEmpty)
    #expect(first.boot.counter == 1)
    #expect(scratch.names() == ["boot", "identity"])
    let second = try SavedState(try scratch.open())
    #expect(second.identity.hostID == first.identity.hostID)
    #expect(second.identity.staticPublicKey == first.identity.staticPublicKey)
    #expect(second.boot.counter == 2 && second.boot > first.boot)
  }

  @Test func aMembersDirectoryGivesBackAllThatItHad() throws {
    let (directory, identity) = try member()
    let saved = try SavedState(directory)
    let papers = try #require(saved.papers)
    #expect(saved.identity.hostID == identity.hostID && saved.boot.counter == 2)
    let certificate = try #require(papers.certificates.preferred(by: papers.trust))
    #expect(try papers.trust.trust(certificate).id == identity.hostID)
    #expect(papers.authorities.map(\.pool) == [papers.trust.pool])
    #expect(papers.poolRecords == [[1, 2], [3]])
    #expect(papers.floors.map(\.version) == [7])
    #expect(papers.ownStatements == [9, 9])
    #expect(papers.peers.map(\.host) == [HostID(high: 1, low: 2)] && papers.seeds == [seed])
  }

  @Test func whatAMemberNeedNotHaveMayBeMissing() throws {
    let (directory, _) = try member()
    for file in [.authority, .floors, .statements, .peers, .tokens] as [StateFile] { try directory.remove(file) }
    let saved = try SavedState(directory)
    let papers = try #require(saved.papers)
    #expect(papers.authorities.isEmpty && papers.floors.isEmpty && papers.ownStatements.isEmpty && papers.peers.isEmpty)
    #expect(saved.ledger.isEmpty)
  }

  @Test func whatACrashLeftOfAJoinIsRemovedAndTheHostIsItselfInNoPool() throws {
    let (directory, identity) = try member()
    try Transit.joining.begin(directory)
    let saved = try SavedState(directory)
    #expect(saved.papers == nil && saved.identity.hostID == identity.hostID)
    #expect(scratch.names() == ["boot", "identity", "tokens"])
  }

  @Test func aLeaveThatACrashCutShortIsFinishedAndTheHostIsSomebodyElse() throws {
    let (directory, identity) = try member()
    try Transit.leaving.begin(directory)
    try directory.remove(.certificate)
    let saved = try SavedState(directory)
    #expect(saved.papers == nil && saved.identity.hostID != identity.hostID)
    #expect(scratch.names() == ["boot", "identity"])
  }

  @Test(arguments: StateFile.allCases.filter { !$0.foundations.isEmpty })
  func aMissingIdentityBesideAnyOtherFileIsNoFreshDirectory(other: StateFile) throws {
    let directory = try scratch.open()
    _ = try SavedState(directory)
    try directory.write(other, [7])
    try directory.remove(.identity)
    let before = contents()
    #expect(throws: StateError.lost("\(scratch.path)/identity")) { try SavedState(directory) }
    #expect(contents() == before, "no identity is made anew, and no boot begun")
  }

  @Test(arguments: [(StateFile.trust, "trust"), (.poolRecords, "pool-records"), (.certificate, "certificate")])
  func aMemberWithoutWhatAMemberNeedsIsRefusedWithWhatToDo(missing: StateFile, name: String) throws {
    let (directory, _) = try member()
    try directory.remove(missing)
    do {
      _ = try SavedState(directory)
      Issue.record("it was taken")
    } catch let error as SavedStateError {
      #expect(
        error.description
          == "This host is in a pool, but \(scratch.path)/\(name) is gone: restore the directory from a backup, or empty it and join the pool anew."
      )
    }
  }

  @Test(arguments: StateFile.allCases.filter { ![.machine, .transit].contains($0) })
  func aTornFileIsRefusedByItsNameAndNothingIsMadeAnew(file: StateFile) throws {
    let (directory, identity) = try member()
    let whole = scratch.bytes(file.name)
    for end in [0, 1, 7, 8, 10, 16, 47, 48, whole.count / 2, whole.count - 1] where end < whole.count {
      scratch.put(file.name, Array(whole[..<end]))
      try expectRefusal(of: file, directory)
      #expect(scratch.bytes(file.name) == Array(whole[..<end]), "a torn file is left as it is")
    }
    var flipped = whole
    flipped[flipped.count - 1] ^= 1
    scratch.put(file.name, flipped)
    try expectRefusal(of: file, directory)
    scratch.put(file.name, whole)
    #expect(try SavedState(directory).identity.hostID == identity.hostID)
  }

  private func expectRefusal(of file: StateFile, _ directory: StateDirectory) throws {
    do {
      _ = try SavedState(directory)
      Issue.record("a torn \(file.name) was taken")
    } catch let error as StateError {
      #expect(error.description.contains("\(scratch.path)/\(file.name) "))
    }
  }

  @Test(arguments: [
    StateFile.identity, .boot, .tokens, .certificate, .trust, .authority, .poolRecords, .floors, .peers,
  ])
  func aFileWithASoundFrameButAnotherContentIsRefused(file: StateFile) throws {
    let (directory, _) = try member()
    for content in [[], [1], [UInt8](repeating: 0xff, count: 9)] as [[UInt8]] {
      // Without entries, a list is as long as nothing.
      if content.isEmpty, [.authority, .poolRecords, .floors].contains(file) { continue }
      try directory.write(file, content)
      let before = contents()
      #expect(throws: (any Error).self) { try SavedState(directory) }
      let after = contents()
      #expect(after[file.name] == before[file.name] && after["identity"] == before["identity"])
      #expect(after["boot"] == before["boot"], "a start that fails draws none")
    }
  }
}
