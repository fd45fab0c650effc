import Testing
import Wire

@Suite struct PacketTests {
  private static let sender = MACAddress(0x0200_5e00_0042) ?? .zero

  private static func ethernet(_ type: [UInt8], _ payload: [UInt8], source: MACAddress = sender) -> [UInt8] {
    MACAddress.broadcast.octets + source.octets + type + payload
  }

  private static func arp(_ address: [UInt8], operation: UInt8 = 1) -> [UInt8] {
    [0, 1, 8, 0, 6, 4, 0, operation] + sender.octets + address + [0, 0, 0, 0, 0, 0, 198, 51, 100, 9]
  }

  private static func neighbour(
    _ type: UInt8, source: String, target: String? = nil, options: [UInt8] = [], hopLimit: UInt8 = 255
  ) throws -> [UInt8] {
    var message: [UInt8] = [type, 0, 0, 0, 0, 0, 0, 0]
    if let target { message += try #require(IPAddress(target)).bytes }
    message += options
    return try [0x60, 0, 0, 0, 0, UInt8(message.count), 58, hopLimit] + #require(IPAddress(source)).bytes
      + #require(IPAddress("ff02::1")).bytes + message
  }

  private static func option(_ type: UInt8, _ mac: MACAddress = sender) -> [UInt8] { [type, 1] + mac.octets }

  @Test func theHeaderIsReadWithAndWithoutATag() throws {
    let plain = Self.ethernet([8, 6], [1]).withUnsafeBytes { EthernetHeader($0) }
    #expect(plain?.type == EthernetHeader.arp && plain?.vlan == nil && plain?.size == 14)
    #expect(plain?.source == Self.sender && plain?.destination == .broadcast)
    for tag: [UInt8] in [[0x81, 0], [0x88, 0xa8]] {
      let tagged = Self.ethernet(tag, [0xa0, 5, 8, 6]).withUnsafeBytes { EthernetHeader($0) }
      #expect(tagged?.type == EthernetHeader.arp && tagged?.vlan == 5 && tagged?.size == 18)
    }
  }

  @Test(arguments: [UInt8(1), 2])
  func anARPMessageAnnouncesItsSender(operation: UInt8) {
    let frame = Self.ethernet([8, 6], Self.arp([198, 51, 100, 7], operation: operation))
    #expect(
      Announcement(frame: frame) == Announcement(source: Self.sender, kind: .arp, address: IPAddress("198.51.100.7")))
  }

  @Test(arguments: [[UInt8](repeating: 0, count: 4), [224, 0, 0, 1], [255, 255, 255, 255]])
  func anARPProbeAndAnImpossibleSenderAnnounceNoAddress(address: [UInt8]) {
    let frame = Self.ethernet([8, 6], Self.arp(address))
    #expect(Announcement(frame: frame) == Announcement(source: Self.sender, kind: .arp))
  }

  @Test func aRARPFrameAnnouncesTheMACAlone() {
    let frame = Self.ethernet([0x80, 0x35], Self.arp([0, 0, 0, 0], operation: 3))
    #expect(Announcement(frame: frame) == Announcement(source: Self.sender, kind: .rarp))
  }

  @Test func neighbourDiscoveryAnnouncesTheAddressThatIsTheSendersOwn() throws {
    let own = try #require(IPAddress("2001:db8::7"))
    let other = try #require(MACAddress("02:00:5e:00:00:99"))
    let cases: [([UInt8], IPAddress?)] = [
      (try Self.neighbour(135, source: "2001:db8::7", target: "2001:db8::9", options: Self.option(1)), own),
      (try Self.neighbour(135, source: "::", target: "2001:db8::7"), nil),
      (try Self.neighbour(136, source: "fe80::1", target: "2001:db8::7", options: Self.option(2)), own),
      (try Self.neighbour(136, source: "2001:db8::7", target: "2001:db8::8", options: Self.option(2, other)), own),
      (try Self.neighbour(133, source: "2001:db8::7", options: Self.option(1)), own),
      (try Self.neighbour(133, source: "::"), nil),
    ]
    for (packet, address) in cases {
      let seen = Announcement(frame: Self.ethernet([0x86, 0xdd], packet))
      #expect(seen == Announcement(source: Self.sender, kind: .neighbourDiscovery, address: address))
      let tagged = Announcement(frame: Self.ethernet([0x81, 0], [0, 5, 0x86, 0xdd] + packet))
      #expect(tagged == seen)
    }
  }

  @Test func theOptionsOfANeighbourMessageAreReadAndBrokenOnesEndTheList() throws {
    let whole = try Self.neighbour(
      135, source: "::", target: "2001:db8::7", options: [5, 1, 0, 0, 0, 0, 5, 220] + Self.option(1))
    #expect(whole.withUnsafeBytes { NeighbourMessage($0) }?.sourceMAC == Self.sender)
    for broken: [UInt8] in [[1, 0, 0, 0, 0, 0, 0, 0], [1, 9, 0, 0, 0, 0, 0, 0], [1, 1, 0]] {
      let packet = try Self.neighbour(135, source: "::", target: "2001:db8::7", options: broken)
      let message = packet.withUnsafeBytes { NeighbourMessage($0) }
      #expect(message != nil && message?.sourceMAC == nil)
    }
  }

  @Test func aNeighbourMessageFromBeyondTheLinkIsNotBelieved() throws {
    let packet = try Self.neighbour(136, source: "2001:db8::7", target: "2001:db8::7", hopLimit: 254)
    let seen = Announcement(frame: Self.ethernet([0x86, 0xdd], packet))
    #expect(seen == Announcement(source: Self.sender, kind: .other))
  }

  @Test func otherFramesTellTheirMACAndFramesOfNoStationNothing() {
    #expect(Announcement(frame: Self.ethernet([8, 0], [])) == Announcement(source: Self.sender, kind: .other))
    #expect(Announcement(frame: Self.ethernet([8, 0], [], source: .broadcast)) == nil)
    #expect(Announcement(frame: Self.ethernet([8, 0], [], source: .zero)) == nil)
    #expect(Announcement(frame: Array(Self.ethernet([8, 0], []).dropLast())) == nil)
    #expect(Announcement(frame: []) == nil)
  }

  @Test func noCutAndNoMutationOfAFrameTraps() throws {
    let frames = [
      Self.ethernet([8, 6], Self.arp([198, 51, 100, 7])),
      Self.ethernet([0x81, 0, 0, 5, 8, 6], Self.arp([1, 2, 3, 4])),
      Self.ethernet(
        [0x86, 0xdd], try Self.neighbour(136, source: "fe80::1", target: "2001:db8::7", options: Self.option(2))),
    ]
    for frame in frames { for count in 0...frame.count { _ = Announcement(frame: Array(frame[..<count])) } }
    var generator = SeededGenerator(seed: 44)
    var read = 0
    for round in 0..<20_000 {
      var frame = frames[round % 3]
      mutate(&frame, &generator)
      if let seen = Announcement(frame: frame) {
        #expect(seen.source.isStation && seen.address?.isUnicast != false)
        read += 1
      }
    }
    #expect(read > 1000)
  }
}
