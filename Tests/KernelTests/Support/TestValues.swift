import Kernel
import Testing
import Wire

extension MACAddress {
  static func test(_ number: UInt64) -> MACAddress { MACAddress(0x0200_5e00_0000 | number) ?? .zero }
}

extension VNI {
  static func test(_ number: UInt32) throws -> VNI { try #require(VNI(number)) }
}

extension IPAddress {
  static func test(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }
}

extension HostID {
  /// This host.
  static let test = HostID(high: 1, low: 2)
}

extension NetworkID {
  static let test = NetworkID(high: 0x1111_1111_1111_4111, low: 0x8111_1111_1111_1111)
  static let other = NetworkID(high: 0x2222_2222_2222_4222, low: 0x8222_2222_2222_2222)
}

extension Instant {
  static let test = Instant(nanoseconds: 1_000_000_000)
}

/// What the bridge and the tunnel of a network look like in these tests.
enum Specs {
  static let alias = "weft:test:11111111-1111-4111-8111-111111111111"

  static func bridge(_ name: String = "weft-blue", mtu: Int = 1446) -> BridgeSpec {
    BridgeSpec(name: name, mac: .test(1), mtu: mtu, alias: alias)
  }

  static func vxlan(_ local: String, vni: UInt32 = 77, mtu: Int = 1446, bridge: String = "weft-blue") throws
    -> VXLANSpec
  {
    VXLANSpec(
      name: "wx\(vni)", mac: .test(2), vni: try .test(vni), local: try .test(local), port: 7680, mtu: mtu,
      alias: alias, bridge: bridge)
  }
}
