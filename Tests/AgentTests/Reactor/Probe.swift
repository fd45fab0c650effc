import Agent
import Glibc

/// An actor on a reactor, as the engine is one.
actor Probe {
  nonisolated let reactor: Reactor
  nonisolated var unownedExecutor: UnownedSerialExecutor { reactor.asUnownedSerialExecutor() }

  var log: [String] = []

  init() throws { reactor = try Reactor() }

  func run<T: Sendable>(_ body: @Sendable (isolated Probe) throws -> T) rethrows -> T { try body(self) }

  func note(_ entry: String) { log.append(entry) }

  /// Runs `start` on the reactor's thread and waits until what it left there calls the closure that it was given.
  func wait(_ start: @Sendable (isolated Probe, @escaping () -> Void) throws -> Void) async rethrows {
    let (stream, signal) = AsyncStream.makeStream(of: Void.self)
    try start(self) { signal.finish() }
    for await _ in stream {}
  }
}

/// Both ends of a pipe, closed at the end of the test.
final class Pipe: Sendable {
  let reading: Int32
  let writing: Int32

  init() {
    var ends: [Int32] = [-1, -1]
    precondition(pipe(&ends) == 0)
    for end in ends { precondition(fcntl(end, F_SETFL, O_NONBLOCK) == 0) }
    (reading, writing) = (ends[0], ends[1])
  }

  deinit {
    close(reading)
    close(writing)
  }

  func put() { precondition(write(writing, "x", 1) == 1) }

  func take() -> Bool {
    var byte: UInt8 = 0
    return read(reading, &byte, 1) == 1
  }
}
