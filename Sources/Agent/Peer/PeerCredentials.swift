import Synchronization
import Trust

/// The TLS credentials in force, which a join, an eviction or a new certificate replaces while the server runs.
/// Requests on connections that are open already are judged by the new ones too.
package final class PeerCredentials: Sendable {
  private let value: Mutex<TLSCredentials>

  package init(_ credentials: TLSCredentials) { value = Mutex(credentials) }

  package var current: TLSCredentials { value.withLock { $0 } }

  package func replace(with credentials: TLSCredentials) { value.withLock { $0 = credentials } }
}
