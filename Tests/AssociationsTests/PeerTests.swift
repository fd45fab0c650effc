import Testing
import Wire

@testable import Associations

@Suite struct PeerTests {
  @Test func `A host that goes loses all SAs at once`() throws {
    var shell = try Shell.standing()
    shell.meet(epoch: 2)
    shell.forget()
    let all = shell.core.all
    shell.forget(Shell.peer)
    #expect(Set(shell.removed) == Set(all) && shell.removed.count == 3)
    #expect(shell.core.all.isEmpty && shell.core.outboundSPI(to: Shell.peer) == nil)
    shell.receive(.standing(epoch: 2, receiverEpoch: 1, spi: 6000))
    shell.wait(.seconds(100))
    #expect(shell.sent.isEmpty && shell.switched.isEmpty)
  }

  @Test func `A host that comes back within an epoch is met with new keys`() throws {
    var shell = try Shell.standing()
    let spent = try #require(shell.inbound.first?.key)
    shell.wait(.seconds(1))
    shell.forget(Shell.peer)
    shell.forget()
    shell.meet()
    #expect(shell.drawn == [2])
    #expect(shell.installed.count == 1 && shell.installed.allSatisfy { $0.key != spent })
    shell.receive(.standing(epoch: 1, receiverEpoch: 1, spi: 6000))
    #expect(shell.switched.isEmpty)
  }

  /// A record that is told again can be an old one.
  @Test(arguments: [(1, true), (2, false)] as [(UInt64, Bool)])
  func `A host that comes back with an older epoch gets no key that it had`(told: UInt64, offers: Bool) throws {
    var shell = try Shell.standing()
    shell.wait(.seconds(1))
    shell.meet(epoch: 2)
    if offers { shell.receive(.standing(epoch: 2, receiverEpoch: 1, spi: 5002)) }
    shell.installs = [.refused]
    shell.meet(epoch: 3)
    shell.forget(Shell.peer)
    shell.meet(epoch: 0)
    shell.meet(epoch: told)
    shell.receive(.standing(epoch: told, receiverEpoch: 1, spi: 6000))
    shell.receive(.standing(epoch: told, receiverEpoch: 2, spi: 6000))
    #expect(shell.drawn == [2] && shell.inbound.count == 1 && shell.outbound.count == 1)
    let keys = shell.made.map(\.key)
    #expect(keys.count == (offers ? 6 : 5) && Set(keys).count == keys.count)
  }

  @Test func `An older epoch of a peer changes nothing`() {
    var shell = Shell.met()
    shell.meet(epoch: 3)
    shell.forget()
    shell.meet(epoch: 2)
    shell.meet(boot: Boot(counter: 1, nonce: 1), epoch: 9)
    #expect(shell.carriedOut.isEmpty)
    shell.receive(.standing(epoch: 3, receiverEpoch: 1, spi: 6000))
    #expect(shell.switched.map(\.key?.receiverEpoch) == [Epoch(boot: Shell.peerBoot, number: 3)])
  }

  @Test func `A host without an epoch gets nothing, nor does this one get an SA with itself`() {
    var shell = Shell()
    shell.start()
    shell.forget()
    shell.meet(epoch: 0)
    shell.meet(Shell.host, boot: Shell.boot, vtep: Shell.local)
    shell.receive(.standing(epoch: 0, receiverEpoch: 1, spi: 6000))
    shell.receive(.standing(epoch: 1, receiverEpoch: 1, spi: 6000), from: Shell.host, boot: Shell.boot)
    #expect(shell.carriedOut.isEmpty)
  }

  @Test func `Before the start nothing happens, and at the start everything`() {
    var shell = Shell()
    shell.meet()
    shell.rekey()
    shell.receive(.standing(epoch: 1, receiverEpoch: 0, spi: 6000))
    shell.wait(.seconds(1))
    #expect(shell.carriedOut.isEmpty && shell.core.deadline == nil)
    shell.start()
    shell.start()
    #expect(shell.drawn == [1] && shell.installed.count == 1)
  }

  @Test func `A peer's new address is never sent to by an SA for the old one`() throws {
    var shell = try Shell.standing()
    let moved = VTEP.v4(0xc633_6409)
    let old = try #require(shell.outbound.first)
    shell.meet(vtep: moved)
    #expect(shell.core.outboundSPI(to: Shell.peer) == nil && shell.removed.isEmpty && shell.outbound == [old])
    shell.meet(vtep: Shell.remote)
    #expect(shell.core.outboundSPI(to: Shell.peer) == nil)
    shell.meet(epoch: 2, vtep: moved)
    #expect(shell.installed.map(\.remote) == [moved])
    shell.receive(.standing(epoch: 2, receiverEpoch: 1, spi: 6000))
    #expect(shell.removed == [old] && shell.core.outboundSPI(to: Shell.peer) == 6000)
    #expect(shell.outbound.map(\.remote) == [moved])
    shell.wait(.seconds(10))
    #expect(shell.drawn.isEmpty)
  }

  @Test func `A peer's new address without a new epoch is given one after a while`() throws {
    var shell = try Shell.standing()
    shell.wait(.seconds(1))
    shell.forget()
    shell.meet(vtep: .v4(0xc633_6409))
    shell.wait(.milliseconds(1999))
    #expect(shell.drawn.isEmpty)
    shell.wait(.milliseconds(1))
    #expect(shell.drawn == [2])
  }

  @Test func `An own new address draws an epoch, and SAs to the old one go a minute later`() throws {
    var shell = try Shell.standing()
    shell.wait(.seconds(1))
    shell.forget()
    let moved = VTEP.v4(0xc000_0209)
    let old = shell.inbound
    shell.perform(shell.core.localAddress(moved, now: shell.now))
    #expect(shell.drawn == [2] && shell.events == [.rekeyed(epoch: 2, .addressChanged)])
    #expect(shell.installed.map(\.local) == [moved])
    #expect(shell.core.outboundSPI(to: Shell.peer) == nil && shell.removed.isEmpty)
    shell.receive(.standing(epoch: 1, receiverEpoch: 2, spi: 6000))
    #expect(shell.outbound.map(\.local) == [moved])
    shell.receive(.sending(epoch: 1, receiverEpoch: 2, spi: shell.inbound.last?.spi))
    shell.wait(.seconds(61))
    #expect(shell.inbound.map(\.local) == [moved] && shell.removed.contains(old[0]))
  }

  @Test func `Under an epoch that others know with the old address nothing new is set up`() throws {
    var shell = Shell()
    shell.start()
    shell.wait(.milliseconds(500))
    shell.perform(shell.core.localAddress(.v4(0xc000_0209), now: shell.now))
    shell.meet()
    shell.receive(.standing(epoch: 1, receiverEpoch: 1, spi: 6000))
    #expect(shell.installed.isEmpty && shell.switched.isEmpty)
    shell.wait(.milliseconds(500))
    #expect(shell.drawn == [1, 2] && shell.installed.count == 1)
  }
}
