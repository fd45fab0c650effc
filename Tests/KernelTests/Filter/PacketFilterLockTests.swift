import Glibc
import Kernel
import Namespaces
import Testing
import Wire

@Suite struct PacketFilterLockTests {
  private func listing() throws -> String { try sh("nft list table inet weft_lock 2>/dev/null || true") }

  @Test func theTableIsWhatTheNftProgramWouldMake() throws {
    try Namespace().run {
      let lock = try PacketFilterLock()
      #expect(try lock.ensure(udpPort: 7679, greKeys: [77, 0xabcdef]))
      let own = try listing()
      try sh("nft delete table inet weft_lock")
      try sh(
        """
        nft -f - <<'END'
        table inet weft_lock {
          chain input {
            type filter hook input priority 300; policy accept;
            udp dport 7679 meta ipsec missing counter drop
            meta l4proto gre @th,32,32 0x4d meta ipsec missing counter drop
            meta l4proto gre @th,32,32 0xabcdef meta ipsec missing counter drop
          }
          chain output {
            type filter hook output priority 300; policy accept;
            udp dport 7679 rt ipsec missing counter drop
            meta l4proto gre @th,32,32 0x4d rt ipsec missing counter drop
            meta l4proto gre @th,32,32 0xabcdef rt ipsec missing counter drop
            \(Self.complaintRules)
          }
        }
        END
        """)
      #expect(try listing() == own)
      #expect(own.contains("rt ipsec missing"))
      #expect(try lock.stands(udpPort: 7679, greKeys: [77, 0xabcdef]), "made by another, but the same")
    }
  }

  /// In the language of the nft program, one a line: offsets in bits from the ICMP header on.
  private static var complaintRules: String {
    let gre = "0x20006558 counter drop"
    let v4 = (5...15).flatMap { words in
      let start = "meta l4proto icmp @th,0,8 3"
      let (version, behind) = ("@th,64,8 \(0x40 + words)", 64 + 32 * words)
      return [
        "\(start) \(version) @th,136,8 17 @th,\(behind + 16),16 7679 counter drop",
        "\(start) \(version) @th,8,8 != 4 @th,136,8 47 @th,\(behind),32 \(gre)",
      ]
    }
    let types = [1, 4].map { "meta l4proto icmpv6 @th,0,8 \($0) @th,112,8" }
    let v6 = types.flatMap { ["\($0) 17 @th,400,16 7679 counter drop", "\($0) 47 @th,384,32 \(gre)"] }
    let extended = types.flatMap { type in [0, 43, 44, 60].map { "\(type) \($0) counter drop" } }
    return (v4 + v6 + extended).joined(separator: "\n")
  }

  private static let vxlan: [UInt8] = [0x12, 0x34, 0x1d, 0xff, 0, 60, 0, 0]
  private static let gre: [UInt8] = [0x20, 0, 0x65, 0x58, 0, 0, 0, 77]

  /// The kernel answers a packet that nobody takes with an error that quotes it, and what came inside ESP would leave in
  /// clear by it.
  @Test("An ICMP error that quotes a protected packet does not leave, others do", arguments: [false, true])
  func quotedPackets(isV6: Bool) throws {
    try Namespace().run {
      let lock = try PacketFilterLock()
      try lock.ensure(udpPort: 7679, greKeys: [])
      #expect(Self.send(quoting: Self.vxlan, protocol: 17, isV6: isV6) == EPERM)
      #expect(Self.send(quoting: Self.gre, protocol: 47, isV6: isV6) == EPERM, "a key that is closed no more")
      let (answer, tunnelOfIP): ([UInt8], [UInt8]) = (
        [0x1d, 0xff, 0x12, 0x34, 0, 60, 0, 0], [0x20, 0, 8, 0, 0, 0, 0, 77]
      )
      #expect(Self.send(quoting: answer, protocol: 17, isV6: isV6) == 0)
      #expect(Self.send(quoting: tunnelOfIP, protocol: 47, isV6: isV6) == 0)
      #expect(Self.send(quoting: Self.gre, protocol: 6, isV6: isV6) == 0)
      try lock.remove()
      #expect(Self.send(quoting: Self.vxlan, protocol: 17, isV6: isV6) == 0)
    }
  }

  @Test("Options that somebody puts before ESP do not help such an error out") func quotedOptions() throws {
    try Namespace().run {
      try PacketFilterLock().ensure(udpPort: 7679, greKeys: [])
      for words in 6...15 {
        let options = [UInt8](repeating: 1, count: 4 * words - 20)
        #expect(Self.send(quoting: Self.vxlan, protocol: 17, isV6: false, options: options) == EPERM, "\(words)")
        #expect(Self.send(quoting: Self.gre, protocol: 47, isV6: false, options: options) == EPERM, "\(words)")
      }
      for header in [UInt8(0), 43, 44, 60] {
        let options: [UInt8] = [17, 0, 1, 4, 0, 0, 0, 0]
        #expect(Self.send(quoting: options + Self.vxlan, protocol: header, isV6: true) == EPERM, "\(header)")
      }
    }
  }

  @Test("Of tunnels of others whose packets this host passes on, senders still hear which length fits") func lengths()
    throws
  {
    try Namespace().run {
      try PacketFilterLock().ensure(udpPort: 7679, greKeys: [])
      #expect(Self.send(quoting: Self.gre, protocol: 47, isV6: false, code: 4) == 0)
      #expect(Self.send(quoting: Self.gre, protocol: 47, isV6: true, type: 2, code: 0) == 0)
    }
  }

