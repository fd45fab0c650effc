import Testing
import Wire

@testable import Associations

@Suite struct ReportTests {
  /// Four inbound SAs of which the peer, in its epochs 1 to 4, has confirmed the first.
  private static func four() throws -> Shell {
    var shell = try Shell.standing()
    for epoch: UInt64 in 2...4 { shell.meet(epoch: epoch) }
    #expect(shell.inbound.count == 4)
    shell.forget()
    return shell
  }

  @Test func `What is older than the SA that the peer names goes a minute later`() throws {
    var shell = try Self.four()
    let spis = shell.inbound.map(\.spi)
    shell.receive(.sending(epoch: 3, receiverEpoch: 1, spi: spis[2]))
    shell.wait(.seconds(59))
    #expect(shell.removed.isEmpty)
    shell.wait(.seconds(2))
    #expect(shell.removed.map(\.spi) == [spis[0], spis[1]])
    #expect(shell.inbound.map(\.spi) == [spis[2], spis[3]])
  }

  @Test func `What is older than the epochs that the peer tells goes, and never the one that it names`() throws {
    var shell = try Self.four()
    let spis = shell.inbound.map(\.spi)
    shell.receive(.sending(epoch: 4, receiverEpoch: 1, spi: spis[1]))
    shell.wait(.seconds(61))
    #expect(shell.inbound.map(\.spi) == [spis[1], spis[3]])
  }

  @Test func `A peer that sends by nothing ends only what its epochs rule out`() throws {
    var shell = try Self.four()
    let spis = shell.inbound.map(\.spi)
    shell.receive(.sending(epoch: 3, receiverEpoch: 1, spi: nil))
    shell.wait(.seconds(61))
    #expect(shell.inbound.map(\.spi) == [spis[2], spis[3]])
  }

