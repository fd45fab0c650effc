import Wire

@testable import Registry

// What must hold at the end of every input.
extension World {
  mutating func checkAtEnd() {
    pass(.seconds(3))
    _ = (registry.networks, registry.hosts, registry.bindings, registry.excess, registry.smallestUnderlayMTU)
    for number in 0..<3 {
      _ = (registry.floodList(Self.network(number)), registry.localPorts(of: Self.network(number)))
    }
    checkStored()
    checkSeed()
    jump(to: now + .seconds(2000))
  }

  /// What goes to disk is taken up again, and in any order.
  private func checkStored() {
    let records = registry.poolRecords
    for order in [records, records.reversed()] {
      var other = Registry(host: registry.host, boot: Self.boot(2), seed: 9)
      _ = other.load(poolRecords: order, floors: registry.floors, verify: Self.verify)
      require(other.poolHash == registry.poolHash, "the stored pool records are taken up again")
      require(other.poolRecords == records, "the stored pool records come back in the same order")
      // A host that is this one has no floor here.
      require(other.floors == registry.floors, "the stored floors are taken up again")
    }
  }

  private func checkSeed() {
    let bytes = registry.ownStatements
    var other = Registry(host: registry.host, boot: Self.boot(2), seed: 9)
    let rejected = other.seed(ownStatements: bytes).contains { if case .rejected = $0 { true } else { false } }
    require(!rejected, "the stored statements are taken up again")
    guard !bytes.isEmpty else { return }
    let batch = required("the stored statements are a batch") { try Batch(bytes: bytes) }
    require(other.previousOwn?.statements.count == batch.statements.count, "no stored statement is lost")
  }

  /// A sync between two honest hosts ends, and after one each way both have the same pool records and as much of others.
  static func checkSync(_ left: inout World, _ right: inout World) {
    sync(&left, &right)
    // What this one brought may have closed a gap before something that only the other one had.
    sync(&right, &left)
    let areMembers =
      !left.registry.pool.isGone(right.registry.host) && !right.registry.pool.isGone(left.registry.host)
    guard areMembers else { return }
    require(left.registry.poolHash == right.registry.poolHash, "after a sync both have all records")
    for owner in [host(3), host(4)] where !left.registry.pool.isGone(owner) {
      let (a, b) = (left.registry.ledgers[owner], right.registry.ledgers[owner])
      // A host that was purged here is taken up again only when it is heard itself; of a boot of which only what comes
      // behind a gap is known there is nothing to hand on.
      guard a?.floor == nil, b?.floor == nil, a?.latest?.version != 0, b?.latest?.version != 0 else { continue }
      require(a?.holding(of: owner) == b?.holding(of: owner), "after a sync both have as much of a third host")
    }
  }

  private static func sync(_ caller: inout World, _ other: inout World) {
    var next: [UInt8]? = caller.registry.syncRequest(to: other.registry.host)
    var rounds = 0
    while let request = next {
      rounds += 1
      require(rounds <= 32, "a sync ends")
      next = caller.finish(other.respond(request, from: caller.registry.host), from: other.registry.host)
    }
  }
}
