import Testing
import Wire

@testable import Trust

@Suite struct EvictionTests {
  @Test func `An evicted host is refused and the others stay trusted`() throws {
    var pool = try TestPool()
    let certificates = try (0..<3).map(pool.certificate)
    let evicted = pool.hosts[2].hostID
    let (ca, _) = try pool.trust.evict(evicted, members: pool.members)
    #expect(failure { _ = try pool.trust.trust(certificates[2]) } as? TrustError == .revoked(evicted))
    #expect(try pool.trust.trust(certificates[0]).id == pool.hosts[0].hostID)
    #expect(try pool.trust.trust(certificates[1]).id == pool.hosts[1].hostID)
    #expect(pool.trust.currentCA == ca.fingerprint)
    #expect(pool.trust.revoked == [evicted])
  }

  @Test func `The CA key that an evicted host still has admits nobody`() throws {
    var pool = try TestPool()
    _ = try pool.trust.evict(pool.hosts[2].hostID, members: pool.members)
    let accomplice = HostIdentity()
    let minted = try pool.ca.issue(for: accomplice.publicKey)
    #expect(failure { _ = try pool.trust.trust(minted) } as? TrustError == .notVouched(accomplice.hostID))
  }

  @Test func `Not even the new CA lets an evicted host in again`() throws {
    var pool = try TestPool()
    let (ca, _) = try pool.trust.evict(pool.hosts[2].hostID, members: pool.members)
    let certificate = try ca.issue(for: pool.hosts[2].publicKey)
    #expect(failure { _ = try pool.trust.trust(certificate) } as? TrustError == .revoked(pool.hosts[2].hostID))
  }

  @Test func `The new CA admits new hosts and renews the old ones`() throws {
    var pool = try TestPool()
    let (ca, _) = try pool.trust.evict(pool.hosts[2].hostID, members: pool.members)
    for identity in [HostIdentity(), pool.hosts[0]] {
      #expect(try pool.trust.trust(ca.issue(for: identity.publicKey)).id == identity.hostID)
    }
  }

  @Test func `A record that is applied twice is new once`() throws {
    var pool = try TestPool()
    var other = pool.trust
    let (_, record) = try pool.trust.evict(pool.hosts[2].hostID, members: pool.members)
    #expect(try !pool.trust.apply(record))
    #expect(try other.apply(record))
    #expect(try !other.apply(record))
    #expect(other.encoded == pool.trust.encoded)
  }

