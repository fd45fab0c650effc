import Testing
import Wire

@testable import Associations

@Suite struct HostileTests {
  /// Everything that can be said to a core, at random, with the numbers at the ends of their ranges among them.
  private static func storm(seed: UInt64, steps: Int) -> Shell {
    var shell = Shell(seed: seed)
    var script = SeededGenerator(seed: seed ^ 0xbad)
    let hosts = (0..<5).map { HostID(high: 0, low: UInt64(200 + $0)) } + [Shell.host]
    let boots = [Shell.peerBoot, Boot(counter: 0, nonce: 0), Boot(counter: .max, nonce: .max)]
    let numbers: [UInt64] = [0, 1, 2, 3, 4, 1 << 32, .max - 1, .max]
    let addresses = (0..<4).map { VTEP.v4(0xc633_6401 + $0) } + [.v4(0), .v6(high: .max, low: .max)]
    func pick<T>(_ list: [T]) -> T { list[Int.random(in: list.indices, using: &script)] }
    func spi() -> SPI {
      let known = shell.core.all.map(\.spi)
      return known.isEmpty || Bool.random(using: &script)
        ? pick([
          256, 5000, SPI(integerLiteral: .max), SPI(integerLiteral: UInt32.random(in: 256 ... .max, using: &script)),
        ])
        : pick(known)
    }
    func outcomes() -> [InstallOutcome] {
      (0..<3).map { _ in pick([.done, .done, .done, .spiTaken, .refused, .burnt]) }
    }
    shell.start()
    for _ in 0..<steps {
      shell.installs = outcomes()
      shell.switches = outcomes()
      switch Int.random(in: 0..<16, using: &script) {
      case 0...2:
        shell.meet(
          pick(hosts), boot: pick(boots), epoch: pick(numbers), vtep: pick(addresses),
          isReachable: pick([true, true, false]))
      case 3: shell.forget(pick(hosts))
      case 4...6:
        shell.receive(
          .standing(epoch: pick(numbers), receiverEpoch: pick(numbers + [shell.core.epoch.number]), spi: spi()),
          from: pick(hosts), boot: pick(boots))
      case 7...9:
        shell.receive(
          .sending(epoch: pick(numbers), receiverEpoch: pick(numbers + [shell.core.epoch.number]), spi: spi()),
          from: pick(hosts), boot: pick(boots))
      case 10: if let any = shell.core.all.randomElement(using: &script) { shell.lose(any) }
      case 11: shell.perform(shell.core.localAddress(pick(addresses), now: shell.now))
      case 12:
        let found = AdoptedAssociation(
          local: pick(addresses + [Shell.local]), remote: pick(addresses), spi: spi(),
          direction: pick([.inbound, .outbound]), isInUse: pick([true, false]))
        shell.perform(shell.core.adopt([found], now: shell.now))
      case 13: shell.rekey()
      case 14:
        if let any = shell.core.all.randomElement(using: &script) {
          shell.perform(shell.core.sent(packets: pick(numbers), by: any, now: shell.now))
        }
      default: shell.perform(shell.core.membersAreKnown(now: shell.now))
      }
      shell.wait(.milliseconds(Int.random(in: 0...2000, using: &script)))
    }
    return shell
  }

  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func `Whatever comes, no key is installed twice and nothing grows without bound`(seed: UInt64) {
    let shell = Self.storm(seed: seed, steps: 400)
    let keys = shell.made.map(\.key)
    #expect(keys.count > 20 && Set(keys).count == keys.count)
    #expect(shell.core.relations.count <= 5 && shell.core.roster.count == shell.core.relations.count)
    #expect(shell.core.repairs.count <= 5 && shell.core.spentWithGone.count <= 5)
  }

  @Test func `The same seed gives the same effects`() {
    let one = Self.storm(seed: 4, steps: 300).carriedOut
    #expect(one == Self.storm(seed: 4, steps: 300).carriedOut)
    #expect(one.count > 300)
    #expect(one != Self.storm(seed: 5, steps: 300).carriedOut)
  }

  @Test func `A storm of records of one host leaves four SAs and no trace in the keys of others`() throws {
    var shell = try Shell.standing()
    for epoch: UInt64 in 2...500 {
      shell.meet(epoch: epoch)
      shell.receive(.sending(epoch: epoch, receiverEpoch: 1, spi: nil))
    }
    #expect(shell.inbound.count <= 4 && shell.installed.count < 60)
    #expect(shell.drawn.isEmpty)
  }
}
