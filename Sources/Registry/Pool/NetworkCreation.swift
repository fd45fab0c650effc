import Wire

/// What never changes about a network, and what it began with.
struct NetworkCreation: Hashable, Sendable {
  var vni: VNI
  var bridge: BridgeName
  var encapsulation: Encapsulation
  var encryption: Encryption
  var mtu: NetworkMTU
  var name: NetworkName

  var bytes: [UInt8] {
    var writer = FieldWriter()
    writer.append(1, vni.value)
    writer.append(2, bridge.text)
    writer.append(3, encapsulation.rawValue)
    writer.append(4, encryption.rawValue)
    writer.append(5, mtu.value)
    writer.append(6, name.text)
    return writer.bytes
  }

  init(
    vni: VNI, bridge: BridgeName, encapsulation: Encapsulation, encryption: Encryption, mtu: NetworkMTU,
    name: NetworkName
  ) {
    self.vni = vni
    self.bridge = bridge
    self.encapsulation = encapsulation
    self.encryption = encryption
    self.mtu = mtu
    self.name = name
  }

  init(bytes: [UInt8]) throws(WireError) {
    let fields = try FieldTable(bytes)
    guard let vni = VNI(try fields.uint32(1, "VNI") ?? 0) else { throw .invalid("VNI") }
    guard let bridge = try? BridgeName(fields.text(2, maximum: 15, "bridge") ?? "") else { throw .invalid("bridge") }
    guard let encapsulation = Encapsulation(rawValue: try fields.uint8(3, "encapsulation") ?? 0) else {
      throw .invalid("encapsulation")
    }
    guard let encryption = Encryption(rawValue: try fields.uint8(4, "encryption") ?? 0xff) else {
      throw .invalid("encryption")
    }
    self.vni = vni
    self.bridge = bridge
    self.encapsulation = encapsulation
    self.encryption = encryption
    mtu = try Self.mtu(fields.uint16(5, "MTU") ?? 0)
    name = try Self.name(fields.text(6, maximum: 63, "network name") ?? "")
  }

  static func mtu(_ value: UInt16) throws(WireError) -> NetworkMTU {
    guard let mtu = try? NetworkMTU(Int(value)) else { throw .invalid("MTU") }
    return mtu
  }

  static func name(_ text: String) throws(WireError) -> NetworkName {
    guard let name = try? NetworkName(text) else { throw .invalid("network name") }
    return name
  }
}

/// Bodies of the records that hold one value.
enum RecordBody {
  static let maximumOptionSize = 240

  static func certificate(_ der: [UInt8]) -> [UInt8] {
    var writer = FieldWriter()
    writer.append(1, der)
    return writer.bytes
  }

  static func certificate(in body: [UInt8]) throws(WireError) -> [UInt8] {
    guard let der = try FieldTable(body).bytes(1) else { throw .invalid("certificate") }
    return der
  }

  static func name(_ name: NetworkName) -> [UInt8] {
    var writer = FieldWriter()
    writer.append(1, name.text)
    return writer.bytes
  }

  static func name(in body: [UInt8]) throws(WireError) -> NetworkName {
    try NetworkCreation.name(FieldTable(body).text(1, maximum: 63, "network name") ?? "")
  }

  static func mtu(_ mtu: NetworkMTU) -> [UInt8] {
    var writer = FieldWriter()
    writer.append(1, mtu.value)
    return writer.bytes
  }

  static func mtu(in body: [UInt8]) throws(WireError) -> NetworkMTU {
    try NetworkCreation.mtu(FieldTable(body).uint16(1, "MTU") ?? 0)
  }

  static func option(_ value: String) -> [UInt8] {
    var writer = FieldWriter()
    writer.append(1, value.prefixed(maximumOptionSize))
    return writer.bytes
  }

  static func option(in body: [UInt8]) throws(WireError) -> String {
    try FieldTable(body).text(1, maximum: maximumOptionSize, "option") ?? ""
  }

  /// Whether a body of a known kind can be read.
  static func validate(_ record: PoolRecord) throws(WireError) {
    switch record.key {
    case .admission: _ = try certificate(in: record.body)
    case .networkCreation: _ = try NetworkCreation(bytes: record.body)
    case .networkField(_, .name): _ = try name(in: record.body)
    case .networkField(_, .mtu): _ = try mtu(in: record.body)
    case .networkField(_, .option): _ = try option(in: record.body)
    case .revocation, .left, .networkDeletion, .unknown: break
    }
  }
}