  @Test func `Evicting twice is refused`() throws {
    var pool = try TestPool()
    _ = try pool.trust.evict(pool.hosts[2].hostID, members: pool.members)
    #expect(
      failure { _ = try pool.trust.evict(pool.hosts[2].hostID, members: pool.members) } as? EvictionError
        == .alreadyEvicted(pool.hosts[2].hostID))
  }

  @Test func `Of two evictions at once neither CA admits, as each was handed to the host that the other evicts`() throws
  {
    var pool = try TestPool(hosts: 5)
    var (here, there) = (pool.trust, pool.trust)
    let (caHere, recordHere) = try here.evict(pool.hosts[3].hostID, members: pool.members)
    let (caThere, recordThere) = try there.evict(pool.hosts[4].hostID, members: pool.members)
    _ = try here.apply(recordThere)
    _ = try there.apply(recordHere)
    for ca in [caHere, caThere] {
      let minted = HostIdentity()
      #expect(
        failure { _ = try here.trust(ca.issue(for: minted.publicKey)) } as? TrustError == .notVouched(minted.hostID))
    }
    #expect(here.currentCA == nil)
    #expect(here.encoded == there.encoded)
    // Those that were there all along are still trusted, by certificates of any of the CAs.
    for ca in [pool.ca, caHere, caThere] {
      #expect(try here.trust(ca.issue(for: pool.hosts[0].publicKey)).id == pool.hosts[0].hostID)
      for index in 3...4 {
        #expect(
          failure { _ = try here.trust(ca.issue(for: pool.hosts[index].publicKey)) } as? TrustError
            == .revoked(pool.hosts[index].hostID))
      }
    }
    pool.trust = here
    let (renewed, record) = try pool.trust.renew(members: pool.members)
    _ = try there.apply(record)
    #expect(there.currentCA == renewed.fingerprint)
    #expect(try there.trust(renewed.issue(for: HostIdentity().publicKey)).id.high != 0)
  }

  @Test func `Two renewals at once leave two good CAs and all agree on one`() throws {
    let pool = try TestPool(hosts: 5)
    var (here, there) = (pool.trust, pool.trust)
    let (_, recordHere) = try here.evict(pool.hosts[3].hostID, members: pool.members)
    let (_, recordThere) = try there.evict(pool.hosts[4].hostID, members: pool.members)
    _ = try here.apply(recordThere)
    _ = try there.apply(recordHere)
    let (caHere, renewalHere) = try here.renew(members: pool.members)
    let (caThere, renewalThere) = try there.renew(members: pool.members)
    _ = try here.apply(renewalThere)
    _ = try there.apply(renewalHere)
    #expect(here.currentCA == min(caHere.fingerprint, caThere.fingerprint))
    #expect(here.currentCA == there.currentCA)
    for ca in [caHere, caThere] { _ = try here.trust(ca.issue(for: HostIdentity().publicKey)) }
  }

  @Test func `Two hosts that evict the same one at once agree`() throws {
    let pool = try TestPool(hosts: 3)
    var (here, there) = (pool.trust, pool.trust)
    let (_, recordHere) = try here.evict(pool.hosts[2].hostID, members: pool.members)
    let (_, recordThere) = try there.evict(pool.hosts[2].hostID, members: pool.members)
    _ = try here.apply(recordThere)
    _ = try there.apply(recordHere)
    #expect(here.currentCA != nil)
    #expect(here.currentCA == there.currentCA)
    #expect(here.encoded == there.encoded)
  }

  @Test func `Whatever the order of the records, every host ends with the same trust`() throws {
    let pool = try TestPool(hosts: 8)
    var generator = SeededGenerator(seed: 11)
    var records: [[UInt8]] = []
    var authorities = [pool.ca]
    // Each eviction is made by a host that knows some of the earlier ones.
    for index in 0..<5 {
      var local = pool.trust
      for record in records where Bool.random(using: &generator) { _ = try local.apply(record) }
      let (ca, record) = try local.evict(pool.hosts[index].hostID, members: pool.members)
      records.append(record)
      authorities.append(ca)
    }
    let certificates = try authorities.flatMap { ca in try pool.hosts.map { try ca.issue(for: $0.publicKey) } }
    var verdicts: Set<[String]> = []
    for _ in 0..<40 {
      var trust = pool.trust
      for record in records.shuffled(using: &generator) { _ = try trust.apply(record) }
      verdicts.insert(certificates.map { certificate in "\(Result { try trust.trust(certificate) })" })
    }
    #expect(verdicts.count == 1)
  }

  @Test func `Of two evictions of one host at once the pool may keep either, and all agree on that one`() throws {
    let pool = try TestPool(hosts: 3)
    var (here, there) = (pool.trust, pool.trust)
    let (kept, record) = try here.evict(pool.hosts[2].hostID, members: pool.members)
    let (dropped, _) = try there.evict(pool.hosts[2].hostID, members: pool.members)
    var renewed = OwnCertificates(try pool.certificate(0))
    renewed.add(try dropped.issue(for: pool.hosts[0].publicKey))
    let (changed, faults) = there.adopt([record, [9]])
    #expect(changed)
    #expect(faults == [.newerVersion(9)])
    #expect(!there.adopt([record]).changed)
    #expect(there.encoded == here.encoded)
    #expect(there.currentCA == kept.fingerprint)
    // A certificate of the CA that was dropped is worth nothing; the older one still is, and is what the host shows.
    #expect(renewed.preferred(by: there) == renewed.newestFirst[1])
    #expect(
      try TLSCredentials(member: pool.hosts[0], certificates: renewed, trust: there).chain
        == [renewed.newestFirst[1], pool.ca.certificate])
  }

  @Test func `What an evicted host wrote as a member can still be checked, what a stranger wrote cannot`() throws {
    var pool = try TestPool()
    let certificate = try pool.certificate(2)
    _ = try pool.trust.evict(pool.hosts[2].hostID, members: pool.members)
    #expect(pool.trust.onceTrusted(certificate) == pool.hosts[2].publicKey)
    #expect(pool.trust.onceTrusted(try TestPool(name: "west").certificate(0)) == nil)
    #expect(pool.trust.onceTrusted(try CertificateForm.makeStranger(HostIdentity())) == nil)
  }

  @Test func `A host admitted elsewhere while another was evicted has to join again`() throws {
    var pool = try TestPool()
    let late = HostIdentity()
    let admitted = try pool.ca.issue(for: late.publicKey)
    let (ca, _) = try pool.trust.evict(pool.hosts[2].hostID, members: pool.members)
    #expect(failure { _ = try pool.trust.trust(admitted) } as? TrustError == .notVouched(late.hostID))
    #expect(try pool.trust.trust(ca.issue(for: late.publicKey)).id == late.hostID)
  }

  @Test func `A record of another pool or with another thing than a CA changes nothing`() throws {
    var (pool, other) = (try TestPool(), try TestPool(name: "west"))
    let before = pool.trust.encoded
    let (_, foreign) = try other.trust.evict(other.hosts[0].hostID, members: other.members)
    #expect(failure { _ = try pool.trust.apply(foreign) } as? EvictionError == .otherPool)
    let leaf = EvictionRecord(authority: try pool.certificate(0), retired: [], vouched: [], revoked: pool.members)
    #expect(failure { _ = try pool.trust.apply(leaf.encoded()) } as? EvictionError == .notAuthority)
    #expect(failure { _ = try pool.trust.apply([2]) } as? EvictionError == .newerVersion(2))
    #expect(pool.trust.encoded == before)
  }

  @Test func `Stored trust is read again with all its evictions`() throws {
    var pool = try TestPool()
    _ = try pool.trust.evict(pool.hosts[2].hostID, members: pool.members)
    let again = try PoolTrust(encoded: pool.trust.encoded)
    #expect(again.encoded == pool.trust.encoded)
    #expect(again.currentCA == pool.trust.currentCA)
    #expect(again.revoked == pool.trust.revoked)
    let damaged = Array(pool.trust.encoded.dropLast())
    #expect(failure { _ = try PoolTrust(encoded: damaged) } is StoredFormError)
  }
}
