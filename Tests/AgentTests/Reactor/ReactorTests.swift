import CLinux
import Glibc
import Testing
import Wire

@testable import Agent

@Suite struct ReactorTests {
  @Test func aByteInAPipeReachesTheActorOnItsOwnThread() async throws {
    let probe = try Probe()
    let pipe = Pipe()
    try await probe.wait { probe, done in
      try probe.reactor.watch(pipe.reading, for: .read) {
        _ = pipe.take()
        #expect(probe.reactor.isCurrent)
        probe.assumeIsolated { $0.note("read") }
        done()
      }
      pipe.put()
    }
    #expect(await probe.log == ["read"])
    #expect(!probe.reactor.isCurrent)
    probe.reactor.stop()
  }

  @Test func theThreadBearsItsName() async throws {
    let probe = try Probe()
    let name = await probe.run { _ in
      let file = open("/proc/thread-self/comm", O_RDONLY)
      defer { close(file) }
      var bytes = [UInt8](repeating: 0, count: 32)
      let count = read(file, &bytes, bytes.count)
      return String(decoding: bytes.prefix(count), as: UTF8.self)
    }
    #expect(name == "weft-engine\n")
    probe.reactor.stop()
  }

  @Test func aHandlerThatUnwatchesItselfIsNotCalledAgainThoughBytesWait() async throws {
    let probe = try Probe()
    let (first, second) = (Pipe(), Pipe())
    try await probe.wait { probe, done in
      try probe.reactor.watch(first.reading, for: .read) {
        probe.assumeIsolated { $0.note("first") }
        probe.reactor.unwatch(first.reading)
        second.put()
      }
      try probe.reactor.watch(second.reading, for: .read) {
        _ = second.take()
        done()
      }
      first.put()
    }
    #expect(await probe.log == ["first"])
    probe.reactor.stop()
  }

  @Test func ofTwoReadyDescriptorsTheOneUnwatchedByTheOtherIsNotServedInThatRound() async throws {
    let probe = try Probe()
    let pipes = [Pipe(), Pipe()]
    try await probe.wait { probe, done in
      for pipe in pipes {
        try probe.reactor.watch(pipe.reading, for: .read) {
          probe.assumeIsolated { $0.note("served") }
          for pipe in pipes { probe.reactor.unwatch(pipe.reading) }
          probe.reactor.schedule(at: Reactor.now()) { done() }
        }
        pipe.put()
      }
    }
    #expect(await probe.log == ["served"])
    probe.reactor.stop()
  }

  @Test func anEventOfAClosedDescriptorDoesNotReachItsSuccessorOfTheSameNumber() async throws {
    let probe = try Probe()
    let (ready, other, quiet) = (Pipe(), Pipe(), Pipe())
    let number = dup(ready.reading)
    let second = dup(other.reading)
    try await probe.wait { probe, done in
      // Both are ready in one round; whichever is served first replaces the other by a pipe with nothing in it.
      func replace(_ old: Int32) throws {
        probe.reactor.unwatch(old)
        #expect(dup2(quiet.reading, old) == old)
        try probe.reactor.watch(old, for: .read) { probe.assumeIsolated { $0.note("wrong") } }
      }
      for (fd, sibling) in [(number, second), (second, number)] {
        try probe.reactor.watch(fd, for: .read) {
          probe.reactor.unwatch(fd)
          #expect(throws: Never.self) { try replace(sibling) }
          probe.reactor.schedule(at: Reactor.now() + .milliseconds(1)) { done() }
        }
      }
      ready.put()
      other.put()
    }
    #expect(await probe.log == [])
    probe.reactor.stop()
    close(number)
    close(second)
  }

  @Test func aDescriptorClosedWithoutUnwatchCanBeWatchedAgainUnderItsNumber() async throws {
    let probe = try Probe()
    let new = Pipe()
    let number = eventfd(0, 0)
    try await probe.wait { probe, done in
      try probe.reactor.watch(number, for: .read) {}
      // Closes what the number stood for.
      #expect(dup2(new.reading, number) == number)
      try probe.reactor.watch(number, for: .write) {}
      try probe.reactor.watch(number, for: .read) { done() }
      new.put()
    }
    probe.reactor.stop()
    close(number)
  }

  @Test func readingAndWritingOfOneDescriptorHaveHandlersOfTheirOwn() async throws {
    let probe = try Probe()
    var pair: [Int32] = [-1, -1]
    #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
    let (near, far) = (pair[0], pair[1])
    try await probe.wait { probe, done in
      try probe.reactor.watch(near, for: .write) {
        probe.assumeIsolated { $0.note("write") }
        probe.reactor.unwatch(near, for: .write)
        write(far, "x", 1)
      }
      try probe.reactor.watch(near, for: .read) {
        probe.assumeIsolated { $0.note("read") }
        probe.reactor.unwatch(near, for: .read)
        done()
      }
    }
    #expect(await probe.log == ["write", "read"])
    probe.reactor.stop()
    close(near)
    close(far)
  }

