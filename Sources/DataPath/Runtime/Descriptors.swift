import Glibc

/// Descriptors that threads use, one per queue; closed with the last snapshot that knows them.
class Descriptors {
  let each: UnsafePointer<Int32>
  let count: Int

  /// Closes what was opened already if one fails.
  /// - Parameter open: a descriptor, or a negated errno.
  init(_ count: Int, _ open: (Int) -> Int32, orThrow error: (Int32) -> DataPathError) throws(DataPathError) {
    let storage = UnsafeMutablePointer<Int32>.allocate(capacity: count)
    storage.initialize(repeating: -1, count: count)
    each = UnsafePointer(storage)
    self.count = count
    for index in 0..<count {
      storage[index] = open(index)
      // A class that throws here is deinitialized, and so closes.
      guard storage[index] >= 0 else { throw error(-storage[index]) }
    }
  }

  /// None is open.
  init(none count: Int) {
    let storage = UnsafeMutablePointer<Int32>.allocate(capacity: count)
    storage.initialize(repeating: -1, count: count)
    each = UnsafePointer(storage)
    self.count = count
  }

  deinit {
    for index in 0..<count where each[index] >= 0 { close(each[index]) }
    each.deallocate()
  }
}
