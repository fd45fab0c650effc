/// Pings from the calling thread's namespace; throws what the program said of the first one that is not answered within
/// two seconds.
///
/// Each is a program of its own: one that sends several waits for the last answers only twice as long as the others took,
/// which is too short on a machine that is busy.
package func ping(_ address: String, count: Int = 3, size: Int = 56) throws {
  for _ in 0..<count { try sh("ping -c 1 -W 2 -s \(size) \(address) 2>&1") }
}
