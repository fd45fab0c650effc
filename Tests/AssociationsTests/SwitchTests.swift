import Testing
import Wire

@testable import Associations

@Suite struct SwitchTests {
  @Test func `An offer for the newest pair is followed and confirmed`() throws {
    var shell = Shell.met()
    shell.forget()
    shell.receive(.standing(epoch: 1, receiverEpoch: 1, spi: 5000))
    let made = try #require(shell.switched.first)
    #expect(made.direction == .outbound && made.spi == 5000 && made.destination == Shell.remote)
    #expect(made.key?.sender == Shell.host && made.key?.receiver == Shell.peer)
    #expect(shell.reports.first == .sending(epoch: 1, receiverEpoch: 1, spi: 5000))
    #expect(shell.core.outboundSPI(to: Shell.peer) == 5000)
  }

  @Test func `The old outbound SA goes as soon as the new one is in use, and before the peer hears of it`() throws {
    var shell = try Shell.standing()
    let old = try #require(shell.outbound.first)
    shell.meet(epoch: 2)
    shell.forget()
    shell.receive(.standing(epoch: 2, receiverEpoch: 1, spi: 6000))
    let steps = shell.carriedOut.prefix(3)
    #expect(
      Array(steps) == [
        .switchOutbound(try #require(shell.switched.first)), .remove(old),
        .send(.sending(epoch: 1, receiverEpoch: 2, spi: 6000), to: Shell.peer, boot: Shell.peerBoot),
      ])
    #expect(shell.outbound.map(\.spi) == [6000])
  }

  @Test(arguments: [(2, 1), (1, 2), (0, 0), (.max, .max), (1, 0)] as [(UInt64, UInt64)])
  func `An offer for any other pair is answered and not followed`(epoch: UInt64, receiverEpoch: UInt64) throws {
    var shell = try Shell.standing()
    shell.receive(.standing(epoch: epoch, receiverEpoch: receiverEpoch, spi: 6000))
    #expect(shell.switched.isEmpty)
    #expect(shell.sent == [.sending(epoch: 1, receiverEpoch: 1, spi: 5000)])
  }

  @Test func `A second SPI for a key that was used is ignored`() throws {
    var shell = try Shell.standing()
    shell.receive(.standing(epoch: 1, receiverEpoch: 1, spi: 6000))
    #expect(shell.switched.isEmpty && shell.core.outboundSPI(to: Shell.peer) == 5000)
    #expect(shell.sent == [.sending(epoch: 1, receiverEpoch: 1, spi: 5000)])
  }

  @Test func `A switch that was refused is tried again at the next offer, one that burnt its key never`() {
    var shell = Shell.met()
    shell.switches = [.refused, .done]
    shell.receive(.standing(epoch: 1, receiverEpoch: 1, spi: 5000))
    #expect(shell.reports.last == .sending(epoch: 1, receiverEpoch: 1, spi: nil))
    shell.receive(.standing(epoch: 1, receiverEpoch: 1, spi: 5000))
    #expect(shell.core.outboundSPI(to: Shell.peer) == 5000)

    for outcome in [InstallOutcome.burnt, .spiTaken] {
      var burnt = Shell.met()
      burnt.switches = [outcome]
      burnt.receive(.standing(epoch: 1, receiverEpoch: 1, spi: 5000))
      burnt.receive(.standing(epoch: 1, receiverEpoch: 1, spi: 5000))
      #expect(burnt.switched.count == 1 && burnt.outbound.isEmpty)
      burnt.wait(.seconds(1))
      #expect(burnt.drawn == [1, 2])
      burnt.receive(.standing(epoch: 1, receiverEpoch: 2, spi: 6000))
      #expect(burnt.core.outboundSPI(to: Shell.peer) == 6000)
    }
  }

  @Test func `What has come to stand without anybody waiting for it is taken away`() {
    var shell = Shell.met()
    let stray = Association(
      peer: Shell.peer, direction: .inbound, spi: 4000, local: Shell.local, remote: Shell.remote, key: nil)
    #expect(shell.core.installed(stray, .done, now: shell.now) == [.remove(stray)])
    #expect(shell.core.switched(stray, .done, now: shell.now) == [.remove(stray)])
    #expect(shell.core.installed(stray, .burnt, now: shell.now) == [])
  }

  @Test func `Frames for another boot of the sender are dropped`() throws {
    var shell = try Shell.standing()
    let other = Boot(counter: 8, nonce: 1)
    for boot in [other, Boot(counter: 6, nonce: 1)] {
      shell.receive(.standing(epoch: 1, receiverEpoch: 1, spi: 6000), boot: boot)
      shell.receive(.sending(epoch: 9, receiverEpoch: 1, spi: nil), boot: boot)
    }
    shell.wait(.seconds(70))
    #expect(shell.carriedOut.isEmpty)
    shell.meet(boot: other)
    shell.forget()
    shell.receive(.standing(epoch: 1, receiverEpoch: 1, spi: 6000))
    #expect(shell.carriedOut.isEmpty)
    shell.receive(.standing(epoch: 1, receiverEpoch: 1, spi: 6000), boot: other)
    #expect(shell.core.outboundSPI(to: Shell.peer) == 6000)
  }

  @Test func `Of a flood twenty frames a second are looked at`() throws {
    var shell = try Shell.standing()
    shell.wait(.seconds(5))
    shell.forget()
    for _ in 0..<500 { shell.receive(.standing(epoch: 1, receiverEpoch: 1, spi: 5000)) }
    #expect(shell.sent.count == 20)
    shell.wait(.milliseconds(500))
    for _ in 0..<500 { shell.receive(.standing(epoch: 1, receiverEpoch: 1, spi: 5000)) }
    #expect(shell.sent.count == 30)
  }
}
