import Wire

@testable import Registry

/// Hosts, networks and MACs by small numbers.
func hostID(_ number: UInt64) -> HostID { HostID(high: 0xa0, low: number) }
func net(_ number: UInt64) -> NetworkID { NetworkID(random: 0xb0, number) }
func mac(_ number: UInt64) -> MACAddress { MACAddress(0x0016_3e00_0000 + number) ?? .zero }
func bootOf(_ counter: UInt64) -> Boot { Boot(counter: counter, nonce: 7) }
func at(_ milliseconds: Int) -> Instant {
  Instant(nanoseconds: 1_000_000_000) + .milliseconds(milliseconds)
}

/// A signature that only this test's hosts can make: the author and a digest of what it signed.
enum TestKey {
  static func sign(_ author: HostID) -> Sign {
    { message in author.bytes + [UInt8](repeating: 0x5a, count: 40) + bytes(of: RecordDigest.of(author.bytes + message))
    }
  }

  static var verify: Verify { { author, _, message, signature in signature == sign(author)(message) } }

  private static func bytes(of digest: RecordDigest) -> [UInt8] {
    var writer = ByteWriter()
    writer.append(digest.value)
    return writer.bytes
  }
}

func record(_ number: UInt64, boot: UInt64 = 1) -> HostRecord {
  guard let name = try? HostName("host-\(number)") else { fatalError("the name is allowed") }
  return HostRecord(
    name: name, vteps: [.v4(0xc000_0200 + UInt32(truncatingIfNeeded: number))], gossipPort: 7677, underlayMTU: 1500,
    capabilities: [.kernelVXLAN], staticKey: [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 32),
    ephemeralKey: [UInt8](repeating: UInt8(truncatingIfNeeded: boot), count: 32), release: "1")
}

extension Claim {
  static func live(_ sequence: UInt64, vif: String = "", xen: Bool = false) -> Claim {
    Claim(state: .live, sequence: MobilitySequence(sequence), vif: vif, isBackedByXen: xen)
  }
}

/// An owner's statements, made without a registry around them.
struct TestOwner {
  let id: HostID
  var statements: OwnStatements

  init(_ number: UInt64, boot: UInt64 = 1) {
    id = hostID(number)
    statements = OwnStatements(owner: id, boot: bootOf(boot))
  }

  mutating func say(_ key: StatementKey, _ value: [UInt8]) -> [Batch] {
    statements.set(key, value)
    return statements.sign(TestKey.sign(id))
  }

  mutating func claim(_ mac: MACAddress, _ claim: Claim, network: NetworkID = net(1)) -> Batch {
    let batches = say(.claim(network, mac), claim.bytes)
    return batches[0]
  }

  /// The host record and the mark of completeness.
  mutating func begin() -> [Batch] {
    say(.host, record(id.low, boot: statements.boot.counter).bytes) + say(.complete, [])
  }
}

extension Registry {
  /// A registry that is through with its start.
  static func started(
    _ number: UInt64, boot: UInt64 = 1, configuration: Configuration = Configuration(), now: Instant = at(0)
  ) -> Registry {
    var registry = Registry(host: hostID(number), boot: bootOf(boot), configuration: configuration, seed: number)
    _ = registry.setHostRecord(record(number, boot: boot), now: now)
    _ = registry.synced(now: now)
    _ = registry.markComplete(now: now)
    _ = registry.flush(now: now, sign: TestKey.sign(hostID(number)))
    return registry
  }

  /// Batches straight from their owner.
  @discardableResult
  mutating func hear(_ batches: [Batch], now: Instant = at(0)) -> [Effect] {
    batches.flatMap { receive(.batch($0.bytes), from: $0.header.owner, now: now, verify: TestKey.verify) }
  }

  mutating func flush(now: Instant = at(0)) -> [Effect] { flush(now: now, sign: TestKey.sign(host)) }

  func claim(on mac: MACAddress, network: NetworkID = net(1)) -> Claim? {
    index.claim(of: host, at: BindingKey(network: network, mac: mac))
  }

  func owner(of mac: MACAddress, network: NetworkID = net(1)) -> HostID? { binding(network, mac)?.host }
}

extension [Registry.Effect] {
  var frames: [(frame: GossipFrame, to: HostID)] {
    flatMap { effect -> [(frame: GossipFrame, to: HostID)] in
      if case .send(let frames, let target) = effect { frames.map { ($0, target) } } else { [] }
    }
  }

  var rejections: [Rejection.Reason] {
    compactMap { if case .rejected(let rejection) = $0 { rejection.reason } else { nil } }
  }

  var events: [RegistryEvent] {
    compactMap { if case .event(let event) = $0 { event } else { nil } }
  }

  var syncs: [HostID] { compactMap { if case .sync(let host) = $0 { host } else { nil } } }
}
