import Wire

@testable import Registry

/// Well-formed statements and pool records by choices of the input, and what must hold of those that were read.
enum RecordForms {
  // MARK: Built

  static func batch(_ input: inout FuzzInput) -> Batch {
    let owner = World.host(2 + input.number(below: 3))
    let boot = World.boot(1 + input.number(below: 3))
    let from = Version(input.byte() & 15)
    let to = from + 1 + Version(input.byte() & 7)
    let header = Batch.Header(owner: owner, boot: boot, from: from, to: to, asOf: to + Version(input.byte() & 3))
    var statements: [Statement] = []
    var version = from
    for _ in 0..<input.number(below: 6) where version < to {
      version += 1
      statements.append(statement(&input, version: version))
    }
    return Batch(header: header, statements: statements, sign: World.sign)
  }

  private static func statement(_ input: inout FuzzInput, version: Version) -> Statement {
    let choice = input.byte()
    let network = World.network(Int(choice >> 4 & 1))
    switch choice & 7 {
    case 0: return Statement(version: version, key: .host, value: World.record(Int(choice >> 4 & 3)).bytes)
    case 1: return Statement(version: version, key: .complete, value: [])
    case 2:
      let standing: NetworkStanding = choice >> 5 & 1 == 0 ? .stands : .fails("why")
      let status = NetworkStatus(standing: standing, hasVIF: choice >> 6 & 1 == 0)
      let value = choice >> 7 == 0 ? status.bytes : NetworkStatus.goneBytes
      return Statement(version: version, key: .network(network), value: value)
    case 3: return Statement(version: version, key: .unknown(kind: choice, [1]), value: [choice])
    default:
      let flags = input.byte()
      let claim = Claim(
        state: Claim.State(rawValue: flags & 3) ?? .damped, sequence: MobilitySequence(UInt64(flags >> 4 & 7)),
        ips: [.v4(0xc633_6400 + UInt32(flags))], vif: "vif9.0", vm: "vm", isBackedByXen: flags & 4 != 0,
        isContested: flags & 8 != 0)
      return Statement(version: version, key: .claim(network, World.mac(Int(choice >> 5 & 3))), value: claim.bytes)
    }
  }

  static func record(_ input: inout FuzzInput) -> PoolRecord {
    let choice = input.byte()
    let author = World.host(1 + Int(choice >> 4 & 3))
    let subject = input.byte()
    let (host, network) = (World.host(Int(subject & 7)), World.network(Int(subject & 3)))
    var stamp = RecordStamp(counter: UInt64(input.byte()), author: author)
    if choice >> 7 == 1 { stamp.counter += 1 << 24 }
    let (key, body): (PoolRecordKey, [UInt8]) =
      switch choice & 15 {
      case 0: (.admission(host), RecordBody.certificate([subject]))
      case 1: (.revocation(host), [subject])
      case 2: (.left(host), [])
      case 3...5: (.networkCreation(network), creation(subject).bytes)
      case 6: (.networkField(network, .name), required("a name") { RecordBody.name(try NetworkName("n\(subject)")) })
      case 7:
        (.networkField(network, .mtu), required("an MTU") { RecordBody.mtu(try NetworkMTU(1000 + Int(subject))) })
      case 8: (.networkField(network, .option("o\(subject >> 6)")), RecordBody.option("\(subject)"))
      case 9: (.networkDeletion(network), [])
      case 10: (.unknown(kind: 77, [subject]), [subject])
      default: (.networkCreation(network), input.chunk())
      }
    return PoolRecord(key: key, stamp: stamp, body: body, sign: World.sign)
  }

  /// Few VNIs and bridges, so that networks conflict.
  private static func creation(_ choice: UInt8) -> NetworkCreation {
    var creation = Seeds.creation
    creation.vni = VNI(1 + UInt32(choice >> 2 & 3)) ?? creation.vni
    if choice >> 4 & 1 == 1, let bridge = try? BridgeName("b\(choice >> 5)") { creation.bridge = bridge }
    return creation
  }

  // MARK: Read

  static func checkBatch(_ bytes: [UInt8]) {
    _ = try? SignedHostRecord(bytes: bytes)
    guard let batch = try? Batch(bytes: bytes) else { return }
    let again = Batch(header: batch.header, statements: batch.statements) { _ in batch.signature }
    require(again.bytes == bytes && again.message == batch.message, "a batch is written as it was read")
    require(try Batch.Header(bytes: bytes) == batch.header, "a batch's header reads alone as it does with the rest")
    for statement in batch.statements {
      require(try StatementKey(bytes: statement.key.bytes) == statement.key, "a key is read as it was written")
      checkValue(statement)
    }
  }

  private static func checkValue(_ statement: Statement) {
    switch statement.key {
    case .host:
      guard let record = try? HostRecord(bytes: statement.value) else { return }
      require(try HostRecord(bytes: record.bytes) == record, "a host record is read as it was written")
    case .network:
      guard let status = try? NetworkStatus.read(statement.value) else { return }
      require(try NetworkStatus.read(status.bytes) == status, "a network's status is read as it was written")
    case .claim:
      guard let claim = try? Claim(bytes: statement.value) else { return }
      let again = required("a claim is read as it was written") { try Claim(bytes: claim.bytes) }
      let isShort =
        claim.ips.count <= Claim.maximumIPs && claim.others.count <= Claim.maximumOthers
        && claim.others.allSatisfy { $0.vif.utf8.count <= 15 && $0.vm.utf8.count <= 63 }
      require(!isShort || again == claim, "a claim within its limits is read as it was written")
      require(try Claim(bytes: again.bytes) == again, "a claim that was cut is read as it was written")
    case .complete, .unknown: break
    }
  }

  static func checkRecord(_ bytes: [UInt8]) {
    guard let record = try? PoolRecord(bytes: bytes) else { return }
    let again = PoolRecord(key: record.key, stamp: record.stamp, body: record.body) { _ in record.signature }
    require(again.bytes == bytes && again.message == record.message, "a pool record is written as it was read")
    guard (try? RecordBody.validate(record)) != nil, case .networkCreation = record.key else { return }
    let creation = required("a network's creation is read") { try NetworkCreation(bytes: record.body) }
    require(try NetworkCreation(bytes: creation.bytes) == creation, "a network's creation is read as it was written")
  }
}
