import CLinux
import Glibc
import Namespaces
import Synchronization
import Testing
import Wire

@testable import DataPath

/// Changes while packets are on their way.
@Suite(.serialized) struct LifeTests {
  @Test func newKeysUnderLoadLoseNothing() throws {
    let pair = try PathPair()
    let load = try Load(pair)
    for generation in UInt32(1)...30 {
      try pair.exchangeKeys(generation)
      #expect(load.goesOn())
      // What was sealed by the old key has come by now, or is lost to the count below.
      #expect(eventually { pair.first.traffic.packetsOut <= pair.second.traffic.packetsIn + 50 })
      if generation > 1 { try pair.removeKeys(generation - 2) }
    }
    #expect(load.end() == 0)
    #expect(pair.first.path.associations.count { $0.direction == .inbound } == 2)
  }

  @Test func aStormOfChangesDisturbsNothingAndLeavesNothing() throws {
    let pair = try PathPair()
    let (path, vni) = (pair.first.path, pair.first.network.vni)
    let stranger = try PathHost.address(9, false)
    for number in UInt64(1)...4000 {
      path.setRemote(try #require(MACAddress(0x0200_5e01_0000 | number)), stranger, in: vni)
    }
    path.publish()
    let load = try Load(pair)
    var most = 0
    for number in UInt64(0)..<3000 {
      let mac = try #require(MACAddress(0x0200_5e01_0000 | (number % 4000 + 1)))
      path.setRemote(mac, number % 2 == 0 ? pair.second.vtep : stranger, in: vni)
      path.publish()
      most = max(most, path.publication.retiredCount)
    }
    #expect(load.end() == 0)
    // A reader that has to wait for a processor keeps what is published meanwhile.
    #expect(most < 1000)
    path.publish()
    #expect(
      eventually {
        path.publication.reclaim()
        return path.publication.retiredCount == 0
      })
    #expect(path.forwarding(of: vni)?.remotes.count == 4001)
  }

  @Test func anotherAddressOfTheHostIsTakenLive() throws {
    let pair = try PathPair()
    #expect(pair.first.pings(pair.second))
    let moved = try PathHost.address(11, false)
    try pair.second.namespace.run {
      try sh("ip addr del 192.0.2.2/24 dev u && ip addr add 192.0.2.11/24 dev u")
      try pair.second.path.bind(to: moved)
      pair.second.path.publish()
    }
    let (spi, vni) = (try #require(SPI(0x9000)), pair.first.network.vni)
    let (path, other) = (pair.first.path, pair.second.path)
    try path.addInbound(spi, from: moved, material: PathPair.material(9, to: pair.first))
    try path.addOutbound(spi, to: moved, material: PathPair.material(9, to: pair.second))
    path.useOutbound(spi, to: moved)
    path.setRemote(pair.second.guestMAC, moved, in: vni)
    path.addFlood(moved, in: vni)
    path.removeFlood(pair.second.vtep, in: vni)
    path.publish()
    try other.addInbound(spi, from: pair.first.vtep, material: PathPair.material(9, to: pair.second))
    try other.addOutbound(spi, to: pair.first.vtep, material: PathPair.material(9, to: pair.first))
    other.useOutbound(spi, to: pair.first.vtep)
    other.publish()
    #expect(pair.first.pings(pair.second))
    #expect(pair.second.pings(pair.first))
  }

  @Test func anAddressThatComesBackFindsItsSockets() throws {
    let pair = try PathPair(queues: 2)
    #expect(pair.first.pings(pair.second))
    let (path, vtep) = (pair.second.path, pair.second.vtep)
    let other = try PathHost.address(7, false)
    try pair.second.namespace.run {
      try sh("ip addr add \(other)/24 dev u")
      try path.bind(to: other)
      try path.bind(to: vtep)
      path.publish()
    }
    #expect(pair.first.pings(pair.second))
    try pair.second.namespace.run {
      try path.bind(to: other)
      path.publish()
      // What was closed is free once no program that is being started beside this test has it any more.
      try #require(eventually { (try? path.bind(to: vtep)) != nil })
      path.publish()
    }
    #expect(pair.first.pings(pair.second))
    #expect(eventually { pair.second.path.counters().drops[.wrongQueue] == nil })
    #expect(path.counters().socketOverflows == 0)
  }

  @Test func hostsOfTheOtherFamilyAreNotReached() throws {
    let pair = try PathPair()
    try pair.first.namespace.run {
      try sh("ip addr add 2001:db8::1/64 dev u nodad")
      try pair.first.path.bind(to: try PathHost.address(1, true))
      pair.first.path.publish()
    }
    #expect(!pair.first.pings(pair.second, count: 1))
    #expect(pair.first.drops(.notForThisPath) > 0)
  }

  @Test func aTAPThatVanishesIsToldAndCanBeOpenedAgain() throws {
    let pair = try PathPair()
    let (path, vni) = (pair.first.path, pair.first.network.vni)
    #expect(pair.first.pings(pair.second))
    try pair.first.namespace.run { try sh("ip link del \(PathHost.tap)") }
    #expect(eventually { path.forwarding(of: vni) == nil })
    #expect(path.openNetworks == [])
    #expect(path.problems() == [.tapGone(vni, name: PathHost.tap, code: EBADFD)])
    #expect(path.problems() == [])
    path.publish()
    #expect(throws: DataPathError.self) { try pair.first.namespace.run { try path.open(pair.first.network) } }
    try pair.first.namespace.run { try PathHost.makeTap(PathHost.tap) }
    try pair.first.open(to: [pair.second])
    #expect(pair.first.pings(pair.second))
  }

  @Test func aTAPThatIsDownTakesNothingUntilItIsUpAgain() throws {
    let pair = try PathPair()
    #expect(pair.first.pings(pair.second))
    try pair.second.namespace.run { try sh("ip link set \(PathHost.tap) down") }
    #expect(!pair.first.pings(pair.second, count: 1))
    #expect(pair.second.drops(.tapRefused) > 0)
    #expect(pair.second.path.problems() == [])
    try pair.second.namespace.run { try sh("ip link set \(PathHost.tap) up") }
    #expect(eventually { pair.first.pings(pair.second, count: 1) })
  }

  @Test func aNetworkIsMovedToAnotherTAPAndKeepsItsEntries() throws {
    let pair = try PathPair()
    let (path, vni) = (pair.first.path, pair.first.network.vni)
    try pair.first.namespace.run {
      try PathHost.makeTap("wt78")
      try sh("ip link set \(PathHost.tap) nomaster")
      pair.first.network.tap = "wt78"
      try path.open(pair.first.network)
      path.publish()
    }
    #expect(pair.first.pings(pair.second))
    #expect(path.forwarding(of: vni)?.network.tap == "wt78")
    #expect(path.forwarding(of: vni)?.remotes == [pair.second.guestMAC: pair.second.vtep])
  }

  @Test func theEndClosesEverythingButTheDevice() throws {
    let pair = try PathPair()
    weak let tap = pair.first.path.networks[pair.first.network.vni]?.tap
    weak let sockets = pair.first.path.sockets
    #expect(tap != nil && sockets != nil)
    let path = try pair.first.namespace.run {
      pair.first.path.stop()
      return try DataPath()
    }
    // Port and TAP queues are free again.
    try pair.first.namespace.run {
      try #require(eventually { (try? path.bind(to: pair.first.vtep)) != nil })
      try path.open(pair.first.network)
      path.publish()
      try sh("ip link show \(PathHost.tap)")
    }
    #expect(path.openNetworks == [pair.first.network.vni])
    path.stop()
    pair.first.path.stop()
    #expect(path.openNetworks == [] && path.counters().networks.isEmpty)
    #expect(tap == nil && sockets == nil)
  }
}

/// A guest of the first host sends datagrams to one of the second, about one in 100 µs, and all that come are counted.
private final class Load {
  /// So many fit into every queue on the way: a machine that carries less is sent less.
  private static let window = 200

