import Synchronization
import Wire

/// Where this host listens, which the engine changes with the underlay address and the server of join and sync follows.
package final class ListeningEndpoint: Sendable {
  private struct State {
    var wanted: Endpoint
    var failure: String?
  }

  private let state: Mutex<State>
  /// One element for each change that was not looked at yet; for one reader.
  let changes: AsyncStream<Void>
  private let changed: AsyncStream<Void>.Continuation

  package init(_ endpoint: Endpoint) {
    state = Mutex(State(wanted: endpoint))
    (changes, changed) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
  }

  package var current: Endpoint { state.withLock { $0.wanted } }

  /// Why nothing listens there; nil if all is well, or nobody has tried yet.
  package var failure: String? { state.withLock { $0.failure } }

  package func move(to endpoint: Endpoint) {
    state.withLock { $0.wanted = endpoint }
    changed.yield()
  }

  /// How the server fared.
  ///
  /// - Returns: whether that is news.
  func listened(failure: String?) -> Bool {
    state.withLock { state in
      defer { state.failure = failure }
      return state.failure != failure
    }
  }
}
