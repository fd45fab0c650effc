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
    // What a full or broken disk did not take is kept, and tried again at each flush.
    var pending: [StateFile: [UInt8]] = [:]
    for await change in changes {
      switch change {
      case .write(let file, let bytes):
        do {
          try state.write(file, bytes)
          pending[file] = nil
        } catch {
          pending[file] = bytes
          await engine.diskFailed("\(error)")
        }
      case .flush(let continuation):
        do {
          for (file, bytes) in pending.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            try state.write(file, bytes)
            pending[file] = nil
          }
          continuation.resume()
        } catch {
          continuation.resume(throwing: error)
        }
      }
    }
    // The engine has ended, and with it what there was to write; a service that ends before it is told is a fault.
    try? await gracefulShutdown()
  }
}