  private let sent = Atomic(0)
  private let received = Atomic(0)
  private let hasEnded = Atomic(false)
  private var threads: [PathThread] = []
  private let sockets: [Int32]

  init(_ pair: PathPair) throws {
    let server = try pair.second.guest.run { try Self.socket(198, 51, 100, 2) }
    let client = try pair.first.guest.run { try Self.socket(198, 51, 100, 1) }
    sockets = [server, client]
    let port = try #require(UInt16(exactly: weft_local_port(server)))
    let target = IPAddress.v4(0xc633_6402).target(port: port)
    // The neighbour is known before the first datagram, so that none waits for it.
    try #require(pair.first.pings(pair.second))
    threads = [
      try PathThread("sender") { [unowned self] in
        while !hasEnded.load(ordering: .relaxed) {
          defer { usleep(100) }
          guard sent.load(ordering: .relaxed) - received.load(ordering: .relaxed) < Self.window else { continue }
          let result = target.withAddress { sendto(client, "load", 4, 0, $0, target.length) }
          if result == 4 { sent.add(1, ordering: .relaxed) }
        }
      },
      try PathThread("receiver") { [unowned self] in
        var bytes = [UInt8](repeating: 0, count: 16)
        while true {
          // A second of silence is the end once nothing is sent any more.
          let isLast = hasEnded.load(ordering: .relaxed)
          if recv(server, &bytes, bytes.count, 0) > 0 {
            received.add(1, ordering: .relaxed)
          } else if isLast {
            return
          }
        }
      },
    ]
  }

  private static func socket(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) throws -> Int32 {
    let socket = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
    var room: Int32 = 4 << 20
    setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &room, socklen_t(MemoryLayout<Int32>.size))
    var limit = timeval(tv_sec: 1, tv_usec: 0)
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    try #require(weft_bind_inet(socket, [a, b, c, d], 4, 0) == 0)
    return socket
  }

  /// Whether twenty more datagrams come.
  func goesOn() -> Bool {
    let before = received.load(ordering: .relaxed)
    return eventually { received.load(ordering: .relaxed) >= before + 20 }
  }

  /// - Returns: how many were lost of those sent.
  func end() -> Int {
    hasEnded.store(true, ordering: .relaxed)
    // The receiver ends when nothing has come for a second.
    for thread in threads { thread.join() }
    for socket in sockets { close(socket) }
    let sent = sent.load(ordering: .relaxed)
    return sent == 0 ? .max : sent - received.load(ordering: .relaxed)
  }
}
