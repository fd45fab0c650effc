import Crypto
import Wire

/// Why stored bytes of a secret were not taken. `what` names the thing, as in "the host's identity".
package enum StoredFormError: Error, Equatable, CustomStringConvertible {
  case truncated(what: String)
  case foreign(what: String)
  case newerVersion(what: String, version: UInt8)
  case damaged(what: String)

  package var description: String {
    switch self {
    case .truncated(let what): "The stored form of \(what) is cut short: restore it from a backup of this host."
    case .foreign(let what): "These bytes are not \(what): put the right file back in its place."
    case .newerVersion(let what, let version):
      "The stored form of \(what) has version \(version), of a newer release: run that release of weftd again."
    case .damaged(let what): "The stored form of \(what) is damaged: restore it from a backup of this host."
    }
  }
}

/// The frame around every stored secret: four letters that name its kind, a version, the payload with its length, and
/// the first 8 bytes of a SHA-256 over all before.
struct StoredForm {
  let what: String
  let letters: StaticString
  let version: UInt8

  private static let checksumSize = 8

  func encode(_ payload: [UInt8]) -> [UInt8] {
    var writer = ByteWriter(capacity: payload.count + 24)
    writer.append(magic)
    writer.append(version)
    writer.appendBlock32(payload)
    return writer.bytes + Self.checksum(writer.bytes)
  }

  func decode(_ bytes: [UInt8]) throws(StoredFormError) -> [UInt8] {
    var reader = ByteReader(bytes)
    do {
      guard try reader.readBytes(4) == magic else { throw StoredFormError.foreign(what: what) }
      let found = try reader.readUInt8()
      guard found <= version else { throw StoredFormError.newerVersion(what: what, version: found) }
      guard found == version else { throw StoredFormError.damaged(what: what) }
      let payload = try reader.readBlock32()
      let end = bytes.count - reader.remaining
      guard try reader.readBytes(Self.checksumSize) == Self.checksum(bytes[..<end]), reader.isAtEnd else {
        throw StoredFormError.damaged(what: what)
      }
      return payload
    } catch let error as StoredFormError {
      throw error
    } catch {
      throw .truncated(what: what)
    }
  }

  private var magic: [UInt8] { letters.withUTF8Buffer { Array($0) } }

  private static func checksum(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    Array(SHA256.hash(data: Array(bytes)).prefix(checksumSize))
  }
}
