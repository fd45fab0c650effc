import Wire

@testable import Registry

/// Statements and pool records: read as they come, and built from choices of the input so that they are well formed and
/// collide; all of them taken up by one agent.
struct RegistryTarget: FuzzTarget {
  private let world = World(host: 1)

  func run(_ bytes: [UInt8]) {
    var world = world
    var input = FuzzInput(bytes)
    for _ in 0..<64 where !input.isAtEnd { Self.step(&input, in: &world) }
    world.checkAtEnd()
  }

  /// One event in the life of an agent.
  static func step(_ input: inout FuzzInput, in world: inout World) {
    let choice = input.byte()
    let sender = World.host(2 + Int(choice >> 4 & 3))
    switch choice & 15 {
    case 0:
      let bytes = input.chunk()
      RecordForms.checkBatch(bytes)
      world.take([.batch(bytes)], from: sender, boot: World.boot(1))
    case 1:
      let bytes = input.chunk()
      RecordForms.checkRecord(bytes)
      world.take([.record(bytes)], from: sender, boot: World.boot(1))
    case 2...6: world.take([.batch(RecordForms.batch(&input).bytes)], from: sender, boot: World.boot(1))
    case 7...9: world.take([.record(RecordForms.record(&input).bytes)], from: sender, boot: World.boot(1))
    case 10: world.pass(.milliseconds(100) * Int(input.byte()))
    case 11: world.local(&input)
    case 12: world.setState(of: sender, &input)
    case 13:
      let holding = Holding(
        owner: World.host(1 + input.number(below: 4)), boot: World.boot(input.number(below: 4)),
        version: Version(input.byte()))
      world.take(
        [.have(holding), .want(owner: holding.owner, boot: holding.boot, after: holding.version)], from: sender,
        boot: World.boot(1))
    case 14:
      let hash = input.byte() & 1 == 0 ? world.registry.poolHash : 1
      world.take(
        [.advert(boot: World.boot(1), version: Version(input.byte()), incarnation: 0, poolHash: hash)], from: sender,
        boot: World.boot(1))
    default: world.jump(to: world.now + .seconds(10) * Int(input.byte()))
    }
  }

  func seeds() -> [[UInt8]] {
    let batches = Seeds.batches(of: 2, boot: 1) + Seeds.batches(of: 2, boot: 2)
    let records = Seeds.records()
    var one = ByteWriter()
    for batch in batches {
      one.append(UInt8(0))
      one.appendBlock16(batch.bytes)
    }
    var two = ByteWriter()
    for record in records {
      two.append(UInt8(1))
      two.appendBlock16(record.bytes)
    }
    let built = Array((Self.builtRecords(counter: 1) + [[10, 20]] + Self.builtBatches).joined())
    return [one.bytes, two.bytes, built, [12, 4, 1, 10, 20, 12, 1, 1, 13, 1, 1, 0, 14, 1, 9, 15, 200]]
  }

  /// Steps that build one record of each kind, written by a host of its own, with growing counters.
  static func builtRecords(counter: UInt8) -> [[UInt8]] {
    let kinds: [UInt8] = [0, 3, 6, 7, 8, 10, 9, 2]
    return kinds.enumerated().map { index, kind in
      [7, kind | UInt8(index & 3) << 4, kind == 2 || kind == 9 ? 4 : 2, counter + UInt8(index)]
    }
  }

  /// Steps that build a first set of host 3, a later boot of it, and one behind a gap.
  static let builtBatches: [[UInt8]] = [
    [2, 1, 0, 0, 3, 0, 5, 0, 0x12, 0x14, 0x12, 0x34, 0x22, 1], [2, 1, 1, 0, 3, 0, 3, 0, 0x14, 0x32, 1],
    [2, 1, 1, 9, 1, 0, 1, 0x14, 0x41],
  ]
}
