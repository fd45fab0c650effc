import Testing
import Wire

@testable import Trust

@Suite struct TokenLedgerTests {
  private let start = Instant(nanoseconds: 5_000_000_000)
  private let host = HostID(high: 1, low: 1)
  private let other = HostID(high: 2, low: 2)

  @Test func `A token is good once and afterwards used up for any other key`() throws {
    var ledger = TokenLedger()
    let (id, secret) = try ledger.issue(lifetime: .seconds(60), uses: 1, now: start)
    #expect(ledger.redeem(id: id, secret: secret, host: host, now: start) == .accepted)
    #expect(ledger.redeem(id: id, secret: secret, host: other, now: start) == .usedUp)
  }

  @Test func `The same key may come again and takes no second use`() throws {
    var ledger = TokenLedger()
    let (id, secret) = try ledger.issue(lifetime: .seconds(60), uses: 2, now: start)
    #expect(ledger.redeem(id: id, secret: secret, host: host, now: start) == .accepted)
    #expect(ledger.redeem(id: id, secret: secret, host: host, now: start) == .repeated)
    #expect(ledger.redeem(id: id, secret: secret, host: other, now: start) == .accepted)
    #expect(ledger.redeem(id: id, secret: secret, host: HostID(high: 3, low: 3), now: start) == .usedUp)
    #expect(ledger.redeem(id: id, secret: secret, host: host, now: start) == .repeated)
  }

  @Test func `A token ends with its lifetime to the nanosecond`() throws {
    var ledger = TokenLedger()
    let (id, secret) = try ledger.issue(lifetime: .seconds(60), uses: 2, now: start)
    let last = Instant(nanoseconds: 64_999_999_999)
    #expect(ledger.redeem(id: id, secret: secret, host: host, now: last) == .accepted)
    #expect(ledger.redeem(id: id, secret: secret, host: other, now: start + .seconds(60)) == .expired)
    #expect(ledger.redeem(id: id, secret: secret, host: host, now: start + .seconds(60)) == .expired)
  }

  @Test func `An unknown ID and a wrong secret are told apart and take no use`() throws {
    var ledger = TokenLedger()
    let (id, secret) = try ledger.issue(lifetime: .seconds(60), uses: 1, now: start)
    #expect(ledger.redeem(id: Array(id.reversed()), secret: secret, host: host, now: start) == .unknown)
    #expect(ledger.redeem(id: [], secret: secret, host: host, now: start) == .unknown)
    #expect(ledger.redeem(id: id, secret: Array(secret.reversed()), host: host, now: start) == .wrongSecret)
    #expect(ledger.redeem(id: id, secret: [], host: host, now: start) == .wrongSecret)
    #expect(ledger.redeem(id: id, secret: secret, host: host, now: start) == .accepted)
  }

  @Test func `After 16 wrong secrets a token is dead, also across a restart`() throws {
    var ledger = TokenLedger()
    let (id, secret) = try ledger.issue(lifetime: .seconds(60), uses: 1, now: start)
    for _ in 0..<16 { #expect(ledger.redeem(id: id, secret: [1], host: host, now: start) == .wrongSecret) }
    #expect(ledger.redeem(id: id, secret: secret, host: host, now: start) == .locked)
    var restored = try TokenLedger(encoded: ledger.encoded(now: start), now: start)
    #expect(restored.redeem(id: id, secret: secret, host: host, now: start) == .locked)
  }

  @Test func `A restart of the issuer keeps uses and the lifetime that is left`() throws {
    var ledger = TokenLedger()
    let (id, secret) = try ledger.issue(lifetime: .seconds(60), uses: 1, now: start)
    _ = ledger.redeem(id: id, secret: secret, host: host, now: start)
    let (fresh, freshSecret) = try ledger.issue(lifetime: .seconds(60), uses: 1, now: start)
    let stored = ledger.encoded(now: start + .seconds(40))
    // The clock of the next start has nothing to do with this one's.
    let boot = Instant(nanoseconds: 1)
    var restored = try TokenLedger(encoded: stored, now: boot)
    #expect(restored.redeem(id: id, secret: secret, host: other, now: boot) == .usedUp)
    #expect(restored.redeem(id: id, secret: secret, host: host, now: boot) == .repeated)
    #expect(restored.redeem(id: fresh, secret: freshSecret, host: other, now: boot + .seconds(20)) == .expired)
    #expect(restored.redeem(id: fresh, secret: freshSecret, host: other, now: boot + .seconds(19)) == .accepted)
  }

  @Test func `A stored ledger holds no secret`() throws {
    var ledger = TokenLedger()
    let (_, secret) = try ledger.issue(lifetime: .seconds(60), uses: 1, now: start)
    let stored = ledger.encoded(now: start)
    #expect(!stored.indices.contains { stored[$0...].starts(with: secret.prefix(8)) })
  }

  @Test func `Lifetimes and uses outside their ranges are refused`() {
    var ledger = TokenLedger()
    for lifetime in [Duration.zero, .milliseconds(999), .seconds(30 * 86_400 + 1), .seconds(-5)] {
      #expect(
        failure { _ = try ledger.issue(lifetime: lifetime, uses: 1, now: start) } as? TokenIssueError == .lifetime)
    }
    for uses in [0, -1, 1001] {
      #expect(
        failure { _ = try ledger.issue(lifetime: .seconds(5), uses: uses, now: start) } as? TokenIssueError == .uses)
    }
  }

  @Test func `Open tokens are bounded and expired ones make room`() throws {
    var ledger = TokenLedger()
    for _ in 0..<256 { _ = try ledger.issue(lifetime: .seconds(60), uses: 1, now: start) }
    #expect(
      failure { _ = try ledger.issue(lifetime: .seconds(60), uses: 1, now: start) } as? TokenIssueError == .tooMany)
    _ = try ledger.issue(lifetime: .seconds(60), uses: 1, now: start + .seconds(60))
  }

  @Test func `An eviction ends all tokens`() throws {
    var ledger = TokenLedger()
    let (id, secret) = try ledger.issue(lifetime: .seconds(60), uses: 1, now: start)
    ledger.removeAll()
    #expect(ledger.redeem(id: id, secret: secret, host: host, now: start) == .unknown)
  }
}
