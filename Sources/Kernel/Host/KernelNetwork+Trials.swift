import Wire

extension KernelNetwork {
  /// Makes a bridge and a VXLAN device as a network has them, with an entry that goes into both tables at once.
  func tryVXLAN() throws(KernelError) {
    guard let vni = VNI(1), let mac = MACAddress(0x02_00_00_00_00_01), let other = MACAddress(0x02_00_00_00_00_02)
    else { return }
    let vtep = VTEP.v4(0xc000_0201)
    if let loopback = try link(named: "lo") { try setUp(loopback.index, true) }
    try ensureBridge(BridgeSpec(name: "try", mac: mac, mtu: 1400, alias: "weft:try"))
    let tunnel = try ensureVXLAN(
      VXLANSpec(
        name: "tryx", mac: other, vni: vni, local: vtep, port: 7680, mtu: 1400, alias: "weft:try", bridge: "try"))
    try replaceRemote(mac, tunnel: tunnel.index, vtep)
    if let failure = apply([.addFlood(tunnel: tunnel.index, vtep)]).first { throw failure.error }
  }
}
