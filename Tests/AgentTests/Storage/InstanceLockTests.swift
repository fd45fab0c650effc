import CLinux
import Glibc
import Namespaces
import Testing

@testable import Agent

@Suite struct InstanceLockTests {
  let scratch = ScratchDirectory()
  let other = ScratchDirectory()
  /// The locks of concurrent tests, and of an agent that runs on this machine, are none of a test's business.
  let name = "weft-test-\(UInt64.random(in: .min ... .max))"

  @Test func aSecondAgentOnOneDirectoryIsToldWhoHoldsIt() throws {
    let first = try InstanceLock(scratch.open(), socket: "/run/weft/weft.sock", name: name)
    do {
      _ = try InstanceLock(scratch.open(), socket: "/other", name: name + "-2")
      Issue.record("two agents on one directory")
    } catch let error as InstanceLockError {
      #expect(
        error == .directoryTaken(scratch.path, holder: "pid \(getpid()), socket /run/weft/weft.sock"))
      #expect("\(error)".contains("(pid \(getpid()), socket /run/weft/weft.sock)"))
    }
    withExtendedLifetime(first) {}
  }

  @Test func aSecondAgentInOneNetworkNamespaceIsToldWhoHoldsIt() throws {
    let first = try InstanceLock(scratch.open(), socket: "/a", name: name)
    do {
      _ = try InstanceLock(other.open(), socket: "/b", name: name)
      Issue.record("two agents in one network namespace")
    } catch let error as InstanceLockError {
      #expect(error == .namespaceTaken(pid: getpid()))
      #expect("\(error)".contains("(pid \(getpid()))"))
    }
    withExtendedLifetime(first) {}
    // Refused, it left the directory free.
    _ = try InstanceLock(other.open(), socket: "/b", name: name + "-2")
  }

  @Test func aLockThatIsGivenBackCanBeTakenAgain() throws {
    // A program that another test is starting has a copy of the last lock's socket for a moment.
    for _ in 0..<3 {
      #expect(eventually { (try? InstanceLock(scratch.open(), socket: "/a", name: name)) != nil })
    }
  }

  @Test func aLockThatIsGivenBackIsFreeWhoeverHasACopyOfItsDescriptor() throws {
    let before = Set(openLocks())
    var copies: [Int32] = []
    defer { for copy in copies { close(copy) } }
    do {
      let first = try InstanceLock(scratch.open(), socket: "/a", name: name)
      copies = Set(openLocks()).subtracting(before).map { dup($0) }
      withExtendedLifetime(first) {}
    }
    #expect(copies.count == 1)
    _ = try InstanceLock(scratch.open(), socket: "/a", name: name + "-2")
  }

  /// The descriptors of this process that are locks of this test's directory.
  private func openLocks() -> [Int32] {
    (0..<1024).filter { descriptor in
      var target = [CChar](repeating: 0, count: 4096)
      let count = readlink("/proc/self/fd/\(descriptor)", &target, target.count - 1)
      return count > 0
        && String(decoding: target[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) == "\(scratch.path)/lock"
    }
  }

  @Test func theHolderIsNamedAfterAThousandRefusals() throws {
    let first = try InstanceLock(scratch.open(), socket: "/a", name: name)
    for _ in 0..<1000 {
      #expect(throws: InstanceLockError.namespaceTaken(pid: getpid())) {
        try InstanceLock(other.open(), socket: "/b", name: name)
      }
      first.answer()
    }
  }

  @Test(.enabled(if: geteuid() == 0, "only root can make network namespaces"))
  func agentsInTwoNetworkNamespacesOfOneMachineGoTogether() throws {
    let first = try InstanceLock(scratch.open(), socket: "/a")
    let failure = Elsewhere(path: other.path)
    let context = Unmanaged.passUnretained(failure).toOpaque()
    let code = weft_in_new_network(
      { context in
        guard let context else { return }
        Unmanaged<Elsewhere>.fromOpaque(context).takeUnretainedValue().run()
      }, context)
    #expect(code == 0)
    #expect(failure.outcome == "taken")
    withExtendedLifetime(first) {}
  }

  @Test func whatACrashedAgentLeftIsRemovedOnlyByTheOneThatHoldsTheLock() throws {
    scratch.put(".identity.new", [1, 2])
    let first = try InstanceLock(scratch.open(), socket: "/a", name: name)
    #expect(scratch.names() == ["lock"])
    scratch.put(".identity.new", [1, 2])
    #expect(throws: InstanceLockError.self) { try InstanceLock(scratch.open(), socket: "/b", name: name) }
    #expect(scratch.names() == [".identity.new", "lock"])
    withExtendedLifetime(first) {}
  }
}

private final class Elsewhere {
  let path: String
  var outcome = "not run"

  init(path: String) { self.path = path }

  func run() {
    do {
      _ = try InstanceLock(StateDirectory(path: path), socket: "/b")
      outcome = "taken"
    } catch {
      outcome = "\(error)"
    }
  }
}
