import CLinux
import Glibc
import Wire

/// Sees the frames that a guest sends into its VIF, and none that go to it.
///
/// A packet socket with a filter in the kernel: `discover` while the MAC is not known to live here (every frame, cut to
/// its header), `announcements` after that (ARP, RARP and neighbour discovery only), which costs a busy guest nothing.
/// Frames are seen before the bridge takes them. For one thread.
///
/// Closing the socket waits for a grace period of the kernel (about 5 ms): change the mode with `setMode`, drop a tap
/// only when its VIF is gone, and where 5 ms are too long `detach` it and close the descriptor elsewhere.
package final class VIFTap {
  package enum Mode: Hashable, Sendable {
    case discover
    case announcements
  }

  /// About 100 frames; the engine needs one a second of each MAC, and more would only be old.
  private static let receiveBuffer: Int32 = 128 << 10
  private static let slot = 256
  private static let frameLimit = 64

  /// For epoll; non-blocking.
  package let descriptor: Int32
  package let interface: Int32
  package private(set) var mode: Mode
  private let buffer: UnsafeMutableRawBufferPointer
  private var isDetached = false

  /// - Parameter interface: the VIF's number.
  package init(interface: Int32, mode: Mode) throws(KernelError) {
    let result = weft_tap_open(interface, mode.filter, Self.receiveBuffer)
    guard result >= 0 else {
      throw .refused(operation: "watch the frames of", object: "interface \(interface)", code: -result, message: nil)
    }
    descriptor = result
    self.interface = interface
    self.mode = mode
    buffer = .allocate(byteCount: Self.slot * Self.frameLimit, alignment: 16)
  }

  deinit {
    if !isDetached { Glibc.close(descriptor) }
    buffer.deallocate()
  }

  /// Gives up the socket without closing it, which the caller does where it may take time. Nothing is received any more.
  package func detach() -> Int32 {
    isDetached = true
    return descriptor
  }

  /// Closes detached sockets, about 5 ms for each.
  package static func close(_ descriptors: [Int32]) {
    for descriptor in descriptors { Glibc.close(descriptor) }
  }

  /// Changes what is passed on, from the next frame on and without a gap. Frames that wait already stay.
  package func setMode(_ mode: Mode) throws(KernelError) {
    guard mode != self.mode, !isDetached else { return }
    let result = weft_tap_filter(descriptor, mode.filter)
    guard result == 0 else {
      throw .refused(operation: "change the filter on", object: "interface \(interface)", code: -result, message: nil)
    }
    self.mode = mode
  }

  /// What waits, oldest first, up to 64 frames; call again while the descriptor is readable. Frames without a sender
  /// that could be one station are left out.
  ///
  /// - Throws: ENETDOWN once after the interface went down, ENODEV or ENXIO when it is gone.
  package func receive() throws(KernelError) -> [Announcement] {
    guard !isDetached else { return [] }
    var lengths = [UInt32](repeating: 0, count: Self.frameLimit)
    let count = weft_tap_receive(descriptor, buffer.baseAddress, Self.slot, UInt32(Self.frameLimit), &lengths)
    guard count >= 0 else {
      throw .refused(operation: "read the frames of", object: "interface \(interface)", code: -count, message: nil)
    }
    return (0..<Int(count)).compactMap { index in
      let start = index * Self.slot
      let length = min(Int(lengths[index]), Self.slot)
      return Announcement(frame: UnsafeRawBufferPointer(rebasing: buffer[start..<start + length]))
    }
  }
}

extension VIFTap.Mode {
  fileprivate var filter: Int32 {
    switch self {
    case .discover: Int32(WEFT_TAP_DISCOVER.rawValue)
    case .announcements: Int32(WEFT_TAP_ANNOUNCEMENTS.rawValue)
    }
  }
}
