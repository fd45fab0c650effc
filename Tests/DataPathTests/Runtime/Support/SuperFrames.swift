import CLinux
import Glibc
import Testing
import Wire

@testable import DataPath

/// Puts super-frames on a guest's interface, with a virtio header of its own making.
final class SuperFrames {
  private let socket: Int32

  init(_ host: PathHost) throws {
    socket = try host.guest.run { weft_tap_open(Int32(if_nametoindex("eth0")), 1, 1 << 16) }
    try #require(socket >= 0)
    var on: Int32 = 1
    // SOL_PACKET, PACKET_VNET_HDR (linux/if_packet.h).
    try #require(setsockopt(socket, 263, 15, &on, socklen_t(MemoryLayout<Int32>.size)) == 0)
  }

  deinit { close(socket) }

  /// TCP of `length` bytes in segments of `segment`.
  func send(from source: MACAddress, to destination: MACAddress, length: Int, segment: UInt16) {
    var frame = GuestFrame(payload: [UInt8](repeating: 7, count: length))
    (frame.source, frame.destination) = (source.octets, destination.octets)
    send(frame, segment: segment)
  }

  func send(_ frame: GuestFrame, segment: UInt16) {
    var bytes = [UInt8](repeating: 0, count: VirtioNetHeader.size)
    bytes.withUnsafeMutableBytes { bytes in
      if let base = bytes.baseAddress { frame.virtioHeader(segmentSize: segment).write(to: base) }
    }
    let all = bytes + frame.partialBytes
    #expect(Glibc.send(socket, all, all.count, 0) == all.count)
  }
}
