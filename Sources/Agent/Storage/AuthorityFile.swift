import Trust
import Wire

/// The content of the file of CA keys, newest first. The one before the newest is kept, because a crash may come between
/// the writing of a new CA's key and the record that makes that CA the pool's.
enum AuthorityFile {
  private static let maximumCount = 4

  static func encode(_ authorities: [PoolCA]) -> [UInt8] {
    var writer = ByteWriter()
    for authority in authorities.prefix(maximumCount) { writer.appendBlock16(authority.encoded) }
    return writer.bytes
  }

  static func decode(_ bytes: [UInt8]) throws -> [PoolCA] {
    var reader = ByteReader(bytes)
    var authorities: [PoolCA] = []
    while !reader.isAtEnd { authorities.append(try PoolCA(encoded: try reader.readBlock16("CA key"))) }
    return authorities
  }
}
