import CNetlink
import Wire

/// The bytes of `FDBChange.setRemote`, built once per kind of address and patched for each use: the path of a MAC that
/// moves allocates nothing for its message.
struct RemoteRequest {
  private var v4: Layout?
  private var v6: Layout?

  private struct Layout {
    var bytes: [UInt8]
    var mac: Int
    var vtep: Int
  }

  /// Gives the request to `body`.
  mutating func with(
    _ mac: MACAddress, _ device: Int32, _ vtep: VTEP, _ body: (UnsafeRawBufferPointer) -> Void
  ) {
    if vtep.isV6 {
      Self.patch(&v6, mac, device, vtep, body)
    } else {
      Self.patch(&v4, mac, device, vtep, body)
    }
  }

  private static func patch(
    _ layout: inout Layout?, _ mac: MACAddress, _ device: Int32, _ vtep: VTEP, _ body: (UnsafeRawBufferPointer) -> Void
  ) {
    if layout == nil { layout = makeLayout(mac, vtep) }
    guard let (macAt, vtepAt) = layout.map({ ($0.mac, $0.vtep) }) else { return }
    layout?.bytes.withUnsafeMutableBytes { out in
      out.storeBytes(of: device, toByteOffset: 16 + 4, as: Int32.self)
      for index in 0..<6 { out[macAt + index] = UInt8(truncatingIfNeeded: mac.value >> (40 - 8 * UInt64(index))) }
      switch vtep {
      case .v4(let value): out.storeBytes(of: value.bigEndian, toByteOffset: vtepAt, as: UInt32.self)
      case .v6(let high, let low):
        out.storeBytes(of: high.bigEndian, toByteOffset: vtepAt, as: UInt64.self)
        out.storeBytes(of: low.bigEndian, toByteOffset: vtepAt + 8, as: UInt64.self)
      }
      body(UnsafeRawBufferPointer(out))
    }
  }

  /// Header 16, `ndmsg` 12, attribute header 4, MAC 6 and 2 of padding, attribute header 4, VTEP.
  private static func makeLayout(_ mac: MACAddress, _ vtep: VTEP) -> Layout {
    let bytes = FDBChange.setRemote(mac, tunnel: 1, vtep).message().withBytes { Array($0) }
    return Layout(bytes: bytes, mac: 16 + 12 + 4, vtep: 16 + 12 + 4 + 8 + 4)
  }
}
