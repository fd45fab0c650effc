import Crypto
import Wire

/// What became of a token that someone presented.
package enum TokenOutcome: Error, Hashable, Sendable, CustomStringConvertible {
  /// One use is taken. It must be on disk before the certificate leaves.
  case accepted
  /// The same key came again, as after a lost answer: it may have its certificate once more.
  case repeated
  case usedUp
  case expired
  case unknown
  case wrongSecret
  /// Too many wrong secrets were tried; the token is dead.
  case locked

  package var admits: Bool { self == .accepted || self == .repeated }

  package var description: String {
    switch self {
    case .accepted: "The token is good."
    case .repeated: "The token was used by this host before and is good for it again."
    case .usedUp: "This token is used up: make another one with `weft pool invite`."
    case .expired: "This token has expired: make another one with `weft pool invite`."
    case .unknown:
      "The host that made this token does not know it (an eviction ends all tokens): make another with `weft pool invite`."
    case .wrongSecret: "The token's secret is wrong: copy the line that `weft pool invite` printed once more."
    case .locked:
      "This token was tried with too many wrong secrets and is dead: make another one with `weft pool invite`."
    }
  }
}

/// Why a token was not issued.
package enum TokenIssueError: Error, Equatable, CustomStringConvertible {
  case lifetime
  case uses
  case tooMany

  package var description: String {
    switch self {
    case .lifetime: "A token lives from 1 second to 30 days: choose another --ttl."
    case .uses: "A token has from 1 to \(TokenLedger.maximumUses) uses: choose another --uses."
    case .tooMany:
      "\(TokenLedger.maximumTokens) tokens are open on this host: wait until some expire, or invite from another host."
    }
  }
}

/// The tokens that this host issued, and who used them. Of a secret only the SHA-256 is kept.
///
/// Lifetimes run on the monotonic clock of the issuer. What is stored is the lifetime that is left, so while the agent
/// is down, or the machine is, a token does not age: it lives at least as long as was said, never less.
package struct TokenLedger: Sendable {
  package static let maximumTokens = 256
  package static let maximumUses = 1000
  package static let maximumLifetime = Duration.seconds(30 * 86_400)
  /// Wrong secrets after which a token is dead.
  static let maximumFailures = 16
  /// How long an expired token is remembered, so that its user is told that it expired.
  static let memory = Duration.seconds(86_400)

  private struct Entry: Sendable {
    var id: [UInt8]
    var secretHash: [UInt8]
    var expiry: Instant
    var uses: Int
    var failures: Int
    var users: [HostID]
  }

  private var entries: [Entry] = []

  private static let form = StoredForm(what: "the list of join tokens", letters: "WFtk", version: 1)

  package init() {}

  /// Draws a new token. The caller stores the ledger before it shows the token.
  package mutating func issue(
    lifetime: Duration, uses: Int, now: Instant
  ) throws(TokenIssueError) -> (id: [UInt8], secret: [UInt8]) {
    guard lifetime >= .seconds(1), lifetime <= Self.maximumLifetime else { throw .lifetime }
    guard (1...Self.maximumUses).contains(uses) else { throw .uses }
    forgetOld(now: now)
    if entries.count >= Self.maximumTokens, let dead = entries.firstIndex(where: { $0.expiry <= now }) {
      entries.remove(at: dead)
    }
    guard entries.count < Self.maximumTokens else { throw .tooMany }
    let id = Self.random(JoinToken.idSize)
    let secret = Self.random(JoinToken.secretSize)
    entries.append(
      Entry(id: id, secretHash: Self.hash(secret), expiry: now + lifetime, uses: uses, failures: 0, users: []))
    return (id, secret)
  }

  /// Judges a token that the owner of `host`'s key presented. After `accepted` the ledger must be stored before the
  /// certificate leaves; after `wrongSecret` it should be, so that a restart gives no new tries.
  package mutating func redeem(id: [UInt8], secret: [UInt8], host: HostID, now: Instant) -> TokenOutcome {
    guard let index = entries.firstIndex(where: { Self.isEqual($0.id, id) }) else { return .unknown }
    guard entries[index].failures < Self.maximumFailures else { return .locked }
    guard Self.isEqual(entries[index].secretHash, Self.hash(secret)) else {
      entries[index].failures += 1
      return .wrongSecret
    }
    guard now < entries[index].expiry else { return .expired }
    if entries[index].users.contains(host) { return .repeated }
    guard entries[index].users.count < entries[index].uses else { return .usedUp }
    entries[index].users.append(host)
    return .accepted
  }

  /// An eviction ends all tokens: they pin a CA that the evicted host holds.
  package mutating func removeAll() { entries = [] }

  package var isEmpty: Bool { entries.isEmpty }

  private mutating func forgetOld(now: Instant) { entries.removeAll { $0.expiry + Self.memory <= now } }

  private static func random(_ count: Int) -> [UInt8] {
    SymmetricKey(size: SymmetricKeySize(bitCount: count * 8)).withUnsafeBytes { Array($0) }
  }

  private static func hash(_ secret: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: secret)) }

  /// In a time that depends on the lengths only.
  private static func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    var difference: UInt8 = 0
    for index in left.indices { difference |= left[index] ^ right[index] }
    return difference == 0
  }
}

extension TokenLedger {
  /// Reads what `encoded` gave; what was left of each lifetime counts from `now` on.
  package init(encoded: [UInt8], now: Instant) throws(StoredFormError) {
    let what = Self.form.what
    let payload = try Self.form.decode(encoded)
    do {
      var reader = ByteReader(payload)
      let count = Int(try reader.readUInt16())
      guard count <= Self.maximumTokens else { throw WireError.invalid("count") }
      for _ in 0..<count { entries.append(try Self.readEntry(&reader, now: now)) }
      try reader.expectEnd()
    } catch {
      throw .damaged(what: what)
    }
  }

  /// The stored form, with the lifetimes that are left at `now`.
  package func encoded(now: Instant) -> [UInt8] {
    var writer = ByteWriter()
    writer.append(UInt16(entries.count))
    for entry in entries {
      writer.append(entry.id)
      writer.append(entry.secretHash)
      writer.append((entry.expiry - now).wholeNanoseconds)
      writer.append(UInt16(entry.uses))
      writer.append(UInt16(entry.failures))
      writer.append(UInt16(entry.users.count))
      for user in entry.users { writer.append(user) }
    }
    return Self.form.encode(writer.bytes)
  }

  private static func readEntry(_ reader: inout ByteReader, now: Instant) throws(WireError) -> Entry {
    let id = try reader.readBytes(JoinToken.idSize)
    let secretHash = try reader.readBytes(Fingerprint.size)
    let left = try reader.readUInt64()
    guard left <= maximumLifetime.wholeNanoseconds else { throw .invalid("lifetime") }
    let uses = Int(try reader.readUInt16())
    let failures = Int(try reader.readUInt16())
    let userCount = Int(try reader.readUInt16())
    guard (1...maximumUses).contains(uses), failures <= maximumFailures, userCount <= uses else {
      throw .invalid("uses")
    }
    var users: [HostID] = []
    for _ in 0..<userCount { users.append(try reader.readHostID()) }
    return Entry(
      id: id, secretHash: secretHash, expiry: now + .nanoseconds(Int64(left)), uses: uses, failures: failures,
      users: users)
  }
}

extension Duration {
  /// Zero for a negative one; the lifetimes here are far below the range of 64 bits.
  fileprivate var wholeNanoseconds: UInt64 {
    let (seconds, attoseconds) = components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    return UInt64(seconds) &* 1_000_000_000 &+ UInt64(attoseconds / 1_000_000_000)
  }
}
