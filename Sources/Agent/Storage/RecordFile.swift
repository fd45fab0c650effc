import Registry
import Wire

/// The content of the file of pool records: each with its length.
enum RecordFile {
  static func encode(_ records: [[UInt8]]) -> [UInt8] {
    var writer = ByteWriter()
    for record in records { writer.appendBlock32(record) }
    return writer.bytes
  }

  static func decode(_ bytes: [UInt8]) throws(WireError) -> [[UInt8]] {
    var reader = ByteReader(bytes)
    var records: [[UInt8]] = []
    while !reader.isAtEnd { records.append(try reader.readBlock32("pool record")) }
    return records
  }
}

extension Floor {
  static func encode(_ floors: [Floor]) -> [UInt8] {
    var writer = ByteWriter(capacity: floors.count * 40)
    for floor in floors {
      writer.append(floor.host)
      writer.append(floor.boot)
      writer.append(floor.version)
    }
    return writer.bytes
  }

  static func decode(_ bytes: [UInt8]) throws(WireError) -> [Floor] {
    var reader = ByteReader(bytes)
    var floors: [Floor] = []
    while !reader.isAtEnd {
      floors.append(
        Floor(host: try reader.readHostID(), boot: try reader.readBoot(), version: try reader.readUInt64("version")))
    }
    return floors
  }
}
