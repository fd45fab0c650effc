import Testing
import Wire

@testable import Associations

@Suite struct OfferTests {
  @Test func `Where both epochs are known an inbound SA is installed and offered`() throws {
    let shell = Shell.met()
    let made = try #require(shell.installed.first)
    #expect(shell.installed.count == 1)
    #expect(made.peer == Shell.peer && made.direction == .inbound)
    #expect(made.local == Shell.local && made.remote == Shell.remote && made.destination == Shell.local)
    #expect(
      made.key
        == KeyName(
          sender: Shell.peer, senderEpoch: Epoch(boot: Shell.peerBoot, number: 1), receiver: Shell.host,
          receiverEpoch: Epoch(boot: Shell.boot, number: 1)))
    #expect(shell.offers == [.standing(epoch: 1, receiverEpoch: 1, spi: made.spi)])
    for case .send(_, let host, let boot) in shell.carriedOut { #expect(host == Shell.peer && boot == Shell.peerBoot) }
  }

  @Test func `An offer is repeated ever more seldom until the peer sends by that very SPI`() throws {
    var shell = Shell.met()
    let spi = try #require(shell.inbound.first?.spi)
    shell.forget()
    shell.wait(.milliseconds(170))
    #expect(shell.offers.isEmpty)
    shell.wait(.milliseconds(60))
    #expect(shell.offers.count == 1)
    shell.wait(.seconds(9))
    #expect(shell.offers.count == 5)
    shell.receive(.sending(epoch: 1, receiverEpoch: 1, spi: 77_777))
    shell.receive(.sending(epoch: 1, receiverEpoch: 1, spi: nil))
    shell.forget()
    shell.wait(.seconds(60))
    #expect((10...14).contains(shell.offers.count))
    shell.receive(.sending(epoch: 1, receiverEpoch: 1, spi: spi))
    shell.forget()
    shell.wait(.seconds(60))
    #expect(shell.sent.isEmpty)
  }

  @Test func `A host that does not answer is offered nothing and loses nothing`() throws {
    var shell = try Shell.standing()
    shell.meet(isReachable: false)
    shell.rekey()
    shell.receive(.sending(epoch: 2, receiverEpoch: 2, spi: nil))
    shell.wait(.seconds(300))
    #expect(shell.installed.isEmpty && shell.sent.isEmpty && shell.removed.isEmpty)
    #expect(shell.inbound.count == 1 && shell.outbound.count == 1)
    shell.meet()
    #expect(shell.installed.count == 1 && shell.offers.count == 1)
    #expect(shell.drawn == [2])
  }

  @Test func `A host that answers again hears the offer at once and often`() {
    var shell = Shell.met()
    shell.wait(.seconds(30))
    shell.meet(isReachable: false)
    shell.forget()
    shell.meet()
    #expect(shell.offers.count == 1 && shell.installed.isEmpty)
    shell.wait(.milliseconds(700))
    #expect(shell.offers.count == 3)
  }

  @Test func `The peer's own offer makes this one heard at once, one time`() {
    var shell = Shell.met()
    shell.wait(.seconds(30))
    shell.forget()
    shell.receive(.standing(epoch: 1, receiverEpoch: 1, spi: 5000))
    #expect(shell.offers.count == 1)
    shell.receive(.standing(epoch: 1, receiverEpoch: 1, spi: 5000))
    #expect(shell.offers.count == 1)
  }

  @Test func `An SPI is above 255 and serves one SA only`() {
    var shell = Shell()
    shell.start()
    for number in 0..<300 {
      shell.meet(HostID(high: 1, low: UInt64(number)), vtep: .v4(0x0a00_0000 + UInt32(number)))
    }
    let spis = shell.installed.map(\.spi)
    #expect(spis.count == 300 && Set(spis).count == 300)
    #expect(spis.allSatisfy { $0.value >= 256 })
  }

  @Test func `A taken SPI is followed by another, and by a pause when all seem taken`() {
    var shell = Shell()
    shell.start()
    shell.installs = [.spiTaken, .spiTaken]
    shell.meet()
    #expect(Set(shell.installed.map(\.spi)).count == 3 && Set(shell.installed.map(\.key)).count == 1)
    #expect(shell.inbound.count == 1)

    var hopeless = Shell()
    hopeless.start()
    hopeless.installs = Array(repeating: .spiTaken, count: 16)
    hopeless.meet()
    #expect(hopeless.installed.count == 16 && hopeless.inbound.isEmpty)
    hopeless.wait(.milliseconds(1100))
    #expect(hopeless.inbound.count == 1)
  }

  @Test func `A kernel that refuses is asked ever more seldom, with the same key`() {
    var shell = Shell()
    shell.start()
    shell.installs = Array(repeating: .refused, count: 8)
    shell.meet()
    shell.wait(.seconds(2))
    #expect(shell.installed.count == 2)
    shell.wait(.seconds(200))
    #expect(shell.installed.count == 9 && Set(shell.installed.map(\.key)).count == 1)
    #expect(shell.inbound.count == 1 && shell.drawn == [1])
  }

  @Test func `A burnt key is never used again: a new epoch is drawn`() {
    var shell = Shell()
    shell.start()
    shell.installs = [.burnt]
    shell.meet()
    #expect(shell.inbound.isEmpty && shell.removed == shell.installed)
    shell.wait(.seconds(1))
    #expect(shell.drawn == [1, 2] && shell.inbound.count == 1)
    #expect(Set(shell.installed.map(\.key)).count == 2)
    #expect(shell.events.contains(.rekeyed(epoch: 2, .lost(Shell.peer))))
  }
}
