import Logging
import ServiceLifecycle

/// The way by which the engine writes its files without waiting for the disk: in order, one after the other, by the
/// service `StateWriter`. A command that has to be on disk before it is confirmed waits for `flush`.
struct StateQueue: Sendable {
  enum Change: Sendable {
    case write(StateFile, [UInt8])
    case flush(CheckedContinuation<Void, any Error>)
  }

  private let changes: AsyncStream<Change>.Continuation

  init(_ changes: AsyncStream<Change>.Continuation) { self.changes = changes }

  func write(_ file: StateFile, _ bytes: [UInt8]) { changes.yield(.write(file, bytes)) }

  /// Returns when everything that was given to `write` before is on the disk.
  ///
  /// - Throws: why a file is not; its content before that is still there.
  func flush() async throws {
    try await withCheckedThrowingContinuation { continuation in
      if case .enqueued = changes.yield(.flush(continuation)) { return }
      continuation.resume(throwing: StateQueueError.stopped)
    }
  }

  func finish() { changes.finish() }
}

enum StateQueueError: Error, CustomStringConvertible {
  case stopped

  var description: String { "weftd is stopping: run the command again when it is back." }
}

/// Writes what comes through a `StateQueue`, until the engine has ended.
struct StateWriter: Service {
  let engine: Engine
  let state: StateDirectory
  let changes: AsyncStream<StateQueue.Change>

  func run() async throws {
    var failures: [StateFile: StateError] = [:]
    for await change in changes {
      switch change {
      case .write(let file, let bytes):
        do {
          try state.write(file, bytes)
          failures[file] = nil
        } catch {
          failures[file] = error
          await engine.diskFailed("\(error)")
        }
      case .flush(let continuation):
        if let failure = failures.values.first { continuation.resume(throwing: failure) } else { continuation.resume() }
      }
    }
    // The engine has ended, and with it what there was to write; a service that ends before it is told is a fault.
    try? await gracefulShutdown()
  }
}
