import Wire

@testable import Associations

/// What members say of SAs, in any order and with any numbers, while records come and go, the kernel answers as it likes,
/// SAs get lost and time passes.
struct KeysTarget: FuzzTarget {
  private let world = KeyWorld()
  private static let numbers: [UInt64] = [0, 1, 2, 3, 4, 1 << 32, .max - 1, .max]
  private static let outcomes: [InstallOutcome] = [.done, .done, .spiTaken, .refused, .burnt]

  func run(_ bytes: [UInt8]) {
    var world = world
    var input = FuzzInput(bytes)
    for _ in 0..<128 where !input.isAtEnd {
      let choice = input.byte()
      let host = KeyWorld.hosts[Int(choice >> 4) % KeyWorld.hosts.count]
      switch choice & 15 {
      case 0: take(input.chunk(atMost: GossipPacket.maximumPlaintext), from: host, &input, in: &world)
      case 1...4: take(Self.packet(choice, host, &input, in: world), from: host, &input, in: &world)
      case 5, 6: world.setPeer(host, Self.peer(host, &input, in: world))
      case 7: world.setPeer(host, nil)
      case 8: world.pass(.milliseconds(40) * Int(input.byte()))
      case 9: world.pass(.seconds(20) * Int(input.byte()))
      case 10: world.lose(Int(input.byte()), isGone: choice & 16 == 0)
      case 11: world.prepare(outcomes: input.chunk(atMost: 20).map { Self.outcomes[Int($0) % Self.outcomes.count] })
      case 12: world.repeatAnswer(Int(input.byte()), Self.outcomes[input.number(below: Self.outcomes.count)])
      case 13: Self.adopt(&input, in: &world)
      case 14: world.rekey()
      default: Self.other(choice, &input, in: &world)
      }
    }
    world.pass(.seconds(120))
  }

  private func take(_ plaintext: [UInt8], from host: HostID, _ input: inout FuzzInput, in world: inout KeyWorld) {
    guard let frames = try? GossipFrame.decodeAll(plaintext) else { return }
    // The packet was sealed for a boot of its sender, mostly for the one that is known here.
    let choice = input.byte()
    let known = world.core.relations[host]?.peer.epoch.boot ?? World.boot(1)
    world.take(frames, from: host, boot: choice & 7 == 0 ? World.boot(Int(choice >> 3 & 3)) : known)
  }

  /// A packet with one frame that may well be meant.
  private static func packet(
    _ choice: UInt8, _ host: HostID, _ input: inout FuzzInput, in world: KeyWorld
  ) -> [UInt8] {
    let peer = world.core.relations[host]?.peer.epoch.number ?? 1
    let epoch = number(&input, near: peer)
    let receiverEpoch = number(&input, near: world.core.epoch.number)
    let place = input.byte()
    let spi = place & 1 == 0 ? world.standing(Int(place >> 1))?.spi : SPI(0x1000 + UInt32(place >> 1))
    var frame = GossipFrame.sending(epoch: epoch, receiverEpoch: receiverEpoch, spi: spi)
    if choice & 1 == 0, let spi { frame = .standing(epoch: epoch, receiverEpoch: receiverEpoch, spi: spi) }
    var writer = ByteWriter()
    frame.encode(into: &writer)
    return writer.bytes
  }

  /// Mostly the number that is meant, else one near it or at an end of the range.
  private static func number(_ input: inout FuzzInput, near meant: UInt64) -> UInt64 {
    let choice = input.byte()
    switch choice & 3 {
    case 0, 1: return meant
    case 2: return choice & 4 == 0 ? meant &+ 1 : meant &- 1
    default: return numbers[Int(choice >> 2) % numbers.count]
    }
  }

  private static func peer(_ host: HostID, _ input: inout FuzzInput, in world: KeyWorld) -> Peer {
    let known = world.core.relations[host]?.peer.epoch
    let number = number(&input, near: known?.number ?? 1)
    let choice = input.byte()
    let boot = choice & 7 == 0 ? World.boot(Int(choice >> 3 & 3)) : known?.boot ?? World.boot(1)
    return Peer(
      epoch: Epoch(boot: boot, number: number), vtep: address(input.byte(), of: host), isReachable: choice & 0x60 != 0)
  }

  /// Mostly a host's own; two may tell one, and it may be this host's.
  private static func address(_ choice: UInt8, of host: HostID) -> VTEP {
    switch choice & 7 {
    case 0...3: .v4(0xc633_6400 + UInt32(truncatingIfNeeded: host.low))
    case 4: .v6(high: 0x2001_0db8 << 32, low: host.low)
    case 5: KeyWorld.local
    case 6: .v4(0)
    default: .v4(0xc633_6400 + UInt32(choice >> 3))
    }
  }

  private static func adopt(_ input: inout FuzzInput, in world: inout KeyWorld) {
    let choice = input.byte()
    guard let spi = SPI(0x1000 + UInt32(input.byte())) else { return }
    let host = KeyWorld.hosts[Int(choice >> 4) % KeyWorld.hosts.count]
    world.adopt(
      AdoptedAssociation(
        local: choice & 4 == 0 ? world.core.local : .v4(0xc000_0277), remote: address(input.byte(), of: host), spi: spi,
        direction: choice & 1 == 0 ? .inbound : .outbound, isInUse: choice & 2 == 0))
  }

  private static func other(_ choice: UInt8, _ input: inout FuzzInput, in world: inout KeyWorld) {
    switch choice >> 4 & 3 {
    case 0: world.knowMembers()
    case 1: world.count(packets: numbers[input.number(below: numbers.count)], by: Int(input.byte()))
    default: world.move(to: input.byte() & 1 == 0 ? KeyWorld.local : .v4(0xc000_0200 + UInt32(input.byte() & 7)))
    }
  }

  // MARK: Seeds

  func seeds() -> [[UInt8]] {
    // The second host's choices; it is known, offers, and tells what it uses.
    let meet: [UInt8] = [0x15, 0, 0x61, 0]
    let newer: [UInt8] = [0x15, 2, 0x61, 0]
    let offer: [UInt8] = [0x12, 0, 0, 3, 1]
    let report: [UInt8] = [0x11, 0, 0, 0, 1]
    let wait: [UInt8] = [0x08, 30]
    let stands = meet + offer + report
    let other: [UInt8] = [0x25, 0, 0x61, 0, 0x22, 0, 0, 5, 1, 0x21, 0, 0, 4, 1]
    return [
      stands + wait + [0x0e] + offer + report + wait,
      stands + newer + newer + newer + newer + report + wait + [0x09, 4],
      stands + other + [0x0a, 0, 0x1a, 1] + wait + offer + report + wait,
      stands + [0x17] + meet + offer + wait + offer + report,
      [0x0b, 0, 5, 2, 2, 3, 4, 2] + stands + wait + wait + [0x09, 1] + offer,
      [0x0d, 0x10, 1, 0, 0x0d, 0x11, 2, 0, 0x0d, 0x12, 3, 0] + stands + [0x0f] + wait + [0x09, 4],
      stands + wait + [0x2f, 1, 3] + wait + offer + report + [0x09, 4],
      stands + wait + [0x1f, 7, 1] + offer + report + [0x09, 200],
      [0, 0, 3, 13, 0, 0, 1] + stands + [0x0c, 0, 0, 0x0c, 1, 4],
    ]
  }
}
