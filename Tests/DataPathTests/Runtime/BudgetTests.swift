import CLinux
import Glibc
import Namespaces
import Testing
import Wire

@testable import DataPath

/// What one guest can make of a sender's thread. Its work is done on the thread of the test.
@Suite(.serialized) struct BudgetTests {
  /// A host whose network is flooded to so many others, which are all at the end of one cable; its threads have ended.
  private func flooding(_ count: Int, provider: (any AEADProvider)? = nil) throws -> Adversary {
    let adversary = try Adversary(provider: provider)
    let (path, vni) = (adversary.host.path, adversary.host.network.vni)
    // Nothing is on the way but what the test sends: no announcements of IPv6.
    for namespace in [adversary.host.namespace, adversary.host.guest] {
      try namespace.run { try sh("echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6") }
    }
    for number in 10..<10 + count {
      let vtep = try PathHost.address(number, false)
      try adversary.peer.run { try sh("ip addr add \(vtep)/24 dev u") }
      let spi = try #require(SPI(0x2000 + UInt32(number)))
      try path.addOutbound(spi, to: vtep, material: Adversary.material)
      path.useOutbound(spi, to: vtep)
      path.addFlood(vtep, in: vni)
    }
    path.publish()
    path.endThreads()
    return adversary
  }

  @Test func aTAPSendsOnlySoMuchBeforeTheOthersHaveTheirTurn() throws {
    let adversary = try flooding(1)
    let frames = try SuperFrames(adversary.host)
    for _ in 0..<30 {
      frames.send(from: adversary.host.guestMAC, to: .broadcast, length: 45 * 1300, segment: 1300)
    }
    var sender = Sender(adversary.host.path.senders[0])
    _ = sender.pass()
    // Of 45 packets each.
    let sent = adversary.host.traffic.packetsOut
    #expect(sent >= UInt64(Sender.packets) && sent < UInt64(Sender.packets) + 45)
    _ = sender.pass()
    #expect(adversary.host.traffic.packetsOut > sent)
  }

  @Test func aReceiverComesUpForAirWhateverWaits() throws {
    let adversary = try Adversary()
    let path = adversary.host.path
    path.endThreads()
    for _ in 0..<60 { adversary.send([UInt8](repeating: 0xff, count: 60), segment: 1) }
    var receiver = Receiver(path.receivers[0])
    _ = receiver.pass()
    // A batch of 8 messages has 480.
    let taken = path.counters().queues[0].packetsIn
    #expect(taken >= UInt64(Receiver.packets) && taken < UInt64(Receiver.packets) + 480)
    for _ in 0..<3 { _ = receiver.pass() }
    #expect(path.counters().queues[0].packetsIn == 3600)
  }

  @Test func aFrameOfTinySegmentsIsNotFlooded() throws {
    let adversary = try flooding(12)
    let frames = try SuperFrames(adversary.host)
    // 1,450 packets for each of 12 hosts.
    frames.send(from: adversary.host.guestMAC, to: .broadcast, length: 1450 * 40, segment: 40)
    // 45 for each.
    frames.send(from: adversary.host.guestMAC, to: .broadcast, length: 45 * 1300, segment: 1300)
    var sender = Sender(adversary.host.path.senders[0])
    _ = sender.pass()
    #expect(adversary.host.drops(.malformedFrame) == 1)
    #expect(adversary.host.traffic.packetsOut == 45 * 12)
  }

  @Test func aFrameOfTinySegmentsForOneHostIsCarried() throws {
    let adversary = try flooding(1)
    let frames = try SuperFrames(adversary.host)
    frames.send(from: adversary.host.guestMAC, to: .broadcast, length: 1000 * 40, segment: 40)
    frames.send(from: adversary.host.guestMAC, to: .broadcast, length: 60_000, segment: 8)
    var sender = Sender(adversary.host.path.senders[0])
    // The first one takes all that the TAP may send at once.
    _ = sender.pass()
    _ = sender.pass()
    #expect(adversary.host.traffic.packetsOut == 1000)
    #expect(adversary.host.drops(.malformedFrame) == 1)
  }

  @Test func aKeyThatIsGoneSealsNoMoreThanWhatIsInHand() throws {
    let provider = HookedProvider()
    let adversary = try flooding(8, provider: provider)
    let path = adversary.host.path
    let frames = try SuperFrames(adversary.host)
    frames.send(from: adversary.host.guestMAC, to: .broadcast, length: 1000 * 60, segment: 60)
    provider.state.hook = { number in
      guard number == 600 else { return }
      for peer in path.peers.all { path.useOutbound(nil, to: peer.vtep) }
      path.publish()
    }
    var sender = Sender(path.senders[0])
    _ = sender.pass()
    provider.state.hook = { _ in }
    #expect(adversary.host.traffic.packetsOut == UInt64(Sender.packets) * 2)
    // One for each host that did not get all.
    #expect(adversary.host.drops(.overtaken) == 7)
    path.publication.reclaim()
    #expect(path.publication.retiredCount == 0)
  }
}

/// Tells of each packet that it is asked to seal, and leaves it as it is.
private final class HookedProvider: AEADProvider, @unchecked Sendable {
  final class State {
    var count = 0
    var hook: (Int) -> Void = { _ in }
  }

  let state = State()
  var name: String { "hooked" }

  func makeKey(_ bytes: [UInt8]) -> AEADKey? {
    AEADKey(
      state: Unmanaged.passRetained(state).toOpaque(),
      seal: { state, _, _, _, _, _, _ in
        let state = Unmanaged<State>.fromOpaque(state).takeUnretainedValue()
        state.count += 1
        state.hook(state.count)
        return true
      }, open: { _, _, _, _, _, _, _ in true }, release: { Unmanaged<State>.fromOpaque($0).release() })
  }
}
