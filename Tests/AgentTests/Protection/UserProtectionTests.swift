import Associations
import DataPath
import Testing
import Trust
import Wire

@testable import Agent

/// SAs in the packet path of user space, by a real one whose sockets are not open.
@Suite struct UserProtectionTests {
  private static let local = VTEP.v4(0xc000_0201)
  private static let remote = VTEP.v4(0xc000_0202)
  private static let owner = SAOwner(pool: PoolID(high: 1, low: 1), host: HostID(high: 3, low: 3))
  private let path: DataPath
  private let protection: UserProtection

  init() throws {
    path = try DataPath(.init(queues: 1))
    protection = UserProtection(path)
    _ = protection.adopt(local: Self.local, owner: Self.owner)
  }

  private func association(
    _ direction: Association.Direction, _ spi: UInt32, to remote: VTEP = remote
  ) throws -> Association {
    Association(
      peer: HostID(high: 1, low: 2), direction: direction, spi: try #require(SPI(spi)), local: Self.local,
      remote: remote, key: nil)
  }

  private func key(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 36) }

  private var outboundInUse: SPI? { path.associations.first { $0.direction == .outbound && $0.isInUse }?.spi }

  @Test func whatIsInstalledIsFoundAndWhatIsRemovedIsNot() throws {
    defer { path.stop() }
    let (inbound, outbound) = (try association(.inbound, 0x1001), try association(.outbound, 0x1001))
    #expect(protection.install(inbound, key: key(1)) == .done)
    #expect(protection.switchOutbound(to: outbound, key: key(2)) == .done)
    let sighting = protection.look()
    #expect(sighting.stands(inbound) && sighting.stands(outbound), "one SPI, two directions")
    #expect(sighting.use(of: inbound)?.packets == 0 && sighting.use(of: inbound)?.source == Self.remote)
    protection.remove(inbound)
    protection.remove(outbound)
    #expect(protection.look().found.isEmpty && path.associations.isEmpty)
  }

  @Test func anSPIThatIsTakenIsSaidToBeAndTheSAThatHasItStays() throws {
    defer { path.stop() }
    let first = try association(.inbound, 0x1001)
    let second = try association(.inbound, 0x1001, to: .v4(0xc000_0203))
    #expect(protection.install(first, key: key(1)) == .done)
    #expect(protection.install(second, key: key(2)) == .spiTaken)
    #expect(protection.lastRefusal != nil)
    protection.remove(try association(.outbound, 0x1001))
    #expect(protection.look().stands(first))
  }

  @Test("Of two hosts that are known at one address, the one that frames go to keeps them, whichever comes first")
  func twoHostsAtOneAddress() throws {
    defer { path.stop() }
    let (old, new) = (try association(.outbound, 0x1001), try association(.outbound, 0x1002))
    for (association, byte) in [(old, UInt8(1)), (new, 2)] {
      #expect(protection.switchOutbound(to: association, key: key(byte)) == .done)
    }
    for known in [[old, new], [new, old]] {
      protection.repair(protection.look(), known: known, isInUse: { _ in true })
      #expect(outboundInUse == new.spi)
    }
    protection.repair(protection.look(), known: [old], isInUse: { _ in true })
    #expect(outboundInUse == old.spi, "the other one is gone")
  }

  @Test func aKeyThatIsNoneIsRefused() throws {
    defer { path.stop() }
    #expect(protection.install(try association(.inbound, 0x1001), key: [1, 2, 3]) == .refused)
    #expect(path.associations.isEmpty && protection.lastRefusal?.contains("36 bytes") == true)
  }

  @Test func framesGoByTheSALastSwitchedToAndByNoneOnceThatIsClosed() throws {
    defer { path.stop() }
    let (old, new) = (try association(.outbound, 0x1001), try association(.outbound, 0x1002))
    #expect(protection.switchOutbound(to: old, key: key(1)) == .done && outboundInUse == old.spi)
    #expect(protection.switchOutbound(to: new, key: key(2)) == .done && outboundInUse == new.spi)
    protection.close(old)
    #expect(outboundInUse == new.spi, "another one is in use")
    protection.remove(old)
    #expect(outboundInUse == new.spi && path.associations.count == 1)
    protection.close(new)
    #expect(outboundInUse == nil && protection.look().stands(new))
  }

  @Test func repairKeepsWhatTheCoreKnowsAndUsesWhatItUses() throws {
    defer { path.stop() }
    let (old, new) = (try association(.outbound, 0x1001), try association(.outbound, 0x1002))
    let strange = try association(.inbound, 0x1003)
    for (spi, association) in [old, new].enumerated() {
      #expect(protection.switchOutbound(to: association, key: key(UInt8(spi))) == .done)
    }
    #expect(protection.install(strange, key: key(9)) == .done)
    protection.repair(protection.look(), known: [old, new]) { $0 == old }
    #expect(!protection.look().stands(strange) && outboundInUse == old.spi)
    protection.repair(protection.look(), known: [old, new]) { _ in false }
    #expect(outboundInUse == nil && path.associations.count == 2)
  }

  @Test func anotherMemberOfThisProcessTakesOverWhatStandsUnlessTheAddressIsAnother() throws {
    defer { path.stop() }
    #expect(protection.install(try association(.inbound, 0x1001), key: key(1)) == .done)
    #expect(protection.switchOutbound(to: try association(.outbound, 0x1002), key: key(2)) == .done)
    let adopted = protection.adopt(local: Self.local, owner: Self.owner)
    #expect(
      adopted.map(\.direction) == [.inbound, .outbound]
        && adopted.allSatisfy { $0.isInUse && $0.remote == Self.remote })
    #expect(protection.look().stands(try association(.inbound, 0x1001)))
    #expect(protection.adopt(local: .v4(0xc000_0209), owner: Self.owner).isEmpty && path.associations.isEmpty)
  }

  @Test(
    "Keys of another pool or identity are never taken over",
    arguments: [
      SAOwner(pool: PoolID(high: 1, low: 2), host: owner.host),
      SAOwner(pool: owner.pool, host: HostID(high: 3, low: 4)),
    ])
  func anotherOwner(_ other: SAOwner) throws {
    defer { path.stop() }
    #expect(protection.install(try association(.inbound, 0x1001), key: key(1)) == .done)
    #expect(protection.switchOutbound(to: try association(.outbound, 0x1002), key: key(2)) == .done)
    #expect(protection.adopt(local: Self.local, owner: other).isEmpty && path.associations.isEmpty)
  }

  @Test func nothingGoesByTheSAsOfAnAddressThatThisHostHasLeft() throws {
    defer { path.stop() }
    let (inbound, outbound) = (try association(.inbound, 0x1001), try association(.outbound, 0x1002))
    #expect(protection.install(inbound, key: key(1)) == .done)
    #expect(protection.switchOutbound(to: outbound, key: key(2)) == .done)
    protection.move(to: Self.local)
    #expect(outboundInUse == outbound.spi, "it is where it was")
    protection.move(to: .v4(0xc000_0209))
    #expect(outboundInUse == nil)
    #expect(protection.look().stands(inbound) && protection.look().stands(outbound), "until the core removes them")
    var next = try association(.outbound, 0x1003)
    next.local = .v4(0xc000_0209)
    #expect(protection.switchOutbound(to: next, key: key(3)) == .done && outboundInUse == next.spi)
    protection.remove(outbound)
    #expect(outboundInUse == next.spi && protection.look().stands(next))
    let adopted = protection.adopt(local: next.local, owner: Self.owner)
    #expect(
      adopted.map(\.spi) == [next.spi] && path.associations.count == 1, "what is of the old address is not taken over")
  }
}
