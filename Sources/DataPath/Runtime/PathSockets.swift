import CLinux
import Wire

/// The UDP sockets of the packet path, one per queue, all at the same address and port. The kernel chooses the socket of a
/// datagram by its source, so that all packets of a host come to one thread.
final class PathSockets: Descriptors {
  /// nil: none are open.
  let local: VTEP?

  override init(none count: Int) {
    local = nil
    super.init(none: count)
  }

  init(at local: VTEP, port: UInt16, count: Int) throws(DataPathError) {
    self.local = local
    let address = local.bytes
    try super.init(count) { number in
      weft_open_path_socket(address, UInt8(address.count), port, UInt32(number), UInt32(count))
    } orThrow: { code in
      .refused(operation: "receive packets at", object: "UDP port \(port) of \(local)", code: code)
    }
  }

  /// Datagrams that were lost as receive buffers were full.
  var overflows: UInt64 {
    (0..<count).reduce(0) { sum, index in
      each[index] < 0 ? sum : sum + UInt64(max(0, weft_socket_overflows(each[index])))
    }
  }
}

extension VTEP {
  /// As `weft_received` has it: IPv4 in the form of RFC 4291, section 2.5.5.2.
  var source: (high: UInt64, low: UInt64) {
    switch self {
    case .v4(let value): (0, 0xffff_0000_0000 | UInt64(value))
    case .v6(let high, let low): (high, low)
    }
  }

  /// Which of `count` queues gets what comes from there.
  func queue(of count: Int) -> Int {
    let address = bytes
    return Int(weft_path_queue(address, UInt8(address.count), UInt32(count)))
  }

  func target(port: UInt16) -> weft_target {
    var target = weft_target()
    let address = bytes
    weft_make_target(&target, address, UInt8(address.count), port)
    return target
  }
}
