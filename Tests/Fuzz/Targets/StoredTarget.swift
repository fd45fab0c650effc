import Wire

@testable import Agent
@testable import Registry
@testable import Trust

/// What stands on the disk: each form as it comes, and with its frame made right around the input; certificates and
/// eviction records too, which come from there and from others.
struct StoredTarget: FuzzTarget {
  private let keys: FixedKeys
  private let now = Instant(nanoseconds: 1 << 62)

  init() throws { keys = try FixedKeys() }

  func run(_ bytes: [UInt8]) {
    guard let kind = bytes.first else { return }
    let content = Array(bytes.dropFirst())
    switch kind % 10 {
    case 0: checkForms(content)
    case 1: checkForms(StoredForm(what: "", letters: "WFid", version: 1).encode(content))
    case 2: checkForms(StoredForm(what: "", letters: "WFca", version: 1).encode(content))
    case 3: checkForms(StoredForm(what: "", letters: "WFtk", version: 1).encode(content))
    case 4: checkForms(StoredForm(what: "", letters: "WFtr", version: 1).encode(content))
    case 5: checkForms(StoredForm(what: "", letters: "WFce", version: 1).encode(content))
    case 6: checkEnvelope(content)
    case 7: checkFiles(content)
    case 8: checkEviction(content)
    default: checkCertificate(content)
    }
  }

  private func checkForms(_ bytes: [UInt8]) {
    if let identity = try? HostIdentity(encoded: bytes) {
      require(identity.encoded == bytes, "an identity is written as it was read")
    }
    if let ca = try? PoolCA(encoded: bytes) { require(ca.encoded == bytes, "a CA is written as it was read") }
    if let ledger = try? TokenLedger(encoded: bytes, now: now) {
      require(ledger.encoded(now: now) == bytes, "the tokens are written as they were read")
    }
    if let trust = try? PoolTrust(encoded: bytes) {
      let again = required("trust is read as it was written") { try PoolTrust(encoded: trust.encoded) }
      require(again.encoded == trust.encoded && again.currentCA == trust.currentCA, "trust is the same when read again")
    }
    if let certificates = try? OwnCertificates(encoded: bytes) {
      require(certificates.encoded == bytes, "certificates are written as they were read")
    }
    do { _ = try HostIdentity(encoded: bytes) } catch { _ = error.description }
  }

  private func checkEnvelope(_ bytes: [UInt8]) {
    for file in StateFile.allCases {
      let sealed = StateEnvelope.seal(bytes, as: file)
      require(try StateEnvelope.open(sealed, as: file, path: "") == bytes, "a file is read as it was written")
      do throws(StateError) {
        let content = try StateEnvelope.open(bytes, as: file, path: "")
        require(StateEnvelope.seal(content, as: file) == bytes, "a file is written as it was read")
      } catch {
        _ = error.description
      }
    }
  }

  private func checkFiles(_ bytes: [UInt8]) {
    if let records = try? RecordFile.decode(bytes) {
      require(RecordFile.encode(records) == bytes, "the file of records is written as it was read")
    }
    if let floors = try? Floor.decode(bytes) {
      require(Floor.encode(floors) == bytes, "the file of floors is written as it was read")
    }
    if let (peers, seeds) = try? PeerAddress.decode(bytes), seeds.count <= 64 {
      let again = required("the file of peers is read") {
        try PeerAddress.decode(PeerAddress.encode(peers, seeds: seeds))
      }
      require(again.peers == peers && again.seeds == seeds, "the file of peers is read as it was written")
    }
    var registry = Registry(host: World.host(1), boot: World.boot(9), seed: 1)
    for effect in registry.seed(ownStatements: bytes) { _ = effect }
  }

  private func checkEviction(_ bytes: [UInt8]) {
    if let record = try? EvictionRecord(bytes) {
      require(record.encoded() == bytes, "an eviction record is written as it was read")
    }
    var trust = keys.trust
    do throws(EvictionError) {
      let isNew = try trust.apply(bytes)
      require(isNew, "a record is new to a pool without evictions")
      require((try? trust.trust(keys.certificate)) == nil || !trust.revoked.contains(keys.identity.hostID), "evicted")
      require(try PoolTrust(encoded: trust.encoded).encoded == trust.encoded, "trust is read as it was written")
      require(!trust.adopt([bytes, bytes]).changed, "the same records make the same trust")
    } catch {
      _ = error.description
    }
  }

  private func checkCertificate(_ bytes: [UInt8]) {
    do throws(TrustError) {
      let host = try keys.trust.trust(bytes)
      require(host.key == keys.identity.publicKey, "a host that the CA never saw is not trusted")
    } catch {
      _ = error.description
    }
    _ = keys.trust.onceTrusted(bytes)
    _ = keys.trust.issuer(of: bytes)
    if let trust = try? PoolTrust(rootCertificate: bytes) {
      require(trust.caCertificates == [bytes], "a pool begins with one CA")
    }
  }

  func seeds() throws -> [[UInt8]] {
    var ledger = TokenLedger()
    let (id, secret) = try ledger.issue(lifetime: .seconds(3600), uses: 3, now: now)
    require(ledger.redeem(id: id, secret: secret, host: World.host(3), now: now) == .accepted, "a token is accepted")
    var trust = keys.trust
    _ = try trust.apply(keys.eviction)
    var certificates = OwnCertificates(keys.certificate)
    certificates.add(keys.ca.certificate)
    let forms = [keys.identity.encoded, keys.ca.encoded, ledger.encoded(now: now), trust.encoded, certificates.encoded]
    let payloads = forms.enumerated().map { index, form in
      // Letters, version and length before it, the checksum behind it.
      [UInt8(index + 1)] + form.dropFirst(9).dropLast(8)
    }
    let boot = World.boot(1)
    let peers = [1, 2].map { number in
      PeerAddress(
        host: World.host(number), endpoint: Endpoint(address: .v4(0xc000_0201), port: 7677),
        boot: number == 1 ? nil : boot)
    }
    let files = [
      RecordFile.encode(Seeds.records().map(\.bytes)),
      Floor.encode([Floor(host: World.host(2), boot: boot, version: 3)]),
      PeerAddress.encode(peers, seeds: [Endpoint(address: .v4(0xc000_0203), port: 7677)]),
      World(host: 1).registry.ownStatements,
    ]
    return forms.map { [0] + $0 } + payloads + [[6] + StateEnvelope.seal([1, 2, 3], as: .peers)]
      + files.map { [7] + $0 } + [[8] + keys.eviction, [9] + keys.certificate, [9] + keys.ca.certificate]
      + [[9] + (try CertificateForm.makeStranger(keys.identity))]
  }
}
