import Crypto
import Wire

/// Why a token's text was not taken.
package enum JoinTokenError: Error, Equatable, CustomStringConvertible {
  case notToken
  case cutShort
  case tooLong
  case mistyped
  case newerRelease

  package var description: String {
    switch self {
    case .notToken: "This is not a token: pass the line that `weft pool invite` printed."
    case .cutShort: "This token is cut short: copy the whole line that `weft pool invite` printed."
    case .tooLong: "Something follows the end of this token: pass the one line that `weft pool invite` printed."
    case .mistyped: "This token is mistyped: copy the line that `weft pool invite` printed once more."
    case .newerRelease: "This token was made by a newer release: update weftd on this host first."
    }
  }
}

/// An invitation into a pool: where to ask, by which CA to know the pool, and the secret that lets one in.
///
/// As text it is `weft1.` and base 64 of: the count of the bytes that follow (16 bits), endpoints, pin, ID, secret, and
/// the first 4 bytes of the SHA-256 of all that, against typing errors. An eviction ends all tokens given out before it,
/// since the evicted host holds the CA key that they pin.
package struct JoinToken: Hashable, Sendable {
  package static let maximumEndpoints = 3
  package static let idSize = 16
  package static let secretSize = 32
  private static let prefix = "weft"
  private static let version = "1"
  private static let checksumSize = 4

  /// Up to three, the issuer's first.
  package let endpoints: [Endpoint]
  /// The SHA-256 of the certificate of the pool's current CA.
  package let pin: Fingerprint
  /// 16 bytes; names the token at its issuer.
  package let id: [UInt8]
  /// 32 bytes.
  package let secret: [UInt8]

  /// - Parameters:
  ///   - endpoints: those after the third are left out.
  ///   - id: 16 bytes.
  ///   - secret: 32 bytes.
  package init?(endpoints: [Endpoint], pin: Fingerprint, id: [UInt8], secret: [UInt8]) {
    guard !endpoints.isEmpty, id.count == Self.idSize, secret.count == Self.secretSize else { return nil }
    self.endpoints = Array(endpoints.prefix(Self.maximumEndpoints))
    self.pin = pin
    self.id = id
    self.secret = secret
  }

  /// One line, safe in a shell, secret.
  package var text: String {
    var body = ByteWriter()
    body.append(UInt8(endpoints.count))
    for endpoint in endpoints { body.append(endpoint) }
    body.append(pin.bytes)
    body.append(id)
    body.append(secret)
    var writer = ByteWriter()
    writer.append(UInt16(body.count + Self.checksumSize))
    writer.append(body.bytes)
    return "\(Self.prefix)\(Self.version)." + Base64URL.encode(writer.bytes + Self.checksum(writer.bytes))
  }

  /// Reads `text`. White space in it is passed over, as a terminal may have wrapped it.
  package init(text: String) throws(JoinTokenError) {
    let characters = text.utf8.filter { $0 != 0x20 && !(0x09...0x0d).contains($0) }
    guard characters.count <= 1024 else { throw .tooLong }
    let prefix = Array(Self.prefix.utf8)
    guard characters.starts(with: prefix), let dot = characters.firstIndex(of: UInt8(ascii: ".")) else {
      let full = prefix + Array(Self.version.utf8)
      throw !characters.isEmpty && (full.starts(with: characters) || characters == full) ? .cutShort : .notToken
    }
    let version = characters[prefix.count..<dot]
    guard version.elementsEqual(Self.version.utf8) else {
      let isNumber = !version.isEmpty && version.allSatisfy { (48...57).contains($0) } && version.first != 48
      throw isNumber ? .newerRelease : .notToken
    }
    guard let bytes = Base64URL.decode(characters[(dot + 1)...]) else { throw .mistyped }
    try self.init(bytes)
  }

  private init(_ bytes: [UInt8]) throws(JoinTokenError) {
    guard bytes.count >= 2 else { throw .cutShort }
    let end = 2 + (Int(bytes[0]) << 8 | Int(bytes[1]))
    // A length that no token has is a typing error in the length itself.
    guard end <= 256, end > 2 + Self.checksumSize else { throw .mistyped }
    guard bytes.count >= end else { throw .cutShort }
    guard bytes.count == end else { throw .tooLong }
    let content = Array(bytes.dropLast(Self.checksumSize))
    guard bytes.suffix(Self.checksumSize).elementsEqual(Self.checksum(content)) else { throw .mistyped }
    do {
      var reader = ByteReader(content[2...])
      let count = Int(try reader.readUInt8("endpoints"))
      guard (1...Self.maximumEndpoints).contains(count) else { throw WireError.invalid("endpoints") }
      var endpoints: [Endpoint] = []
      for _ in 0..<count { endpoints.append(try reader.readEndpoint()) }
      guard let pin = Fingerprint(bytes: try reader.readBytes(Fingerprint.size, "pin")) else {
        throw WireError.invalid("pin")
      }
      self.endpoints = endpoints
      self.pin = pin
      id = try reader.readBytes(Self.idSize, "token ID")
      secret = try reader.readBytes(Self.secretSize, "secret")
      try reader.expectEnd()
    } catch {
      throw .mistyped
    }
  }

  private static func checksum(_ bytes: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: bytes).prefix(checksumSize)) }
}
