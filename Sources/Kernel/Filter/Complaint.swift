import CNetlink
import Glibc

/// An ICMP error that the kernel sends for a packet that nobody takes: it quotes what had come inside ESP, and goes in
/// clear. So it is where a tunnel of this host is missing, or is already gone, that frames would be seen.
///
/// Whoever is on the way can put options before ESP, which authenticates nothing of the IP header, and they are quoted,
/// too: a header of every length is looked for.
struct Complaint {
  private var icmp: UInt8
  private var type: UInt8
  /// The first byte of the quoted IPv4 header, which tells its length; nil for IPv6.
  private var start: UInt8?
  /// Where the quoted IP header names what is behind it, and where that begins, from the ICMP header on.
  private var quotedProtocol: UInt32
  private var quotedTransport: UInt32

  /// Destination unreachable (RFC 792); the same and parameter problem over IPv6 (RFC 4443).
  private static let all =
    (5...15).map { (words: UInt8) in
      Complaint(
        icmp: UInt8(IPPROTO_ICMP), type: 3, start: 0x40 | words, quotedProtocol: 8 + 9,
        quotedTransport: 8 + 4 * UInt32(words))
    } + overIPv6
  private static let overIPv6 = [UInt8(1), 4].map {
    Complaint(icmp: UInt8(IPPROTO_ICMPV6), type: $0, quotedProtocol: 8 + 6, quotedTransport: 8 + 40)
  }
  /// Of IPv6, which may stand before ESP: hop-by-hop options, routing, a fragment that is the whole packet (RFC 6946),
  /// which the kernel leaves there, destination options (RFC 8200, section 4.1).
  private static let extensions: [UInt8] = [0, 43, 44, 60]
  /// With a key, Ethernet inside (RFC 2890): what all tunnels by GRE of this kind send, whatever their key. A key that is
  /// not used here any more may still be used by another host.
  private static let gre: [UInt8] = [0x20, 0, 0x65, 0x58]
  /// "Fragmentation needed" (RFC 792): only about packets that this host passes on, so about tunnels of others.
  private static let fragmentationNeeded: UInt8 = 4

  /// What each rule looks at and does, in order.
  static func rules(udpPort: UInt16) -> [[FilterExpression]] {
    let port = withUnsafeBytes(of: udpPort.bigEndian) { Array($0) }
    let quoted = all.flatMap { complaint in
      [
        complaint.begins + complaint.quotes(IPProtocol.udp, at: 2, port),
        complaint.begins + complaint.isNotAboutLength + complaint.quotes(IPProtocol.gre, at: 0, gre),
      ]
    }
    let extended = overIPv6.flatMap { complaint in
      extensions.map { complaint.begins + complaint.quotes($0) }
    }
    return (quoted + extended).map { $0 + [.counter(packets: 0, bytes: 0), .drop] }
  }

  private var begins: [FilterExpression] {
    [
      .meta(UInt32(NFT_META_L4PROTO.rawValue)), .equals([icmp]), .transport(offset: 0, length: 1), .equals([type]),
    ] + (start.map { [.transport(offset: 8, length: 1), .equals([$0])] } ?? [])
  }

  /// Over IPv6 that has a type of its own (2, RFC 4443, section 3.2).
  private var isNotAboutLength: [FilterExpression] {
    start == nil ? [] : [.transport(offset: 1, length: 1), .differs([Self.fragmentationNeeded])]
  }

  private func quotes(_ header: UInt8) -> [FilterExpression] {
    [.transport(offset: quotedProtocol, length: 1), .equals([header])]
  }

  private func quotes(_ header: UInt8, at offset: UInt32, _ bytes: [UInt8]) -> [FilterExpression] {
    quotes(header)
      + [.transport(offset: quotedTransport + offset, length: UInt32(bytes.count)), .equals(bytes)]
  }
}
