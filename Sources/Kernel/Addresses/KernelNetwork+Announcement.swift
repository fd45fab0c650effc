import CNetlink
import Glibc
import Wire

extension KernelNetwork {
  /// Tells the neighbours of the underlay that its address is at this host's MAC now: by an ARP announcement (RFC 5227,
  /// section 3) or an unsolicited neighbour advertisement (RFC 4861, section 7.2.6). The kernel does neither by itself,
  /// and a neighbour or router that remembers another owner of the address would send there for up to a minute.
  ///
  /// Takes about 5 ms, as every closing of a packet socket does. An interface without a MAC needs none of it.
  package func announce(_ underlay: Underlay) throws(KernelError) {
    guard let link = try link(index: underlay.interface), let mac = link.mac, mac != .zero, !link.isLoopback else {
      return
    }
    let code =
      underlay.address.isV6
      ? Self.advertise(underlay.address, mac, on: link.index)
      : Self.announceByARP(underlay.address, mac, on: link.index)
    guard code == 0 else {
      throw .refused(operation: "announce", object: "\(underlay.address) on \(link.name)", code: code, message: nil)
    }
  }

  /// `ETH_P_ARP` of linux/if_ether.h.
  private static let arpProtocol: UInt16 = 0x0806

  /// - Returns: 0 or the errno.
  private static func announceByARP(_ address: IPAddress, _ mac: MACAddress, on interface: Int32) -> Int32 {
    let descriptor = Glibc.socket(AF_PACKET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return errno }
    defer { close(descriptor) }
    // Ethernet, IPv4, request; the address is both the sender's and the one asked for.
    let packet: [UInt8] =
      [0, 1, 8, 0, 6, 4, 0, 1] + mac.octets + address.bytes + [UInt8](repeating: 0, count: 6) + address.bytes
    var target = sockaddr_ll()
    target.sll_family = UInt16(AF_PACKET)
    target.sll_protocol = arpProtocol.bigEndian
    target.sll_ifindex = interface
    target.sll_halen = 6
    target.sll_addr = (0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0)
    return withUnsafeBytes(of: target) { send(packet, by: descriptor, to: $0) }
  }

  /// - Returns: 0 or the errno.
  private static func advertise(_ address: IPAddress, _ mac: MACAddress, on interface: Int32) -> Int32 {
    let descriptor = Glibc.socket(AF_INET6, Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), Int32(IPPROTO_ICMPV6))
    guard descriptor >= 0 else { return errno }
    defer { close(descriptor) }
    for (option, value) in [(IPV6_MULTICAST_IF, interface), (IPV6_MULTICAST_HOPS, 255), (IPV6_MULTICAST_LOOP, 0)] {
      var value = value
      let code = setsockopt(
        descriptor, Int32(IPPROTO_IPV6), option, &value, socklen_t(MemoryLayout<Int32>.size))
      guard code == 0 else { return errno }
    }
    var source = sockaddr_in6()
    source.sin6_family = sa_family_t(AF_INET6)
    withUnsafeMutableBytes(of: &source.sin6_addr) { $0.copyBytes(from: address.bytes) }
    let bound = withUnsafeBytes(of: source) {
      bind(descriptor, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
    }
    guard bound == 0 else { return errno }
    // Neighbour advertisement, its checksum left to the kernel, override flag; option 2 is the sender's MAC.
    let packet: [UInt8] = [136, 0, 0, 0, 0x20, 0, 0, 0] + address.bytes + [2, 1] + mac.octets
    var target = sockaddr_in6()
    target.sin6_family = sa_family_t(AF_INET6)
    // ff02::1, every node of the link.
    let allNodes: [UInt8] = [0xff, 2] + [UInt8](repeating: 0, count: 13) + [1]
    withUnsafeMutableBytes(of: &target.sin6_addr) { $0.copyBytes(from: allNodes) }
    target.sin6_scope_id = UInt32(bitPattern: interface)
    return withUnsafeBytes(of: target) { send(packet, by: descriptor, to: $0) }
  }

  /// - Parameter target: a socket address.
  private static func send(_ packet: [UInt8], by descriptor: Int32, to target: UnsafeRawBufferPointer) -> Int32 {
    let sent = sendto(
      descriptor, packet, packet.count, Int32(MSG_DONTWAIT),
      target.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(target.count))
    return sent < 0 ? errno : 0
  }
}
