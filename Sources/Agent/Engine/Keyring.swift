import Registry
import Trust
import Wire

/// The public keys by which signatures of hosts are checked. It remembers those of hosts that are gone: what they wrote
/// while they were members stays in force.
///
/// A class of its own, because the registry asks it in the middle of its own changes.
final class Keyring {
  private var keys: [HostID: HostPublicKey] = [:]
  private var trust: PoolTrust

  init(trust: PoolTrust) { self.trust = trust }

  func update(trust: PoolTrust) { self.trust = trust }

  func add(_ key: HostPublicKey) { keys[key.hostID] = key }

  /// Checks a signature. `certificate` is what the pool's records hold for the author; it is looked at once.
  func verify(_ author: HostID, certificate: [UInt8]?, message: [UInt8], signature: [UInt8]) -> Bool {
    if let key = keys[author] { return key.verify(signature, of: message) }
    guard let certificate, let key = trust.onceTrusted(certificate), key.hostID == author else { return false }
    keys[author] = key
    return key.verify(signature, of: message)
  }
}
