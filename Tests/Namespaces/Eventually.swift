import Glibc

/// Whether `condition` holds within some seconds; looked at often.
package func eventually(seconds: Int = 10, _ condition: () throws -> Bool) rethrows -> Bool {
  for _ in 0..<seconds * 500 {
    if try condition() { return true }
    usleep(2000)
  }
  return try condition()
}
