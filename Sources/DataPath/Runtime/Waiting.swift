import CLinux
import Glibc

/// What a thread waits for: its descriptors, and the end. Level-triggered; nothing runs while nothing is there.
final class Waiting {
  /// Stands for the end among the places of descriptors.
  static let end = UInt64.max
  static let limit = 16

  private let epoll: Int32

  /// - Parameter end: a descriptor that becomes readable at the end.
  init(end: Int32) throws(DataPathError) {
    epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
    guard epoll >= 0 else { throw .refused(operation: "make", object: "an epoll descriptor", code: errno) }
    let code = add(end, Self.end)
    guard code == 0 else { throw .refused(operation: "wait for", object: "the end", code: code) }
  }

  deinit { close(epoll) }

  /// By any thread.
  /// - Returns: 0, or an errno.
  func add(_ descriptor: Int32, _ place: UInt64) -> Int32 {
    var event = epoll_event(events: EPOLLIN.rawValue, data: epoll_data_t(u64: place))
    return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0 ? 0 : errno
  }

  /// By any thread. Without effect if it is not waited for.
  func remove(_ descriptor: Int32) { _ = epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, nil) }

  /// - Returns: how many events there are; 0 if a signal came between.
  func wait(_ events: UnsafeMutablePointer<epoll_event>) -> Int {
    max(0, Int(epoll_wait(epoll, events, Int32(Self.limit), -1)))
  }
}
