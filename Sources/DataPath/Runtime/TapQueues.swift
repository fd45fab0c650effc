import CLinux

/// The queues of a TAP device that this process reads and writes.
final class TapQueues: Descriptors {
  let name: String

  init(_ name: String, count: Int) throws(DataPathError) {
    self.name = name
    let refused = { (code: Int32) in
      DataPathError.refused(operation: "attach to", object: "the TAP device \(name)", code: code)
    }
    try super.init(count, { _ in weft_tun_attach(name) }, orThrow: refused)
    let offloads =
      WEFT_TUN_CHECKSUM.rawValue | WEFT_TUN_TSO4.rawValue | WEFT_TUN_TSO6.rawValue
      | WEFT_TUN_TSO_ECN.rawValue
    let result = weft_tun_set_offloads(each[0], offloads)
    guard result == 0 else { throw refused(-result) }
  }
}