  @Test func `Reports in any order, and twice, end the same SAs`() throws {
    var survivors: Set<[SPI]> = []
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [3, 3, 0, 0, 1, 2]] {
      var shell = try Self.four()
      let spis = shell.inbound.map(\.spi)
      let reports: [GossipFrame] = (0..<4).map {
        .sending(epoch: UInt64($0) + 1, receiverEpoch: 1, spi: spis[$0])
      }
      for index in order { shell.receive(reports[index]) }
      shell.wait(.seconds(61))
      survivors.insert(shell.inbound.map(\.spi))
      #expect(shell.inbound.map(\.spi) == [spis[3]])
    }
    #expect(survivors.count == 1)
  }

  @Test func `A fifth SA waits, says so once, and asks`() throws {
    var shell = try Self.four()
    let spis = shell.inbound.map(\.spi)
    shell.meet(epoch: 5)
    #expect(shell.installed.isEmpty && shell.offers.isEmpty && shell.questions.count == 1)
    #expect(shell.events == [.waiting(Shell.peer)] && shell.core.status(of: Shell.peer).isWaiting)
    shell.wait(.seconds(3))
    shell.meet(epoch: 6)
    shell.wait(.seconds(1))
    #expect(shell.events.count == 1 && shell.questions.count > 3)
    shell.receive(.sending(epoch: 6, receiverEpoch: 1, spi: spis[3]))
    #expect(shell.installed.isEmpty)
    // What the peer has just left may still be on its way.
    shell.wait(.milliseconds(499))
    #expect(shell.installed.isEmpty)
    shell.wait(.milliseconds(1))
    #expect(shell.removed.map(\.spi) == [spis[0]] && shell.installed.count == 1)
    #expect(shell.inbound.count == 4 && !shell.core.status(of: Shell.peer).isWaiting)
    #expect(shell.installed.first?.key?.senderEpoch.number == 6)
  }

  @Test func `A question is answered and changes nothing`() throws {
    var asker = try Self.four()
    asker.meet(epoch: 5)
    let question = try #require(asker.questions.first)
    var asked = try Shell.standing()
    asked.receive(question)
    #expect(
      asked.carriedOut == [
        .send(.sending(epoch: 1, receiverEpoch: 1, spi: 5000), to: Shell.peer, boot: Shell.peerBoot)
      ])
  }

  @Test func `A peer that lost all its SAs need not wait for places`() throws {
    var shell = try Self.four()
    let boot = Boot(counter: 8, nonce: 1)
    shell.meet(boot: boot)
    #expect(shell.installed.isEmpty)
    shell.receive(.sending(epoch: 1, receiverEpoch: 1, spi: nil), boot: boot)
    #expect(shell.removed.count == 1 && shell.installed.count == 1)
  }

  @Test func `One host that confirms nothing holds up no other`() throws {
    var shell = try Self.four()
    let other = HostID(high: 0, low: 300)
    shell.meet(other, vtep: .v4(0xc633_6402))
    shell.meet(epoch: 5)
    shell.forget()
    shell.wait(.seconds(1))
    shell.rekey()
    #expect(shell.drawn == [2])
    #expect(shell.installed.map(\.peer) == [other])
  }

  @Test(arguments: [(1, 2), (1, .max), (0, 1), (1, 0)] as [(UInt64, UInt64)])
  func `A report of epochs that nobody can know is dropped`(epoch: UInt64, receiverEpoch: UInt64) throws {
    var shell = try Self.four()
    shell.receive(.sending(epoch: epoch, receiverEpoch: receiverEpoch, spi: nil))
    shell.wait(.seconds(61))
    #expect(shell.removed.isEmpty)
  }

  @Test func `A peer that claims the last of all epochs ends its own SAs only`() throws {
    var shell = try Shell.standing()
    let other = HostID(high: 0, low: 300)
    shell.meet(other, vtep: .v4(0xc633_6402))
    shell.forget()
    shell.receive(.sending(epoch: .max, receiverEpoch: 1, spi: nil))
    shell.wait(.seconds(61))
    #expect(shell.removed.allSatisfy { $0.peer == Shell.peer } && !shell.removed.isEmpty)
    #expect(shell.inbound.contains { $0.peer == other })
  }

  @Test func `The SPI of another host's SA ends nothing`() throws {
    var shell = try Shell.standing()
    let other = HostID(high: 0, low: 300)
    let boot = Boot(counter: 1, nonce: 1)
    shell.meet(other, boot: boot, vtep: .v4(0xc633_6402))
    let own = try #require(shell.inbound.first { $0.peer == Shell.peer }?.spi)
    shell.receive(.sending(epoch: 1, receiverEpoch: 1, spi: own), from: other, boot: boot)
    #expect(!shell.core.status(of: other).isConfirmed)
    shell.forget()
    shell.wait(.seconds(61))
    #expect(shell.removed.isEmpty)
  }

  @Test func `Keys are established when both directions are in use, and confirmed under the newest epochs`() throws {
    var shell = Shell.met()
    let spi = try #require(shell.inbound.first?.spi)
    shell.receive(.sending(epoch: 1, receiverEpoch: 1, spi: spi))
    #expect(!shell.core.status(of: Shell.peer).isConfirmed)
    #expect(!shell.events.contains(.established(Shell.peer)))
    shell.receive(.standing(epoch: 1, receiverEpoch: 1, spi: 5000))
    let status = shell.core.status(of: Shell.peer)
    #expect(status.isConfirmed && status.isEstablished && shell.inbound.count == 1 && shell.outbound.count == 1)
    #expect(shell.events.filter { $0 == .established(Shell.peer) }.count == 1)
    shell.wait(.seconds(1))
    shell.rekey()
    #expect(!shell.core.status(of: Shell.peer).isConfirmed && shell.core.status(of: Shell.peer).isEstablished)
    #expect(shell.core.status(of: HostID(high: 9, low: 9)) == PeerStatus())
  }
}