  /// Sends an ICMP error, unless told otherwise a "port unreachable", to this host itself.
  ///
  /// - Returns: 0, or the errno.
  private static func send(
    quoting transport: [UInt8], protocol number: UInt8, isV6: Bool, type: UInt8? = nil, code: UInt8? = nil,
    options: [UInt8] = []
  ) -> Int32 {
    var header = [UInt8](repeating: 0, count: isV6 ? 40 : 20)
    header[0] = isV6 ? 0x60 : 0x45 + UInt8(options.count / 4)
    header[isV6 ? 6 : 9] = number
    let packet =
      [type ?? (isV6 ? 1 : 3), code ?? (isV6 ? 4 : 3), 0, 0, 0, 0, 0, 0] + header + options + transport
    let socket = socket(
      isV6 ? AF_INET6 : AF_INET, Int32(SOCK_RAW.rawValue), Int32(isV6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
    guard socket >= 0 else { return errno }
    defer { close(socket) }
    func send(_ address: UnsafePointer<sockaddr>, _ size: Int) -> Int32 {
      sendto(socket, packet, packet.count, 0, address, socklen_t(size)) < 0 ? errno : 0
    }
    if isV6 {
      var address = sockaddr_in6()
      address.sin6_family = sa_family_t(AF_INET6)
      address.sin6_addr = in6addr_loopback
      return withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { send($0, MemoryLayout<sockaddr_in6>.size) }
      }
    }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { send($0, MemoryLayout<sockaddr_in>.size) }
    }
  }

  @Test func aLockThatStandsIsLeftAlone() throws {
    try Namespace().run {
      let lock = try PacketFilterLock()
      #expect(try lock.stands(udpPort: 7679, greKeys: []) == false)
      #expect(try lock.ensure(udpPort: 7679, greKeys: [1, 2]))
      let handles = try sh("nft -a list table inet weft_lock")
      #expect(try lock.ensure(udpPort: 7679, greKeys: [2, 1]) == false)
      #expect(try sh("nft -a list table inet weft_lock") == handles)
      #expect(try lock.stands(udpPort: 7679, greKeys: [1]) == false)
      #expect(try lock.stands(udpPort: 7679, greKeys: [1, 2, 3]) == false)
      #expect(try lock.stands(udpPort: 7678, greKeys: [1, 2]) == false)
    }
  }

  @Test(arguments: [
    "delete table inet weft_lock", "flush ruleset", "flush chain inet weft_lock input",
    "delete rule inet weft_lock output handle $(nft -a list table inet weft_lock | sed -n 's/.*gre.*rt.*handle //p')",
    "insert rule inet weft_lock input accept", "add chain inet weft_lock more",
    "add table inet weft_lock '{ flags dormant; }'", "flush table inet weft_lock",
  ])
  func whatIsChangedByHandIsSeenAndPutRight(command: String) throws {
    try Namespace().run {
      let lock = try PacketFilterLock()
      try lock.ensure(udpPort: 7679, greKeys: [77])
      let whole = try listing()
      try sh("nft \(command)")
      #expect(try lock.stands(udpPort: 7679, greKeys: [77]) == false)
      #expect(try lock.ensure(udpPort: 7679, greKeys: [77]))
      #expect(try lock.stands(udpPort: 7679, greKeys: [77]))
      #expect(try listing() == whole)
    }
  }

  @Test func theTablesOfOthersStayAsTheyAre() throws {
    try Namespace().run {
      try sh("nft add table inet weft && nft add chain inet weft output && nft add table ip weft_lock")
      let before = try sh("nft list ruleset")
      let lock = try PacketFilterLock()
      try lock.ensure(udpPort: 7679, greKeys: [77])
      try lock.remove()
      #expect(try sh("nft list ruleset") == before)
      try lock.remove()
      #expect(try sh("nft list ruleset") == before)
    }
  }

  @Test func manyKeysFitOneTransaction() throws {
    try Namespace().run {
      let lock = try PacketFilterLock()
      let keys = Set((1...500).map { UInt32($0) })
      #expect(try lock.ensure(udpPort: 7679, greKeys: keys))
      #expect(try lock.stands(udpPort: 7679, greKeys: keys))
      #expect(try lock.counters().count == 2 * 501)
    }
  }

  @Test func aClearPacketIsDroppedAndCountedOnItsWayOutAndInAndCountsSurviveAChange() throws {
    let host = try Namespace()
    let peer = try Namespace()
    try host.connect("eth0", to: peer, "eth0")
    try peer.run { try sh("ip addr add 192.0.2.2/24 dev eth0") }
    try host.run {
      try sh("ip addr add 192.0.2.1/24 dev eth0")
      #expect(pings("192.0.2.2"), "other traffic goes through")
      let lock = try PacketFilterLock()
      try lock.ensure(udpPort: 7679, greKeys: [])
      _ = try? sh("bash -c 'echo x > /dev/udp/192.0.2.2/7679'")
      _ = try? sh("bash -c 'echo x > /dev/udp/192.0.2.2/7680'")
      try peer.run { _ = try? sh("bash -c 'echo x > /dev/udp/192.0.2.1/7679'") }
      func counts() throws -> [XFRMPolicy.Direction: UInt64] {
        Dictionary(
          uniqueKeysWithValues: try lock.counters().filter { $0.traffic == .udp(port: 7679) }
            .map { ($0.direction, $0.packets) })
      }
      #expect(try eventually { try counts() == [.output: 1, .input: 1] })
      #expect(try lock.ensure(udpPort: 7679, greKeys: [5]))
      #expect(try counts() == [.output: 1, .input: 1])
      #expect(pings("192.0.2.2"))
    }
  }
}
