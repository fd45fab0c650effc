import Wire

/// Sealing for one boot of this host's agent: holds its keys and gives out exactly one session per boot of each other
/// host, so that no counter ever starts again under a key that was used.
///
/// Make one per boot, with a new boot for each; it belongs to one thread or actor.
package final class Sealer {
  private enum Entry {
    case open(PairSession, PeerKeys)
    /// No session any more, and none again for this boot or an older one.
    case closed(Boot)
  }

  /// What this host's record has to say about sealing.
  package let publicKeys: PeerKeys
  private let identity: HostIdentity
  private let ephemeral: EphemeralKey
  private var entries: [HostID: Entry] = [:]

  package init(identity: HostIdentity, boot: Boot, ephemeral: EphemeralKey = EphemeralKey()) {
    self.identity = identity
    self.ephemeral = ephemeral
    publicKeys = PeerKeys(
      host: identity.hostID, boot: boot, staticKey: identity.staticPublicKey, ephemeralKey: ephemeral.publicKey)
  }

  /// The session with a boot of another host, made at the first call and the same ever after. A later boot replaces an
  /// earlier one; an earlier one, or the same boot with other keys, is refused.
  ///
  /// - Parameter peer: from a host record whose signature and certificate were checked.
  package func session(with peer: PeerKeys) throws(SealingError) -> PairSession {
    switch entries[peer.host] {
    case .open(let session, let keys)?:
      if keys == peer { return session }
      guard peer.boot > keys.boot else { throw .oldBoot }
    case .closed(let boot)?:
      guard peer.boot > boot else { throw .oldBoot }
    case nil: break
    }
    let session = try PairSession(
      own: SealingEnd(host: identity.hostID, boot: publicKeys.boot), staticKey: identity.agreementKey,
      ephemeral: ephemeral, peer: peer, firstCounter: 0)
    entries[peer.host] = .open(session, peer)
    return session
  }

  /// The session with the latest known boot of a host, if there is one.
  package func session(of host: HostID) -> PairSession? {
    if case .open(let session, _)? = entries[host] { session } else { nil }
  }

  /// For a host that left or was evicted: drops its session; only a later boot of it can have one again.
  package func close(_ host: HostID) {
    if case .open(_, let keys)? = entries[host] { entries[host] = .closed(keys.boot) }
  }
}