  @Test func aHangupIsToldToTheWriter() async throws {
    let probe = try Probe()
    var ends: [Int32] = [-1, -1]
    #expect(pipe(&ends) == 0)
    let (reading, writing) = (ends[0], ends[1])
    // Full, so that it is not writable but for the hangup.
    #expect(fcntl(writing, F_SETFL, O_NONBLOCK) == 0)
    while write(writing, [UInt8](repeating: 0, count: 4096), 4096) > 0 {}
    try await probe.wait { probe, done in
      try probe.reactor.watch(writing, for: .write) {
        probe.reactor.unwatch(writing)
        done()
      }
      close(reading)
    }
    probe.reactor.stop()
    close(writing)
  }

  @Test func whatEpollCannotWatchIsAnErrorThatNamesTheCall() async throws {
    let probe = try Probe()
    _ = await probe.run { probe in
      #expect(throws: SystemCallError("epoll_ctl", code: EBADF)) { try probe.reactor.watch(-5, for: .read) {} }
    }
    #expect(SystemCallError("epoll_ctl", code: EBADF).description == "epoll_ctl failed: Bad file descriptor (errno 9).")
    probe.reactor.stop()
  }

  @Test func timersFireInTheOrderOfTheirDeadlinesAndACancelledOneDoesNot() async throws {
    let probe = try Probe()
    let start = Reactor.now()
    await probe.wait { probe, done in
      for milliseconds in [30, 10, 20, 5] {
        let timer = probe.reactor.schedule(at: start + .milliseconds(milliseconds)) {
          #expect(Reactor.now() >= start + .milliseconds(milliseconds))
          probe.assumeIsolated { $0.note("\(milliseconds)") }
          if milliseconds == 30 { done() }
        }
        if milliseconds == 20 { probe.reactor.cancel(timer) }
      }
    }
    #expect(await probe.log == ["5", "10", "30"])
    probe.reactor.stop()
  }

  @Test func aTimerThatSetsItselfForNowStarvesNeitherDescriptorsNorJobs() async throws {
    let probe = try Probe()
    let pipe = Pipe()
    await probe.run { probe in
      func again() { probe.reactor.schedule(at: Instant(nanoseconds: 0)) { again() } }
      again()
    }
    try await probe.wait { probe, done in
      try probe.reactor.watch(pipe.reading, for: .read) {
        _ = pipe.take()
        done()
      }
      pipe.put()
    }
    #expect(await probe.run { _ in true })
    probe.reactor.stop()
  }

  @Test func aDescriptorThatIsAlwaysReadyStarvesNeitherTimersNorJobs() async throws {
    let probe = try Probe()
    let pipe = Pipe()
    pipe.put()
    try await probe.run { probe in try probe.reactor.watch(pipe.reading, for: .read) {} }
    await probe.wait { probe, done in probe.reactor.schedule(at: Reactor.now() + .milliseconds(1)) { done() } }
    #expect(await probe.run { _ in true })
    probe.reactor.stop()
  }

  @Test func jobsFromManyThreadsRunOneAtATimeAndNoneIsLost() async throws {
    let probe = try Probe()
    await withTaskGroup { group in
      for _ in 0..<50 {
        group.addTask { for _ in 0..<200 { await probe.note("x") } }
      }
    }
    #expect(await probe.log.count == 10_000)
    probe.reactor.stop()
  }

  @Test func aJobThatComesAfterTheEndRunsAllTheSame() async throws {
    let probe = try Probe()
    await probe.note("before")
    probe.reactor.stop()
    await probe.note("after")
    #expect(await probe.run { $0.reactor.isCurrent })
    #expect(await probe.log == ["before", "after"])
    probe.reactor.stop()
  }

  @Test func jobsThatWaitWhenItIsStoppedAreRun() async throws {
    for _ in 0..<20 {
      let probe = try Probe()
      let tasks = (0..<20).map { index in Task { await probe.note("\(index)") } }
      probe.reactor.stop()
      for task in tasks { await task.value }
      #expect(await probe.log.count == 20)
    }
  }

  @Test func whatHandlersHoldIsFreedAtTheEnd() async throws {
    final class Token: Sendable {}
    weak var seen: Token?
    let probe = try Probe()
    let pipe = Pipe()
    do {
      let token = Token()
      seen = token
      try await probe.run { probe in
        try probe.reactor.watch(pipe.reading, for: .read) { _ = token }
        probe.reactor.schedule(at: Reactor.now() + .seconds(1000)) { _ = token }
      }
    }
    #expect(seen != nil)
    probe.reactor.stop()
    #expect(seen == nil)
  }
}
