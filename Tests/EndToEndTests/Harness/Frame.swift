/// Ethernet frames made by hand.
enum Frame {
  static let broadcast = "ff:ff:ff:ff:ff:ff"

  /// - Parameter vlan: an 802.1Q tag.
  static func ethernet(to: String, from: String, vlan: UInt16? = nil, type: UInt16 = 0x88b5, payload: [UInt8])
    -> [UInt8]
  {
    var frame = octets(of: to) + octets(of: from)
    if let vlan { frame += [0x81, 0x00, UInt8(vlan >> 8), UInt8(vlan & 0xff)] }
    frame += [UInt8(type >> 8), UInt8(type & 0xff)] + payload
    return frame + [UInt8](repeating: 0, count: max(0, 60 - frame.count))
  }

  /// RFC 826 request for one's own address, as `netdev_notify_peers` of Linux sends it.
  static func gratuitousARP(mac: String, ip: String) -> [UInt8] {
    let sender = octets(of: mac)
    let address = ip.split(separator: ".").compactMap { UInt8($0) }
    let packet: [UInt8] = [0, 1, 8, 0, 6, 4, 0, 1] + sender + address + [UInt8](repeating: 0, count: 6) + address
    return ethernet(to: broadcast, from: mac, type: 0x0806, payload: packet)
  }

  /// RFC 826 request for the MAC of another address.
  static func arpRequest(for target: String, mac: String, ip: String) -> [UInt8] {
    let packet: [UInt8] =
      [0, 1, 8, 0, 6, 4, 0, 1] + octets(of: mac) + ip.split(separator: ".").compactMap { UInt8($0) }
      + [UInt8](repeating: 0, count: 6) + target.split(separator: ".").compactMap { UInt8($0) }
    return ethernet(to: broadcast, from: mac, type: 0x0806, payload: packet)
  }

  /// How an answer of ARP begins, after the addresses of Ethernet.
  static let arpReply: [UInt8] = [0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 2]

  /// RFC 903 reverse request, as QEMU sends it after a migration.
  static func reverseARP(mac: String) -> [UInt8] {
    let sender = octets(of: mac)
    let packet: [UInt8] = [0, 1, 8, 0, 6, 4, 0, 3] + sender + [0, 0, 0, 0] + sender + [0, 0, 0, 0]
    return ethernet(to: broadcast, from: mac, type: 0x8035, payload: packet)
  }

  /// Bytes that no other frame of the tests carries.
  static func mark(_ word: String) -> [UInt8] { Array("weft test: \(word);".utf8) }

  private static func octets(of mac: String) -> [UInt8] {
    mac.split(separator: ":").compactMap { UInt8($0, radix: 16) }
  }
}
