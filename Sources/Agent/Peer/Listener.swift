import NIOCore
import Synchronization
import Wire

/// The listening socket of a server, which may be replaced by one at another endpoint.
final class Listener: Sendable {
  private struct State {
    var channel: (any Channel)?
    var endpoint: Endpoint?
    var hasFailed = false
  }

  private let state = Mutex(State())
  private let failed: @Sendable () -> Void

  /// - Parameter failed: the socket in use was closed by somebody else.
  init(failed: @escaping @Sendable () -> Void) { self.failed = failed }

  /// The endpoint that was asked for.
  var endpoint: Endpoint? { state.withLock { $0.endpoint } }

  var hasFailed: Bool { state.withLock { $0.hasFailed } }

  /// Takes the new socket into use, then closes the old one.
  func replace(with channel: any Channel, at endpoint: Endpoint) async {
    let old = take(channel, endpoint)
    channel.closeFuture.whenComplete { [weak self] _ in self?.closed(channel) }
    try? await old?.close()
  }

  func close() async {
    let last = take(nil, nil)
    try? await last?.close()
  }

  private func take(_ channel: (any Channel)?, _ endpoint: Endpoint?) -> (any Channel)? {
    state.withLock { state in
      let old = state.channel
      state.channel = channel
      state.endpoint = endpoint
      return old
    }
  }

  private func closed(_ channel: any Channel) {
    let isInUse = state.withLock { state in
      guard state.channel === channel else { return false }
      state.hasFailed = true
      return true
    }
    if isInUse { failed() }
  }
}
