import CLinux
import Glibc
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

  /// Makes a bridge and a TAP device as a network has them, and opens and closes a queue. Most systems have the file of
  /// the module from their start, and the kernel loads it by its first use; where there is no file it is loaded by name.
  func tryTAP() throws(KernelError) {
    if access("/dev/net/tun", F_OK) != 0 { try? Command.run(["modprobe", "tun"]) }
    guard let mac = MACAddress(0x02_00_00_00_00_01), let other = MACAddress(0x02_00_00_00_00_02) else { return }
    try ensureBridge(BridgeSpec(name: "try", mac: mac, mtu: 1400, alias: "weft:try"))
    let tap = TAPSpec(name: "tryt", mac: other, mtu: 1400, alias: "weft:try", bridge: "try")
    try ensureTAP(tap)
    let queue = weft_tun_attach(tap.name)
    guard queue >= 0 else {
      throw .refused(operation: "open a queue of the TAP device", object: tap.name, code: -queue, message: nil)
    }
    close(queue)
    try deleteLink(named: tap.name, alias: tap.alias)
  }
}
