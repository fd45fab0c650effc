import CLinux
import Glibc
import Namespaces
import Testing
import Wire

@testable import Kernel

/// A port of a bridge that sends what a test wants, as a guest with one MAC and many flows does. Gone with this value.
final class FrameSource {
  private let queue: Int32
  private let source = MACAddress.test(0x51).octets

  /// In the namespace of the calling thread.
  init(_ name: String, _ kernel: KernelNetwork, bridge: Int32) throws {
    queue = weft_tun_create(name)
    guard queue >= 0 else { throw KernelError.absent(name) }
    let index = try #require(try kernel.link(named: name)).index
    try sh("ip link set \(name) addrgenmode none")
    try kernel.setMaster(index, bridge: bridge)
    try kernel.setUp(index, true)
    try #require(try eventually { try sh("bridge link show dev \(name)").contains("state forwarding") })
  }

  deinit { close(queue) }

  /// UDP packets of 64 ports to a station that the bridge does not know.
  func send(_ count: Int) {
    for number in 0..<count {
      let packet: [UInt8] =
        [0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0x26, 0x67, 198, 51, 100, 1, 198, 51, 100, 2]
        + [0x40, UInt8(number % 64), 0, 9, 0, 8, 0, 0]
      let frame = [UInt8](repeating: 0, count: 10) + MACAddress.test(0x52).octets + source + [8, 0] + packet
      #expect(write(queue, frame, frame.count) == frame.count)
    }
  }

  /// Whether a frame is one of those, from its destination on.
  func isFrom(_ frame: ArraySlice<UInt8>) -> Bool { frame.dropFirst(6).prefix(6).elementsEqual(source) }
}
