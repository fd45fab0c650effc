import Testing
import Wire

@testable import Associations

@Suite struct AdoptionTests {
  private static func found(
    _ spi: SPI, _ direction: Association.Direction, remote: VTEP = Shell.remote, local: VTEP = Shell.local,
    isInUse: Bool = true
  ) -> AdoptedAssociation {
    AdoptedAssociation(local: local, remote: remote, spi: spi, direction: direction, isInUse: isInUse)
  }

  private static func adopting(_ found: [AdoptedAssociation]) -> Shell {
    var shell = Shell()
    shell.perform(shell.core.adopt(found, now: shell.now))
    shell.start()
    return shell
  }

  @Test func `What stood goes on for an address of which no host is known yet`() {
    let shell = Self.adopting([Self.found(4000, .inbound), Self.found(4001, .outbound)])
    #expect(shell.core.all.count == 2 && shell.core.all.allSatisfy { $0.peer == nil && $0.key == nil })
    #expect(shell.outbound.map(\.spi) == [4001] && shell.outbound.allSatisfy(shell.core.isInUse))
    #expect(shell.core.association(destination: Shell.remote, spi: 4001)?.direction == .outbound)
    #expect(shell.core.association(destination: Shell.local, spi: 4001) == nil)
  }

  @Test func `The host with the address has them until newer ones are in use`() throws {
    var shell = Self.adopting([Self.found(4000, .inbound), Self.found(4001, .outbound)])
    shell.meet()
    #expect(shell.core.all.count == 3 && shell.core.all.allSatisfy { $0.peer == Shell.peer })
    #expect(shell.core.outboundSPI(to: Shell.peer) == 4001)
    #expect(shell.reports.first == .sending(epoch: 1, receiverEpoch: 1, spi: 4001))
    shell.receive(.sending(epoch: 1, receiverEpoch: 1, spi: 4000))
    #expect(shell.events.last == .established(Shell.peer) && !shell.core.status(of: Shell.peer).isConfirmed)
    shell.wait(.seconds(61))
    #expect(shell.removed.isEmpty)
    shell.receive(.standing(epoch: 1, receiverEpoch: 1, spi: 6000))
    #expect(shell.removed.map(\.spi) == [4001])
    shell.receive(.sending(epoch: 1, receiverEpoch: 1, spi: shell.inbound.last?.spi))
    shell.wait(.seconds(61))
    #expect(shell.removed.map(\.spi) == [4001, 4000] && shell.inbound.count == 1)
  }

  @Test func `Four adopted ones leave a place as soon as the peer tells which one it uses`() {
    var shell = Self.adopting((0..<4).map { Self.found(SPI(integerLiteral: 4000 + $0), .inbound) })
    shell.meet()
    #expect(shell.installed.isEmpty && shell.questions.count == 1 && shell.inbound.count == 4)
    shell.receive(.sending(epoch: 1, receiverEpoch: 1, spi: 4002))
    shell.wait(.milliseconds(500))
    #expect(shell.installed.count == 1 && shell.inbound.count == 4)
    shell.wait(.seconds(60))
    #expect(Set(shell.inbound.map(\.spi)).contains(4002) && shell.inbound.count == 2)
  }

  @Test func `More than four that were found make room for one`() {
    var shell = Self.adopting((0..<7).map { Self.found(SPI(integerLiteral: 4000 + $0), .inbound) })
    shell.meet()
    shell.receive(.sending(epoch: 1, receiverEpoch: 1, spi: 4006))
    shell.wait(.seconds(1))
    #expect(shell.inbound.count == 4 && shell.installed.count == 1)
    #expect(shell.inbound.contains { $0.spi == 4006 })
  }

  @Test func `What policies do not point to, or what ends at an old address, goes`() {
    let old = VTEP.v4(0xc000_0277)
    var shell = Self.adopting([
      Self.found(4000, .outbound, isInUse: false), Self.found(4001, .outbound), Self.found(4002, .outbound, local: old),
      Self.found(4003, .inbound, local: old), Self.found(4004, .inbound),
    ])
    shell.meet()
    #expect(Set(shell.removed.map(\.spi)) == [4000, 4002])
    shell.wait(.seconds(61))
    #expect(Set(shell.removed.map(\.spi)) == [4000, 4002, 4003])
  }

  @Test func `SAs of addresses that belong to no member go a minute after all are known`() {
    var shell = Self.adopting([Self.found(4000, .inbound), Self.found(4001, .outbound)])
    shell.wait(.seconds(600))
    #expect(shell.removed.isEmpty)
    shell.perform(shell.core.membersAreKnown(now: shell.now))
    shell.wait(.seconds(59))
    shell.perform(shell.core.membersAreKnown(now: shell.now))
    #expect(shell.removed.isEmpty)
    shell.wait(.seconds(1))
    #expect(Set(shell.removed.map(\.spi)) == [4000, 4001] && shell.core.all.isEmpty)
  }

  @Test func `An adopted SA that is lost is forgotten: newer ones are on their way`() throws {
    var shell = Self.adopting([Self.found(4000, .inbound), Self.found(4001, .outbound, remote: .v4(7))])
    let stranger = try #require(shell.core.association(destination: .v4(7), spi: 4001))
    shell.lose(stranger)
    shell.lose(stranger)
    shell.meet()
    let adopted = try #require(shell.core.association(destination: Shell.local, spi: 4000))
    shell.lose(adopted)
    shell.wait(.seconds(5))
    #expect(shell.removed == [stranger, adopted] && shell.drawn == [1])
  }
}
