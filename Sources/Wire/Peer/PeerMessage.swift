/// A request or an answer between two agents over TLS (the transport frames it with its length).
///
/// Layout: format version (8 bits), kind (16 bits), then fields as tag (16 bits), length (32 bits), value. A field that
/// is not known is passed over, so a newer release can add some; a kind that is not known is `PeerMessageError.unknown`,
/// to be answered with `Refusal.notUnderstood`, which the newer side takes for "ask differently".
package enum PeerMessage: Hashable, Sendable {
  /// A stranger's: asks the issuer of a token for membership. Answered by `joined` or `refused`.
  case join(JoinRequest)
  /// A member's: hands a stranger's `join` to the host that issued the token. Answered like `join`.
  case forwardJoin(JoinRequest)
  case joined(JoinAnswer)
  /// The registry's digest or deltas, opaque here, and the answer to them.
  case sync([UInt8])
  case syncAnswer([UInt8])
  /// A member's: asks for the pool's CA whose certificate has this SHA-256. Answered by `authority` or `refused`.
  case fetchAuthority(certificateHash: [UInt8])
  case authority(Authority)
  case ping
  case pong
  /// A member's: asks the host to draw new keys of the data path now. Answered by `rekeyed` or `refused`.
  case rekey
  /// The number of the host's epoch after that.
  case rekeyed(epoch: UInt64)
  /// The answer to a request that was not granted.
  case refused(Refusal)

  package static let formatVersion: UInt8 = 1
  /// Larger messages are not made and not read.
  package static let maximumSize = 16 << 20
}

/// What a host that wants to join shows.
package struct JoinRequest: Hashable, Sendable {
  /// From the token: its name (16 bytes) and the secret that proves it (32 bytes).
  package var tokenID: [UInt8]
  package var secret: [UInt8]
  /// The host's name as people see it.
  package var name: String
  /// P-256, X9.63 form, 65 bytes.
  package var identityKey: [UInt8]
  /// Of the software.
  package var release: String

  package init(tokenID: [UInt8], secret: [UInt8], name: String, identityKey: [UInt8], release: String) {
    self.tokenID = tokenID
    self.secret = secret
    self.name = name
    self.identityKey = identityKey
    self.release = release
  }
}

/// What makes a host a member.
package struct JoinAnswer: Hashable, Sendable {
  /// The new member's own, X.509, DER.
  package var certificate: [UInt8]
  package var authority: Authority
  package var poolName: String
  package var poolID: [UInt8]
  /// Signed pool records, in their authors' bytes: the newcomer trusts and knows what the pool does from the start.
  package var poolRecords: [[UInt8]]
  /// Where members answer.
  package var seeds: [Endpoint]

  package init(
    certificate: [UInt8], authority: Authority, poolName: String, poolID: [UInt8], poolRecords: [[UInt8]],
    seeds: [Endpoint]
  ) {
    self.certificate = certificate
    self.authority = authority
    self.poolName = poolName
    self.poolID = poolID
    self.poolRecords = poolRecords
    self.seeds = seeds
  }
}

/// The pool's certificate authority, which every member holds: any of them admits hosts.
package struct Authority: Hashable, Sendable {
  /// How many times the authority was replaced (by evictions).
  package var generation: UInt64
  /// The P-256 private key, 32 bytes.
  package var privateKey: [UInt8]
  /// X.509, DER: the present certificate first, then older ones that still vouch for listed hosts.
  package var certificates: [[UInt8]]

  package init(generation: UInt64, privateKey: [UInt8], certificates: [[UInt8]]) {
    self.generation = generation
    self.privateKey = privateKey
    self.certificates = certificates
  }
}

/// Why a request was not granted: a code for programs and a sentence for people.
package struct Refusal: Hashable, Sendable, Error, CustomStringConvertible {
  /// Open: a newer release may send one that this one does not know.
  package struct Code: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt16

    package init(rawValue: UInt16) { self.rawValue = rawValue }

    package static let notUnderstood = Code(rawValue: 1)
    package static let notMember = Code(rawValue: 2)
    package static let tokenUnknown = Code(rawValue: 3)
    package static let tokenExpired = Code(rawValue: 4)
    package static let tokenUsed = Code(rawValue: 5)
    package static let issuerUnreachable = Code(rawValue: 6)
    package static let evicted = Code(rawValue: 7)
    package static let nameTaken = Code(rawValue: 8)
    package static let notJoined = Code(rawValue: 9)
    package static let busy = Code(rawValue: 10)
    package static let unknownAuthority = Code(rawValue: 11)
    package static let failed = Code(rawValue: 12)
    package static let otherPool = Code(rawValue: 13)
  }

  package var code: Code
  package var sentence: String

  /// A sentence longer than `maximumSentence` bytes is cut between characters.
  package init(_ code: Code, _ sentence: String) {
    self.code = code
    var cut = sentence
    while cut.utf8.count > Self.maximumSentence { cut.removeLast() }
    self.sentence = cut
  }

  package var description: String { sentence }

  package static let maximumSentence = 1024
}

/// Why bytes from a peer are not a message.
package enum PeerMessageError: Error, Equatable, CustomStringConvertible {
  case format(UInt8)
  case unknown(kind: UInt16)
  case tooLong
  case malformed(WireError)

  package var description: String {
    switch self {
    case .format(let version):
      "The other host speaks version \(version) of the protocol between agents, this one \(PeerMessage.formatVersion):"
        + " upgrade the older of the two."
    case .unknown(let kind):
      "The other host sent a request (\(kind)) that this release does not know: upgrade this host."
    case .tooLong: "The other host sent a message of more than \(PeerMessage.maximumSize >> 20) MiB: it is refused."
    case .malformed(.truncated(let what)): "The other host sent a message that ends within its \(what): it is refused."
    case .malformed(.invalid(let what)): "The other host sent a message whose \(what) is not valid: it is refused."
    case .malformed(.trailing(let count)): "The other host sent a message with \(count) bytes too many: it is refused."
    }
  }
}
