import Crypto
import Wire

/// The outer form of every file of the state directory: magic (8 bytes), format version (16 bits), kind (16 bits),
/// length of the content (32 bits), SHA-256 over the 16 bytes before it and the content, the content.
enum StateEnvelope {
  static let version: UInt16 = 1
  static let headerSize = 16 + 32

  private static let magic = Array("WEFTSTAT".utf8)

  static func seal(_ content: [UInt8], as file: StateFile) -> [UInt8] {
    var writer = ByteWriter(capacity: headerSize + content.count)
    writer.append(magic)
    writer.append(version)
    writer.append(file.rawValue)
    writer.append(UInt32(content.count))
    writer.append(digest(writer.bytes, content))
    writer.append(content)
    return writer.bytes
  }

  /// `path` is for the error.
  static func open(_ bytes: [UInt8], as file: StateFile, path: String) throws(StateError) -> [UInt8] {
    guard !bytes.isEmpty else { throw .damaged(path, .empty) }
    guard magic.starts(with: bytes.prefix(magic.count)) else { throw .foreign(path) }
    guard bytes.count >= magic.count + 2 else { throw .damaged(path, .cut) }
    let version = UInt16(bytes[8]) << 8 | UInt16(bytes[9])
    // A newer release may have changed all that follows.
    guard version == Self.version else { throw .newer(path, version: version) }
    return try content(bytes, as: file, path: path)
  }

  private static func content(_ bytes: [UInt8], as file: StateFile, path: String) throws(StateError) -> [UInt8] {
    guard bytes.count >= headerSize else { throw .damaged(path, .cut) }
    let kind = UInt16(bytes[10]) << 8 | UInt16(bytes[11])
    let length = bytes[12..<16].reduce(0) { $0 << 8 | Int($1) }
    guard bytes.count - headerSize >= length else { throw .damaged(path, .cut) }
    guard bytes.count - headerSize == length else { throw .damaged(path, .tail) }
    let content = Array(bytes[headerSize...])
    guard digest(Array(bytes[..<16]), content) == Array(bytes[16..<headerSize]) else {
      throw .damaged(path, .checksum)
    }
    guard kind == file.rawValue else { throw .otherKind(path) }
    return content
  }

  private static func digest(_ header: [UInt8], _ content: [UInt8]) -> [UInt8] {
    var hash = SHA256()
    hash.update(data: header)
    hash.update(data: content)
    return Array(hash.finalize())
  }
}
