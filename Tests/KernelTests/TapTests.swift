import Glibc
import Kernel
import Namespaces
import Testing
import Wire

@Suite struct TapTests {
  /// A VIF with a guest behind it; frames are sent by a packet socket on the guest's interface.
  private final class Pair {
    let host: Namespace
    let guest: Namespace
    let sender: VIFTap
    let back: VIFTap
    let tap: VIFTap

    init(_ mode: VIFTap.Mode) throws {
      host = try Namespace()
      guest = try Namespace()
      // Silence of their own, so that only what the test sends is seen.
      for side in [host, guest] { try side.run { try sh("echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6") } }
      try host.connect("vif1.0", to: guest, "eth0")
      sender = try guest.run { try Pair.tap("eth0", .discover) }
      back = try host.run { try Pair.tap("vif1.0", .announcements) }
      tap = try host.run { try Pair.tap("vif1.0", mode) }
    }

    private static func tap(_ name: String, _ mode: VIFTap.Mode) throws -> VIFTap {
      let link = try #require(try KernelNetwork().link(named: name))
      return try VIFTap(interface: link.index, mode: mode)
    }

    func send(_ frame: [UInt8]) { #expect(Glibc.send(sender.descriptor, frame, frame.count, 0) == frame.count) }

    /// veth hands frames over in a softirq of the sender's CPU, which has to be waited for.
    func receive(_ count: Int) throws -> [Announcement] {
      var all: [Announcement] = []
      _ = try eventually {
        all += try tap.receive()
        return all.count >= count
      }
      return all + (try tap.receive())
    }
  }

  private static let guest = MACAddress.test(0x42)

  private func ethernet(_ type: UInt16, _ payload: [UInt8], tag: UInt16? = nil, source: MACAddress = guest) -> [UInt8] {
    var frame = MACAddress.broadcast.octets + source.octets
    if let tag { frame += [0x81, 0, UInt8(tag >> 8), UInt8(tag & 255)] }
    return frame + [UInt8(type >> 8), UInt8(type & 255)] + payload
  }

  private var arp: [UInt8] {
    [0, 1, 8, 0, 6, 4, 0, 1] + Self.guest.octets + [198, 51, 100, 7] + [0, 0, 0, 0, 0, 0, 198, 51, 100, 7]
      + [UInt8](repeating: 0, count: 18)
  }

  private func icmp6(_ type: UInt8) throws -> [UInt8] {
    let source = try IPAddress.test("2001:db8::7").bytes
    return [0x60, 0, 0, 0, 0, 24, 58, 255] + source + (try IPAddress.test("ff02::1").bytes) + [
      type, 0, 0, 0, 0, 0, 0, 0,
    ]
      + source
  }

  private var udp: [UInt8] { [0x45, 0, 0, 200] + [UInt8](repeating: 0, count: 196) }

  @Test func discoveryReportsEveryFrameAndTheAddressesInAnnouncements() throws {
    let pair = try Pair(.discover)
    pair.send(ethernet(0x0800, udp))
    pair.send(ethernet(0x0806, arp))
    pair.send(ethernet(0x0806, arp, tag: 5))
    pair.send(ethernet(0x86dd, try icmp6(136)))
    pair.send(ethernet(0x86dd, try icmp6(128)))
    pair.send(ethernet(0x88cc, udp))
    let seen = try pair.receive(6)
    #expect(seen.count == 6)
    #expect(seen.allSatisfy { $0.source == Self.guest })
    let (v4, v6) = (try IPAddress.test("198.51.100.7"), try IPAddress.test("2001:db8::7"))
    #expect(seen.map(\.address) == [nil, v4, v4, v6, nil, nil])
  }

  @Test func announcementsAreARPAndRARPAndNeighbourDiscoveryAndNothingElse() throws {
    let pair = try Pair(.announcements)
    pair.send(ethernet(0x0800, udp))
    pair.send(ethernet(0x0806, arp))
    pair.send(ethernet(0x8035, arp))
    pair.send(ethernet(0x86dd, try icmp6(128)))
    pair.send(ethernet(0x86dd, try icmp6(132)))
    pair.send(ethernet(0x86dd, try icmp6(133)))
    pair.send(ethernet(0x86dd, try icmp6(137)))
    pair.send(ethernet(0x86dd, try icmp6(138)))
    pair.send(ethernet(0x86dd, try icmp6(135), tag: 9))
    pair.send(ethernet(0x0800, udp, tag: 9))
    pair.send(ethernet(0x0806, arp, tag: 9))
    #expect(
      try pair.receive(6).map(\.kind)
        == [.arp, .rarp, .neighbourDiscovery, .neighbourDiscovery, .neighbourDiscovery, .arp])
  }

  @Test(arguments: [VIFTap.Mode.discover, .announcements])
  func framesThatGoToTheGuestAreNotSeen(mode: VIFTap.Mode) throws {
    let pair = try Pair(mode)
    let frame = ethernet(0x0806, arp, source: .test(0x99))
    #expect(Glibc.send(pair.back.descriptor, frame, frame.count, 0) == frame.count)
    pair.send(ethernet(0x0806, arp))
    #expect(try pair.receive(1).map(\.source) == [Self.guest])
  }

  @Test func theModeIsSwappedOnTheOpenSocket() throws {
    let pair = try Pair(.discover)
    pair.send(ethernet(0x0800, udp))
    #expect(try pair.receive(1).count == 1)
    let descriptor = pair.tap.descriptor
    try pair.tap.setMode(.announcements)
    pair.send(ethernet(0x0800, udp))
    pair.send(ethernet(0x0806, arp))
    #expect(try pair.receive(1).map(\.kind) == [.arp])
    try pair.tap.setMode(.discover)
    pair.send(ethernet(0x0800, udp))
    #expect(try pair.receive(1).map(\.kind) == [.other])
    #expect(pair.tap.descriptor == descriptor)
  }

  @Test func aFloodOfFramesIsBoundedAndTheNextOnesAreSeen() throws {
    let pair = try Pair(.discover)
    for _ in 0..<5000 { pair.send(ethernet(0x0800, udp)) }
    var count = 0
    while true {
      let seen = try pair.tap.receive()
      #expect(seen.count <= 64)
      if seen.isEmpty { break }
      count += seen.count
    }
    #expect(count > 0 && count < 5000)
    pair.send(ethernet(0x0806, arp))
    #expect(try pair.receive(1).last?.kind == .arp)
  }

  @Test func framesOfNoStationAreLeftOut() throws {
    let pair = try Pair(.discover)
    pair.send(ethernet(0x0800, udp, source: .broadcast))
    pair.send(ethernet(0x0800, udp, source: .zero))
    pair.send(ethernet(0x0806, arp))
    #expect(try pair.receive(1).map(\.kind) == [.arp])
  }

  @Test func anInterfaceThatIsGoneGivesAnErrorThatSaysSo() throws {
    let pair = try Pair(.discover)
    try pair.host.run { try sh("ip link del vif1.0") }
    let error = #expect(throws: KernelError.self) { _ = try pair.tap.receive() }
    #expect([ENETDOWN, ENODEV, ENXIO].contains(error?.code ?? 0))
    #expect(throws: KernelError.self) { _ = try VIFTap(interface: 4711, mode: .discover) }
  }
}
